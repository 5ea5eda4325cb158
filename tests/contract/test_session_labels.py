"""A session shows the first of its tags and metadata, in their order, whatever its traces and their order."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from processor.model import LABELS_MAX
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from tests.integration.stored import insert, trace


def test_a_session_keeps_the_first_of_its_labels(
    client: Any, store: ClickHouseStore, store_config: StoreConfig
) -> None:
    """Of 400 tags and keys in two traces 256, and all of them where there are fewer; the earlier trace's value wins."""
    parts = [range(0, 400, 2), range(1, 400, 2)]
    for session, which in (("up", (0, 1)), ("down", (1, 0)), ("one", (0,))):
        for number, part in enumerate(which):
            names = [f"n{at:04}" for at in parts[part]]
            metadata = orjson.dumps({**dict.fromkeys(names, f"of {number}"), "a/b": f"of {number}"}).decode()
            row = trace(session, f"{session}-{number}", tags=names, metadata=metadata)
            row |= {"start_ns": row["start_ns"] + number}
            insert(client, store_config.database, "session_traces", row)
    keys = pl.DataFrame({"tenant": ["default"] * 3, "session_id": ["up", "down", "one"]})
    rows = {row["session_id"]: row for row in store.read_session_rollups(keys).to_dicts()}
    assert rows["up"]["tags"] == rows["down"]["tags"] == [f"n{at:04}" for at in range(LABELS_MAX)]
    for session in ("up", "down"):
        metadata = orjson.loads(rows[session]["metadata"])
        assert list(metadata) == ["a/b", *(f"n{at:04}" for at in range(LABELS_MAX - 1))]
        assert metadata["a/b"] == "of 0"
    assert rows["one"]["tags"] == [f"n{at:04}" for at in parts[0]]
    assert len(orjson.loads(rows["one"]["metadata"])) == 201
