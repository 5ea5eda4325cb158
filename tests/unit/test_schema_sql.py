"""The SQL of the tables for one server, for the embedded store and for a cluster. UPDATE_GOLDEN=1 writes it anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from processor.errors import ConfigError
from processor.store.ddl import SHARDED_BY, Target, statements
from processor.store.migrations import script
from processor.store.tables import Column, Migration, Table, View, described, read_migrations

DATA = Path(__file__).parents[1] / "data"
TARGETS = {
    "single": Target("otel"),
    "embedded": Target("otel", embedded=True),
    "cluster": Target("agents", cluster="main-1"),
}
MIGRATIONS = read_migrations()


@pytest.mark.parametrize("name", TARGETS)
def test_the_script_is_the_golden_one(name: str) -> None:
    """What a user pipes into clickhouse-client changes only on purpose."""
    golden = DATA / f"schema_{name}.sql"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(script(TARGETS[name]))
    assert script(TARGETS[name]) == golden.read_text()


@pytest.mark.parametrize("name", TARGETS)
def test_no_place_is_left_to_fill(name: str) -> None:
    """All braces that remain are macros of the server, in the paths of replicated tables."""
    left = re.sub(r"'/clickhouse/tables/\{shard\}/\{database\}/\{table\}', '\{replica\}'", "", script(TARGETS[name]))
    assert "{" not in left


def test_settings_of_the_embedded_store_are_its_own() -> None:
    """A server is told no setting that only a store on two shared cores needs."""
    assert "MODIFY SETTING" in script(TARGETS["embedded"])
    assert "MODIFY SETTING" not in script(TARGETS["single"]) + script(TARGETS["cluster"])


def test_every_ddl_of_a_cluster_runs_on_all_of_it() -> None:
    """No server of a cluster is left without a table, and no table without a replica."""
    sql = script(TARGETS["cluster"])
    made = re.findall(r"^CREATE (?:DATABASE|TABLE|OR REPLACE VIEW).*$", sql, re.MULTILINE)
    assert made
    assert all(" ON CLUSTER 'main-1'" in line for line in made)
    engines = re.findall(r"^ENGINE = (\w+)", sql, re.MULTILINE)
    assert set(engines) == {"ReplicatedReplacingMergeTree", "Distributed"}
    assert engines.count("Distributed") == len(SHARDED_BY)


def test_versions_of_a_row_share_a_shard() -> None:
    """The sharding key of each table is made of the first columns of its sorting key, or of columns within it."""
    tables = {table.name: table for table in described(MIGRATIONS).values() if isinstance(table, Table)}
    assert SHARDED_BY.keys() == tables.keys()
    for name, key in SHARDED_BY.items():
        columns = re.fullmatch(r"cityHash64\((.+)\)", key)
        assert columns is not None
        assert set(columns[1].split(", ")) <= set(tables[name].sorting_key.split(", "))


def test_a_file_is_known_by_what_it_does() -> None:
    """Comments and line breaks may be edited; a word may not."""
    file = Migration(8, "008_x.sql", "-- why\nCREATE TABLE IF NOT EXISTS {database}.x (a String) ENGINE = X ORDER BY a")
    same = Migration(
        8, "008_x.sql", "-- because\nCREATE TABLE IF NOT EXISTS {database}.x\n(a String) ENGINE = X ORDER BY a"
    )
    other = Migration(8, "008_x.sql", file.sql.replace("a String", "a UInt8"))
    assert file.checksum == same.checksum
    assert file.checksum != other.checksum


def test_a_later_file_adds_a_column() -> None:
    """To both tables of a cluster, the rows' own first; and to what is expected of the database."""
    added = "ADD COLUMN IF NOT EXISTS tags Array(String) DEFAULT []"
    file = Migration(8, "008_x.sql", f"ALTER TABLE {{database}}.session_traces {added}")
    assert statements(file, TARGETS["cluster"]) == [
        f"ALTER TABLE agents.session_traces_local ON CLUSTER 'main-1' {added}",
        f"ALTER TABLE agents.session_traces ON CLUSTER 'main-1' {added}",
    ]
    assert statements(file, TARGETS["single"]) == [file.sql.replace("{database}", "otel")]
    table = described([*MIGRATIONS, file])["session_traces"]
    assert isinstance(table, Table)
    assert table.columns[-1] == Column("tags", "Array(String)", "DEFAULT")


def test_what_a_file_can_not_say_is_our_mistake() -> None:
    """A migration that `check` would not understand does not get as far as a database."""
    with pytest.raises(AssertionError, match="not one of the statements"):
        _ = Migration(8, "008_x.sql", "DROP TABLE {database}.session_traces").table
    dropping = Migration(8, "008_x.sql", "ALTER TABLE {database}.session_traces DROP COLUMN name")
    with pytest.raises(AssertionError, match="only ADD COLUMN"):
        described([*MIGRATIONS, dropping])


def test_the_files_are_understood() -> None:
    """Nested columns are arrays, kinds and keys are told from types, and the view is one."""
    tables = described(MIGRATIONS)
    wide, spans = tables["otel_traces"], tables["session_spans"]
    assert isinstance(wide, Table)
    assert isinstance(spans, Table)
    columns = {column.name: column for column in wide.columns}
    assert columns["Events.Attributes"] == Column("Events.Attributes", "Array(Map(LowCardinality(String), String))", "")
    assert columns["ContentHash"].kind == "MATERIALIZED"
    assert not any(name.startswith("idx_") for name in columns)
    assert spans.partition_key == "toYYYYMM(toDateTime(intDiv(start_ns, 1000000000), 'UTC'))"
    assert (spans.primary_key, spans.sorting_key) == ("tenant, trace_id", "tenant, trace_id, span_id, content_hash")
    assert isinstance(tables["sessions"], View)


@pytest.mark.parametrize(
    ("database", "cluster", "embedded", "said"),
    [
        ("a b", "", False, "exporters.clickhouse.database"),
        ("otel", "it's", False, "exporters.clickhouse.cluster"),
        ("otel", "{a}{b}", False, "exporters.clickhouse.cluster"),
        ("otel", "main", True, "the embedded store has none"),
    ],
)
def test_names_that_can_not_stand_in_sql_are_refused(database: str, cluster: str, embedded: bool, said: str) -> None:
    """They come from a file of the user's, and are put into statements as they are."""
    with pytest.raises(ConfigError, match=said):
        Target(database, cluster, embedded)


def test_a_cluster_may_be_a_macro_of_the_server() -> None:
    """`ON CLUSTER '{cluster}'` is how many installations write it."""
    assert "Distributed('{cluster}', 'otel', 'session_spans_local', cityHash64(tenant, trace_id))" in script(
        Target("otel", "{cluster}")
    )
