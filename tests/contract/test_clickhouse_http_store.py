"""The store's own code through clickhouse-connect over HTTP, against the writable interface."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import clickhouse_connect
import httpx
import polars as pl
import pyarrow as pa
import pytest

from processor.clickhouse_http.settings import QUERY_BYTES_MAX
from processor.model import DEFAULT_TENANT, SESSION_ROLLUPS, SESSION_SPANS
from processor.store.clickhouse import ClickHouseStore, open_store
from processor.store.connection import StoreConfig, connect
from processor.store.queries import SessionQueries
from tests.clickhouse_server import clickhouse_server, send, until
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
    row = session("one", name="first", models=["m"], providers=["p"], services=["s"])
    store.write_sessions(pl.DataFrame([row], schema=SESSION_ROLLUPS))
    queries = SessionQueries(connect(server), server.database)
    found = queries.get_session(DEFAULT_TENANT, "one")
    assert found is not None
    assert found["name"] == "first"


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


def table_of(server: StoreConfig, name: str) -> str:
    """A new table of numbers and texts."""
    table = f"{server.database}.{name}"
    create = f"CREATE TABLE {table} (n UInt64, text String) ENGINE = MergeTree ORDER BY n"
    httpx.post(server.dsn, content=create).raise_for_status()
    return table


def test_clients_insert_and_query_at_once(server: StoreConfig, tmp_path: Path) -> None:
    """Large Arrow bodies by both of the store's ways; each client reads its own writes, and none is lost."""
    table = table_of(server, "crowd")
    clients, rows = 6, 100_000

    def work(number: int) -> int:
        first = number * rows
        numbers = pa.array(range(first, first + rows), pa.uint64())
        data = pa.table({"n": numbers, "text": [f"{n:0200d}" for n in range(rows)]})
        assert data.nbytes > 20_000_000
        with clickhouse_connect.get_client(dsn=server.dsn) as client:
            if number % 2:
                client.insert_arrow(table, data)
            else:
                file = tmp_path / f"{number}.arrows"
                with pa.ipc.new_stream(str(file), data.schema) as writer:
                    writer.write_table(data)
                with file.open("rb") as body:
                    client.raw_insert(table, ["n", "text"], body, fmt="ArrowStream")
            own = f"n >= {first} AND n < {first + rows}"
            return int(client.command(f"SELECT uniqExact(n) FROM {table} WHERE {own}"))

    with ThreadPoolExecutor(clients) as pool:
        assert list(pool.map(work, range(clients))) == [rows] * clients
    with clickhouse_connect.get_client(dsn=server.dsn) as client:
        query = f"SELECT count(), uniqExact(n) FROM {table}"
        assert client.query(query).result_rows == [(clients * rows, clients * rows)]


DYING = """
import io, sys, time
import clickhouse_connect, pyarrow as pa

dsn, table, how = sys.argv[1:]
data, sink = pa.table({"n": pa.array(range(100_000), pa.uint64()), "text": ["x" * 100] * 100_000}), io.BytesIO()
with pa.ipc.new_stream(sink, data.schema) as writer:
    writer.write_table(data, max_chunksize=1_000)

class HalfWay(io.BytesIO):
    def read(self, size=-1):
        if self.tell() > len(self.getvalue()) // 2:
            print("half", flush=True)
            time.sleep(600)
        return super().read(size)

def chunks(file):
    while chunk := file.read(65_536):
        yield chunk

body = HalfWay(sink.getvalue())
client = clickhouse_connect.get_client(dsn=dsn)
client.raw_insert(table, ["n", "text"], body if how == "file" else chunks(body), fmt="ArrowStream")
"""


@pytest.mark.parametrize("how", ["file", "chunks"])
def test_a_client_killed_in_the_middle_of_a_body_has_stored_nothing(
    server: StoreConfig, store_config: StoreConfig, how: str
) -> None:
    """The whole rows that came are no insert; the server goes on, and the place of the dead client is free."""
    table = table_of(server, f"killed_{how}")
    with clickhouse_server(store_config, writable=True, concurrent_queries_max=1, waiting_queries_max=1) as url:
        command = [sys.executable, "-c", DYING, url, table, how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client, contextlib.ExitStack() as stack:
            stack.callback(client.kill)
            assert client.stdout is not None
            assert client.stdout.readline() == "half\n"
            # Two bodies may arrive at a time: with a second one under way, a free place is seen by its use.
            with send(url, "", announced=1):
                until(lambda: httpx.post(url, content="SELECT 1").status_code == 500)
                client.kill()
                until(lambda: httpx.post(url, content="SELECT 1").text == "1\n")
        assert httpx.post(url, content=f"SELECT count() FROM {table}").text == "0\n"


def test_what_a_dead_client_has_sent_whole_is_stored(server: StoreConfig) -> None:
    """As on a server: a killed worker's last write arrives after it."""
    table = table_of(server, "late")
    insert = f"INSERT INTO {table} SELECT number, 'late' FROM numbers(5) WHERE NOT sleepEachRow(0.2)"
    send(server.dsn, insert).close()
    until(lambda: httpx.post(server.dsn, content=f"SELECT count() FROM {table}").text == "5\n")


def test_a_long_list_of_keys_is_a_query(server: StoreConfig) -> None:
    """Longer than a reader's may be, within what the client allows itself."""
    table = table_of(server, "keys")
    httpx.post(server.dsn, content=f"INSERT INTO {table} SELECT number, '' FROM numbers(10)").raise_for_status()
    keys = ",".join(str(n) for n in range(300_000))
    query = f"SELECT n FROM {table} WHERE n IN ({keys}) ORDER BY n"
    assert len(query) > QUERY_BYTES_MAX
    settings = {"max_query_size": 64 * 1024 * 1024}
    with clickhouse_connect.get_client(dsn=server.dsn, settings=settings) as client:
        assert client.query_arrow(query).column("n").to_pylist() == list(range(10))
    refused = httpx.post(server.dsn, content=query, timeout=60)
    assert (refused.status_code, refused.headers["x-clickhouse-exception-code"]) == (400, "62")


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT 1;\n", "1\n"),
        ("-- FORMAT CSV\n/* x */ ( SELECT 'a' )", "a\n"),
        ("SELECT 'a' format CSV ;", '"a"\n'),
        ("SELECT ' FORMAT CSV'", " FORMAT CSV\n"),
        ("SELECT 'a' FORMAT CSV SETTINGS max_threads = 1", '"a"\n'),
        ("SELECT 'a' -- the end", "a\n"),
        ("WITH 1 AS x SELECT x FORMAT JSONEachRow", '{"x":1}\n'),
        ("DESC (SELECT 1 AS x) FORMAT TSVRaw", "x\tUInt8\t\t\t\t\t\n"),
        ("EXISTS TABLE nothing", "0\n"),
    ],
)
def test_statements_run_as_they_came(server: StoreConfig, query: str, answer: str) -> None:
    """Whatever stands around them."""
    response = httpx.post(server.dsn, content=query)
    assert (response.status_code, response.text) == (200, answer)


@pytest.mark.parametrize("query", ["", " ;", "SELECT 1; SELECT 2", "SELEKT 1"])
def test_what_is_not_one_statement_is_refused(server: StoreConfig, query: str) -> None:
    """Error 62."""
    response = httpx.post(server.dsn, content=query)
    assert (response.status_code, response.headers["x-clickhouse-exception-code"]) == (400, "62")
