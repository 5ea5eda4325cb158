"""Engines as servers show them, against the files: what is a difference, and what is the server's own affair."""

from __future__ import annotations

import pytest

from processor.store.catalog import Stored
from processor.store.ddl import Target
from processor.store.differences import _of_engine
from processor.store.tables import Table

TABLE = Table("t", (), "ReplacingMergeTree", "version", "", "a, b", "a, b, c")
SERVER, CLUSTER = Target("otel"), Target("otel", "main")
END = " PRIMARY KEY (a, b) ORDER BY (a, b, c) SETTINGS index_granularity = 1024"
REPLICA = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"


def said(target: Target, engine: str, primary_key: str = "a, b") -> list[str]:
    """What is said of a table of this engine."""
    return list(_of_engine(target, TABLE, "t", Stored(engine, "", primary_key, "a, b, c", "")))


@pytest.mark.parametrize(
    ("target", "engine"),
    [
        (SERVER, f"ReplacingMergeTree(version){END}"),
        (CLUSTER, f"ReplicatedReplacingMergeTree({REPLICA}, version){END}"),
        (CLUSTER, f"ReplicatedReplacingMergeTree('/mine', 'r1', version){END}"),
        (SERVER, f"SharedReplacingMergeTree({REPLICA}, version){END}"),
        (CLUSTER, f"SharedReplacingMergeTree({REPLICA}, version){END}"),
    ],
)
def test_paths_replicas_and_the_cloud_s_own_engine_are_no_difference(target: Target, engine: str) -> None:
    """Rows replace each other by the same rule there."""
    assert said(target, engine) == []


@pytest.mark.parametrize(
    ("target", "engine", "shown"),
    [
        (SERVER, f"MergeTree{END}", "MergeTree, expected ReplacingMergeTree(version)"),
        (SERVER, f"SharedMergeTree({REPLICA}){END}", "MergeTree, expected ReplacingMergeTree(version)"),
        (SERVER, f"ReplacingMergeTree(a){END}", "ReplacingMergeTree(a), expected ReplacingMergeTree(version)"),
        (
            CLUSTER,
            f"ReplicatedReplacingMergeTree({REPLICA}){END}",
            "ReplicatedReplacingMergeTree, expected ReplicatedReplacingMergeTree(version)",
        ),
        (
            CLUSTER,
            f"ReplacingMergeTree(version){END}",
            "ReplacingMergeTree(version), expected ReplicatedReplacingMergeTree(version)",
        ),
    ],
)
def test_rows_that_would_not_replace_each_other_are_a_difference(target: Target, engine: str, shown: str) -> None:
    """Another family, another version column, or one server's rows where a cluster's are needed."""
    assert said(target, engine) == [f"table t has the engine {shown}"]


def test_another_key_is_a_difference() -> None:
    """Each key is compared by itself."""
    assert said(SERVER, f"ReplacingMergeTree(version){END}", primary_key="a") == [
        "table t has the primary key (a), expected (a, b)"
    ]
