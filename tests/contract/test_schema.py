"""Creating and checking the tables, on chDB and through clickhouse-connect over HTTP.

There is no server and no Keeper here: what is for a cluster is parsed, created as far as one process can, and its keys
are tried on two databases that stand for two shards.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from processor.errors import ConfigError, Permanent, Retryable
from processor.model import SESSION_ROLLUPS
from processor.store.catalog import applied_files
from processor.store.clickhouse import open_store
from processor.store.connection import StoreConfig, connect, driver_errors_translated
from processor.store.ddl import SHARDED_BY, Target, record, statements
from processor.store.migrations import script
from processor.store.rollup_sql import session_rollups
from processor.store.schema import check_schema, migrate_schema
from processor.store.tables import read_migrations
from tests.clickhouse_server import clickhouse_server

FILES = [migration.name for migration in read_migrations()]


@pytest.fixture(scope="module", params=["chdb", "http"])
def where(request: pytest.FixtureRequest, store_config: StoreConfig) -> Iterator[StoreConfig]:
    """A store in this process, or the same one behind HTTP."""
    if request.param == "chdb":
        yield store_config
        return
    with clickhouse_server(store_config, writable=True) as url:
        yield StoreConfig(dsn=url)


@pytest.fixture
def config(where: StoreConfig, request: pytest.FixtureRequest) -> Iterator[StoreConfig]:
    """That store with a database of the test's own, not created yet."""
    database = f"schema_{zlib.crc32(request.node.name.encode()):08x}"
    yield replace(where, database=database)
    with connect(replace(where, database="system")) as client:
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
            "ALTER TABLE {db}.session_rollups DROP COLUMN services",
            "column session_rollups.services is missing, expected Array(LowCardinality(String))",
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
    [("session_traces", [FILES[4]]), ("sessions", [FILES[7]]), ("schema_migrations", FILES)],
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


@pytest.mark.parametrize("target", [Target("otel"), Target("otel", "main"), Target("otel", "{cluster}")])
def test_the_engine_can_parse_every_statement(client: Any, target: Target) -> None:
    """All that is possible without a Keeper; formatting and parsing again changes nothing either."""
    for statement in filter(str.strip, script(target).split(";\n")):
        if "INSERT" not in statement:
            assert client.query(f"EXPLAIN AST {statement}").result_rows
        query = "SELECT formatQuery({text:String})"
        once = client.query(query, parameters={"text": statement}).result_rows[0][0]
        assert client.query(query, parameters={"text": once}).result_rows == [(once,)]
        for kept in ("ON CLUSTER", "ReplicatedReplacingMergeTree", "Distributed("):
            assert (kept in once) == (kept in statement)


_CLUSTER_OF_NOBODY = """<clickhouse><remote_servers><main><shard>
<replica><host>localhost</host><port>1</port></replica></shard></main></remote_servers></clickhouse>"""

_CREATE_WITHOUT_KEEPER = """
import re, sys
import clickhouse_connect
from processor.store.catalog import stored_tables
from processor.store.ddl import Target, statements
from processor.store.differences import _of_table
from processor.store.tables import described, read_migrations
client = clickhouse_connect.get_client(dsn="chdb://" + sys.argv[1], chdb_options={"config-file": sys.argv[2]})
client.command("CREATE DATABASE otel")
target, migrations = Target("otel", "main"), read_migrations()
for migration in migrations:
    for statement in statements(migration, target):
        statement = re.sub(r"Replicated(\\w+)\\('[^']+', '[^']+'(?:, )?", r"\\1(", statement)
        client.command(statement.replace(" ON CLUSTER 'main'", ""))
(stored,) = stored_tables(client, Target("otel")).values()
for table in described(migrations).values():
    print(*_of_table(client, target, table, stored), sep="\\n")
"""


def test_the_tables_of_a_cluster_can_be_created_but_for_keeper(tmp_path: Path) -> None:
    """With ON CLUSTER and Replicated taken out, that they are is all that the check misses: Distributed tables have
    the columns and the engine that it expects, and the view can read them.
    """
    engine = tmp_path / "engine.xml"
    engine.write_text(_CLUSTER_OF_NOBODY)
    # A process of its own: the cluster must be known when chDB starts.
    command = [sys.executable, "-c", _CREATE_WITHOUT_KEEPER, str(tmp_path / "store"), str(engine)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    sentences = [line for line in result.stdout.splitlines() if line]
    missed = re.compile(r"table \w+_local has the engine (Replacing.*), expected Replicated\1")
    assert [line for line in sentences if not missed.fullmatch(line)] == []
    assert len(sentences) == len(SHARDED_BY)


def test_connections_to_a_cluster_wait_for_what_they_write(store_config: StoreConfig) -> None:
    """The engine knows the settings by these names and values, and only a cluster's connections have them."""
    names = ("distributed_foreground_insert", "insert_quorum", "load_balancing", "prefer_localhost_replica")
    query = f"SELECT {', '.join(f'toString(getSetting({name!r}))' for name in names)}"
    with clickhouse_server(store_config, writable=True) as url:
        with connect(StoreConfig(dsn=url, cluster="main")) as client:
            assert client.query(query).result_rows == [("true", "auto", "in_order", "false")]
        with connect(StoreConfig(dsn=url)) as client:
            assert client.query(query).result_rows == [("false", "0", "random", "true")]


def test_each_shard_rolls_its_sessions_up_alone(client: Any, store_config: StoreConfig) -> None:
    """With trace rows placed by the sharding key, older versions too, the shards' session rows are all session rows."""
    whole, shards = "schema_whole", ["schema_shard_0", "schema_shard_1"]
    for database in (whole, *shards):
        migrate_schema(replace(store_config, database=database))
    rows = """SELECT 'default' AS tenant, toString(number % 50) AS session_id, toString(number % 700) AS trace_id,
        1 + intDiv(number, 700) AS version, 'name' AS name, toInt64(number) * 1000 AS start_ns,
        start_ns + 5000 AS end_ns,
        toInt64(number % 3) AS span_count, toInt64(number) AS total_tokens FROM numbers(2000)"""
    columns = "(tenant, session_id, trace_id, version, name, start_ns, end_ns, span_count, total_tokens)"
    client.command(f"INSERT INTO {whole}.session_traces {columns} {rows}")
    for at, shard in enumerate(shards):
        mine = f"SELECT * FROM ({rows}) WHERE cityHash64(tenant, session_id) % 2 = {at}"
        client.command(f"INSERT INTO {shard}.session_traces {columns} {mine}")
    expected, *parts = (
        pl.from_arrow(client.query_arrow(session_rollups(database, "1"), use_strings=True))
        for database in (whole, *shards)
    )
    assert all(len(part) for part in parts)
    assert pl.concat(parts).cast(SESSION_ROLLUPS).sort("session_id").equals(expected.cast(SESSION_ROLLUPS))


def test_what_the_driver_raises_becomes_ours(config: StoreConfig) -> None:
    """By its code, which must reach us from either engine: what no retry mends is told from what one may."""
    with connect(replace(config, database="system")) as client:
        with pytest.raises(Permanent, match=r"^ClickHouse: .*no_such_column"), driver_errors_translated():
            client.query("SELECT no_such_column")
        with pytest.raises(Retryable, match=r"^ClickHouse: .*too much"), driver_errors_translated():
            client.query("SELECT throwIf(1, 'too much')")


def test_tls_is_spoken_where_the_scheme_says_so() -> None:
    """On any port: nothing of a request, least of all a password, goes out in the clear."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first: list[bytes] = []

        def take() -> None:
            connection, _ = listener.accept()
            with connection:
                first.append(connection.recv(1))

        thread = threading.Thread(target=take)
        thread.start()
        with pytest.raises(Retryable, match="does not answer") as raised:
            connect(StoreConfig(dsn=f"https://user:s3cret@127.0.0.1:{listener.getsockname()[1]}?connect_timeout=2"))
        thread.join()
    assert first == [b"\x16"]  # a TLS handshake
    assert "s3cret" not in str(raised.value)


def test_a_directory_that_can_not_be_one_is_refused(tmp_path: Path) -> None:
    """With what is wrong with it, before chDB sees it."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=f"exporters.clickhouse.dsn: can't create {file}: File exists"):
        connect(StoreConfig(dsn=f"chdb://{file}"))


def test_no_password_in_what_went_wrong() -> None:
    """A server that is away, an option that is none."""
    for dsn in ("http://u:s3cret@127.0.0.1:1", "http://u:s3cret@127.0.0.1:1?no_such_option=s3cret"):
        with pytest.raises((Retryable, ConfigError)) as raised:
            connect(StoreConfig(dsn=dsn))
        assert "s3cret" not in str(raised.value)
