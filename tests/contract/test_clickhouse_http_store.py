"""The store's own code through clickhouse-connect over HTTP, against the writable interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import clickhouse_connect
import httpx
import polars as pl
import pyarrow as pa
import pytest

from processor.model import DEFAULT_TENANT, SESSION_SPANS
from processor.store.clickhouse import ClickHouseStore, StoreConfig, connect, open_store
from processor.store.queries import SessionQueries
from tests.clickhouse_server import clickhouse_server
from tests.integration.stored import narrow_span, session


@pytest.fixture(scope="module")
def server(store_config: StoreConfig) -> Iterator[StoreConfig]:
    """A store on a server, as `StoreConfig` names it."""
    with clickhouse_server(store_config, writable=True) as url:
        yield StoreConfig(dsn=url, database=store_config.database)


@pytest.fixture(scope="module")
def store(server: StoreConfig) -> Iterator[ClickHouseStore]:
    """The tables, created over HTTP."""
    opened = open_store(server)
    yield opened
    opened.close()


def test_spans_go_in_and_come_back(store: ClickHouseStore, tmp_path: Path) -> None:
    """An Arrow insert by POST body, and an Arrow query."""
    spans = pl.DataFrame([narrow_span("a" * 32, f"{i:016x}", total_tokens=i) for i in range(500)], schema=SESSION_SPANS)
    file = tmp_path / "spans.arrows"
    rows = spans.with_columns(pl.lit(7, pl.UInt64).alias("batch_seq")).to_arrow()
    with pa.ipc.new_stream(str(file), rows.schema) as writer:
        writer.write_table(rows)
    store.insert_session_spans(file)
    read = store.read_spans(pl.DataFrame({"tenant": [DEFAULT_TENANT], "trace_id": ["a" * 32]}))
    assert read.sort("span_id").equals(spans.sort("span_id"))
    assert store.last_batch_seq() == 7
    store.write_checkpoint(7)
    assert store.checkpoint() == 7


def test_migrating_again_changes_nothing(store: ClickHouseStore, server: StoreConfig) -> None:
    """Opening twice is opening once."""
    before = store.last_batch_seq()
    again = open_store(server)
    assert again.last_batch_seq() == before
    again.close()


def test_sessions_written_over_http_are_read_by_the_api(store: ClickHouseStore, server: StoreConfig) -> None:
    """Parameters and settings of the reading side, through the same wire."""
    store.write_sessions(pl.DataFrame([session("one", name="first", models=["m"], providers=["p"], services=["s"])]))
    queries = SessionQueries(connect(server), server.database)
    row = queries.get_session(DEFAULT_TENANT, "one")
    assert row is not None
    assert row["name"] == "first"


def test_every_way_to_insert(server: StoreConfig) -> None:
    """Native blocks, compressed ones, raw bodies, Arrow, VALUES and INSERT SELECT."""
    client = clickhouse_connect.get_client(dsn=server.dsn)
    table = f"{server.database}.ways"
    client.command(f"CREATE TABLE {table} (a UInt32, `odd name` String) ENGINE = MergeTree ORDER BY a")
    for compress in (True, False):
        with clickhouse_connect.get_client(dsn=server.dsn, compress=compress) as other:
            assert other.insert(table, [[1, "x"], [2, "y"]], column_names=["a", "odd name"]).written_rows == 2
    client.insert_arrow(table, pa.table({"a": pa.array([3], pa.uint32()), "odd name": ["z"]}))
    client.raw_insert(table, ["a"], b"4\n5\n", fmt="TabSeparated")
    client.command(f"INSERT INTO {table} VALUES (6, 'v')")
    client.command(f"INSERT INTO {table} SELECT 7, 's'")
    httpx.post(server.dsn, params={"query": f"INSERT INTO {table} FORMAT CSV"}, content=b'8,"c"\n').raise_for_status()
    assert client.query(f"SELECT a FROM {table} ORDER BY a").result_columns == [[1, 1, 2, 2, 3, 4, 5, 6, 7, 8]]
    client.command("SYSTEM FLUSH LOGS")
    client.close()


def test_a_failed_insert_says_why_and_leaves_nothing(server: StoreConfig) -> None:
    """The engine's code reaches the client."""
    client = clickhouse_connect.get_client(dsn=server.dsn)
    table = f"{server.database}.failing"
    client.command(f"CREATE TABLE {table} (a UInt32) ENGINE = MergeTree ORDER BY a")
    broken = httpx.post(server.dsn, content=f"INSERT INTO {table} FORMAT CSV\nnonsense\n".encode())
    assert (broken.status_code, broken.headers["x-clickhouse-exception-code"]) == (400, "117")
    missing = httpx.post(server.dsn, content=f"INSERT INTO {table}_not FORMAT CSV\n1\n".encode())
    assert (missing.status_code, missing.headers["x-clickhouse-exception-code"]) == (404, "60")
    assert client.command(f"SELECT count() FROM {table}") == 0
    client.close()


def test_writing_over_http_is_seen_in_the_process(store: ClickHouseStore, store_config: StoreConfig) -> None:
    """It is the same store."""
    assert store.last_batch_seq() == 7
    direct = ClickHouseStore(replace(store_config))
    assert direct.last_batch_seq() == 7
    direct.close()
