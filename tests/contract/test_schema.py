"""Creating and checking the tables, on every store there is."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from processor.errors import ConfigError, Permanent, Retryable
from processor.store.catalog import applied_files
from processor.store.clickhouse import open_store
from processor.store.connection import StoreConfig, connect, driver_errors_translated
from processor.store.ddl import record, statements
from processor.store.migrations import script
from processor.store.schema import check_schema, migrate_schema
from processor.store.tables import read_migrations

pytestmark = pytest.mark.every_store

FILES = [migration.name for migration in read_migrations()]


@pytest.fixture
def config(store_config: StoreConfig, request: pytest.FixtureRequest) -> Iterator[StoreConfig]:
    """A store with a database of the test's own, not created yet."""
    database = f"schema_{zlib.crc32(request.node.name.encode()):08x}"
    yield replace(store_config, database=database)
    with connect(replace(store_config, database="system")) as client:
        client.command(f"DROP DATABASE IF EXISTS {database}")


@pytest.fixture
def run(config: StoreConfig) -> Iterator[Callable[[str], Any]]:
    """What the owner of the database does to it by hand; `{db}` is the database."""
    client = connect(config)
    yield lambda statement: client.command(statement.replace("{db}", config.database))
    client.close()


def test_migrating_says_what_it_did_and_then_has_nothing_to_do(config: StoreConfig) -> None:
    """What was created passes the check, on which the files and the engine must agree to the letter."""
    assert check_schema(config) == [f"database {config.database} is missing or empty"]
    assert migrate_schema(config) == [f"created database {config.database}", *(f"applied {name}" for name in FILES)]
    assert check_schema(config) == []
    assert migrate_schema(config) == []


def test_several_may_migrate_at_once(config: StoreConfig) -> None:
    """Workers that start together all end with the same tables, and with every file noted once."""
    workers = 4
    together = threading.Barrier(workers)

    def start(_: int) -> list[str]:
        together.wait()
        return migrate_schema(config)

    with ThreadPoolExecutor(workers) as pool:
        for _ in range(3):
            list(pool.map(start, range(workers)))
    assert check_schema(config) == []
    with connect(config) as client:
        assert sorted(file.name for file in applied_files(client, config.target)) == FILES


def test_what_the_script_says_is_what_migrating_does(config: StoreConfig, run: Callable[[str], Any]) -> None:
    """Tables created by hand out of `schema print` are no different, twice over."""
    for statement in script(config.target).split(";\n") * 2:
        if statement.strip():
            run(statement)
    assert check_schema(config) == []
    assert migrate_schema(config) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DROP TABLE {db}.session_traces", "table session_traces is missing"),
        ("DROP TABLE {db}.sessions", "view sessions is missing"),
        (
            "ALTER TABLE {db}.session_rollups DROP COLUMN thread_id",
            "column session_rollups.thread_id is missing, expected String",
        ),
        (
            "ALTER TABLE {db}.session_rollups MODIFY COLUMN name LowCardinality(String)",
            "column session_rollups.name is LowCardinality(String), expected String",
        ),
        (
            "ALTER TABLE {db}.session_traces MODIFY COLUMN llm_ns Int64 DEFAULT 1",
            "column session_traces.llm_ns is Int64 DEFAULT, expected Int64",
        ),
        ("CREATE OR REPLACE VIEW {db}.sessions AS SELECT 1 AS one", "view sessions selects something else"),
        (
            "CREATE OR REPLACE TABLE {db}.rollup_checkpoints (worker String, batch_seq UInt64) "
            "ENGINE = MergeTree ORDER BY worker",
            "table rollup_checkpoints has the engine MergeTree, expected ReplacingMergeTree(batch_seq)",
        ),
        (
            "CREATE OR REPLACE TABLE {db}.rollup_checkpoints (worker String, batch_seq UInt64) "
            "ENGINE = ReplacingMergeTree ORDER BY worker",
            "table rollup_checkpoints has the engine ReplacingMergeTree, expected ReplacingMergeTree(batch_seq)",
        ),
        (
            "CREATE OR REPLACE TABLE {db}.rollup_checkpoints (worker String, batch_seq UInt64) "
            "ENGINE = ReplacingMergeTree(batch_seq) PRIMARY KEY worker ORDER BY (worker, batch_seq)",
            "table rollup_checkpoints has the sorting key (worker, batch_seq), expected (worker)",
        ),
        (
            "ALTER TABLE {db}.schema_migrations DELETE WHERE version = 3 SETTINGS mutations_sync = 2",
            f"{FILES[3]} is not noted as applied in schema_migrations",
        ),
        (
            "INSERT INTO {db}.schema_migrations VALUES (900, '900_later.sql', 'c')",
            "900_later.sql was applied by a newer version of otel-sessions; upgrade this one",
        ),
        ("INSERT INTO {db}.schema_migrations VALUES (4, '004_session_traces.sql', 'other')", "has changed since"),
        ("ALTER TABLE {db}.session_traces ADD COLUMN mine String", None),
        (
            "ALTER TABLE {db}.session_traces MODIFY TTL toDateTime(intDiv(start_ns, 1000000000)) + toIntervalDay(9)",
            None,
        ),
        ("CREATE TABLE {db}.mine (a String) ENGINE = MergeTree ORDER BY a", None),
    ],
)
def test_the_check_names_what_is_different(
    config: StoreConfig, run: Callable[[str], Any], change: str, found: str | None
) -> None:
    """One sentence for one change; what the owner adds is not ours to judge."""
    migrate_schema(config)
    run(change)
    sentences = check_schema(config)
    assert len(sentences) == (found is not None)
    assert all(found in sentence for sentence in sentences if found)


@pytest.mark.parametrize(
    ("table", "files"),
    [("session_traces", [FILES[4]]), ("sessions", ["040_sessions.sql"]), ("schema_migrations", FILES)],
)
def test_a_dropped_table_comes_back(
    config: StoreConfig, run: Callable[[str], Any], table: str, files: list[str]
) -> None:
    """Being noted as applied does not stand for being there."""
    migrate_schema(config)
    run(f"DROP TABLE {{db}}.{table}")
    assert migrate_schema(config) == [f"applied {name}" for name in files]
    assert check_schema(config) == []


def test_migrating_stops_half_way_and_goes_on(config: StoreConfig, run: Callable[[str], Any]) -> None:
    """A process that died between a table and its note leaves nothing that the next one stumbles over."""
    run("CREATE DATABASE {db}")
    for migration in read_migrations()[:4]:
        for statement in statements(migration, config.target):
            run(statement)
    run(record(read_migrations()[0], config.target))
    assert migrate_schema(config) == [f"applied {name}" for name in FILES[1:]]
    assert check_schema(config) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("(4, '004_session_traces.sql', 'other')", "004_session_traces.sql has changed since it was applied"),
        ("(900, '900_later.sql', 'c')", "900_later.sql was applied by a newer version"),
    ],
)
def test_a_database_of_other_files_is_left_alone(
    config: StoreConfig, run: Callable[[str], Any], row: str, said: str
) -> None:
    """Edited and unknown files stop the start, and nothing is created then."""
    migrate_schema(config)
    run(f"INSERT INTO {{db}}.schema_migrations VALUES {row}")
    run("DROP TABLE {db}.session_traces")
    for start in (migrate_schema, open_store):
        with pytest.raises(ConfigError, match=said):
            start(config)
    assert "table session_traces is missing" in check_schema(config)


def test_a_worker_that_may_not_migrate_only_checks(config: StoreConfig, run: Callable[[str], Any]) -> None:
    """It refuses to start and says what to run; once that is done, it starts."""
    checking = replace(config, migrate=False)
    with pytest.raises(ConfigError, match=r"is missing or empty.*otel-sessions schema migrate"):
        open_store(checking)
    with pytest.raises(ConfigError, match="missing"):
        open_store(checking)  # the first refusal has created nothing
    migrate_schema(config)
    open_store(checking).close()
    run("DROP TABLE {db}.session_traces")
    run("DROP TABLE {db}.sessions")
    with pytest.raises(ConfigError, match="session_traces is missing, and 1 more"):
        open_store(checking)


def test_what_the_driver_raises_becomes_ours(config: StoreConfig) -> None:
    """By its code, which must reach us from either engine: what no retry mends is told from what one may."""
    with connect(replace(config, database="system")) as client:
        with pytest.raises(Permanent, match=r"^ClickHouse: .*no_such_column"), driver_errors_translated():
            client.query("SELECT no_such_column")
        with pytest.raises(Retryable, match=r"^ClickHouse: .*too much"), driver_errors_translated():
            client.query("SELECT throwIf(1, 'too much')")
