"""The checksum of compressed frames against the engine's own: a column file is a row of such frames."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from processor.clickhouse_http.frames import unframed
from processor.store.connection import StoreConfig


@pytest.mark.parametrize("codec", ["LZ4", "ZSTD(1)", "NONE"])
@pytest.mark.parametrize("rows", [1, 2, 7, 16, 33, 1_000, 100_000])
def test_a_column_file_can_be_read(
    chdb_client: Callable[[], Any], store_config: StoreConfig, codec: str, rows: int
) -> None:
    """Every checksum is right and every value is there, for frames of many lengths."""
    client = chdb_client()
    table = f"{store_config.database}.frames_{codec[:3]}_{rows}"
    client.command(
        f"CREATE TABLE {table} (a UInt64 CODEC({codec})) ENGINE = MergeTree ORDER BY tuple() "
        "SETTINGS min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0"
    )
    client.command(
        f"INSERT INTO {table} SELECT cityHash64(number) % 1000 FROM numbers({rows}) SETTINGS max_threads = 1"
    )
    database, _, name = table.partition(".")
    path = client.command(
        f"SELECT path FROM system.parts WHERE database = '{database}' AND table = '{name}' AND active"
    )
    data = unframed((Path(path) / "a.bin").read_bytes(), 10_000_000)
    values = client.query(f"SELECT groupArray(a) FROM (SELECT a FROM {table} SETTINGS max_threads = 1)").result_rows[0][
        0
    ]
    assert list(struct.unpack(f"<{rows}Q", data)) == list(values)
