"""The SQL of the tables: a cluster's is golden, a server's is the files, the embedded store's a server's and more."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import processor.store
from processor.errors import ConfigError
from processor.store.ddl import SHARDED_BY, Target, statements
from processor.store.migrations import script
from processor.store.tables import Column, Migration, Table, View, described, read_migrations

GOLDEN = Path(__file__).parents[1] / "data" / "schema_cluster.sql"
FILES = sorted(Path(processor.store.__file__).with_name("sql").glob("*.sql"))
TARGETS = {
    "single": Target("otel"),
    "embedded": Target("otel", embedded=True),
    "cluster": Target("agents", cluster="main-1"),
}
MIGRATIONS = read_migrations()


def test_the_script_for_a_cluster_is_the_golden_one() -> None:
    """What a user pipes into clickhouse-client changes only on purpose. UPDATE_GOLDEN=1 writes it anew."""
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(script(TARGETS["cluster"]))
    assert script(TARGETS["cluster"]) == GOLDEN.read_text()


def test_a_server_is_told_what_the_files_say() -> None:
    """Word for word, with the database named, and after each file the note that it was applied."""
    said = ["CREATE DATABASE IF NOT EXISTS otel"]
    for file in FILES:
        number, sql = int(file.name[:3]), file.read_text().strip()
        # The digest is the golden script's.
        (checksum,) = re.findall(rf"VALUES \({number}, '{file.name}', '(\w+)'\)", GOLDEN.read_text())
        said += [
            sql.replace("{database}", "otel"),
            "INSERT INTO otel.schema_migrations (version, name, checksum) "
            f"VALUES ({number}, '{file.name}', '{checksum}')",
        ]
    assert script(TARGETS["single"]) == ";\n\n".join(said) + ";\n"


def test_an_embedded_store_is_told_the_same_and_settings_of_its_own() -> None:
    """A server is told no setting that only a store on two shared cores needs."""
    same, embedded = script(TARGETS["single"]), script(TARGETS["embedded"])
    assert embedded.startswith(same)
    added = embedded.removeprefix(same).strip().split("\n\n")
    uncounted = "auto_statistics_types = ''"
    late = (
        f"{uncounted}, merge_selector_base = 32, min_parts_to_merge_at_once = 20, max_parts_to_merge_at_once = 24, "
        "parts_to_delay_insert = 400, parts_to_throw_insert = 5000"
    )
    settings = {
        "otel_traces": late,
        "session_spans": late,
        "otel_logs": late,
        "session_traces": uncounted,
        "trace_sessions": uncounted,
        "session_rollups": uncounted,
    }
    assert added == [f"ALTER TABLE otel.{table} MODIFY SETTING {wanted};" for table, wanted in settings.items()]


@pytest.mark.parametrize("name", TARGETS)
def test_no_place_is_left_to_fill(name: str) -> None:
    """All braces that remain are macros of the server, in the paths of replicated tables."""
    left = re.sub(r"'/clickhouse/tables/\{shard\}/\{database\}/\{table\}', '\{replica\}'", "", script(TARGETS[name]))
    assert "{" not in left


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
    """The sharding key of each table is made of columns of its sorting key."""
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
        ("a b", "", False, "^database: "),
        ("1a", "", False, "^database: "),
        ("otel", "it's", False, "^cluster: "),
        ("otel", "{a}{b}", False, "^cluster: "),
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
