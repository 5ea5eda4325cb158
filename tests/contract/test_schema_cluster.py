"""The tables of a cluster, as far as they can be tried without servers and without a Keeper.

Statements are parsed, tables created as far as one process can, and the keys by which they are sharded tried on two
databases that stand for two shards.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from processor.model import SESSION_ROLLUPS
from processor.store.connection import StoreConfig, connect
from processor.store.ddl import SHARDED_BY, Target
from processor.store.migrations import script
from processor.store.rollup_sql import session_rollups
from processor.store.schema import migrate_schema
from tests.clickhouse_server import clickhouse_server


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
