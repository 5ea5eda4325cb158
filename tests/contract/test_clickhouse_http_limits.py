"""Bounds of the ClickHouse HTTP interface: rows, bytes, time, memory, queries at once, clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

from processor.clickhouse_http.errors import QueryError
from processor.clickhouse_http.slots import Slots
from processor.store.connection import StoreConfig
from tests.clickhouse_server import clickhouse_server, send, until

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(number)"
ENDLESS_STREAM = "SELECT number, toString(number) FROM numbers(1000000000000)"
MIB = 1024 * 1024
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def store(chdb_client: Callable[[], Any], store_config: StoreConfig) -> StoreConfig:
    """A store with tables."""
    chdb_client()
    return store_config


@pytest.fixture(scope="module")
def running(chdb_client: Callable[[], Any]) -> Callable[[str], int]:
    """How many queries with a mark in their text the engine is at."""
    client = chdb_client()
    return lambda mark: int(
        client.command(f"SELECT count() FROM system.processes WHERE query LIKE '%{mark}%' AND query NOT LIKE '%LIKE%'")
    )


def post(url: str, **options: Any) -> httpx.Response:
    """A query whose answer comes as it is."""
    return httpx.post(url, headers=PLAIN, **{"timeout": 60, **options})


def code(response: httpx.Response) -> tuple[int, str]:
    """Status and error code."""
    return response.status_code, response.headers.get("x-clickhouse-exception-code", "")


def test_rows_of_a_result(store: StoreConfig) -> None:
    """Error 396; a client may ask for less, and for what there is so far."""
    with clickhouse_server(store, max_result_rows=200_000) as url:
        assert post(url, content="SELECT number FROM numbers(200000)").text.count("\n") == 200_000
        too_many = post(url, content="SELECT number FROM numbers(2000000)", params={"wait_end_of_query": "1"})
        assert code(too_many) == (500, "396")
        tighter = post(url, content="SELECT number FROM numbers(100)", params={"max_result_rows": "10"})
        assert code(tighter) == (500, "396")
        for loose in ("0", "200001"):
            assert code(post(url, content="SELECT 1", params={"max_result_rows": loose})) == (500, "452")
        cut = {"max_result_rows": "10", "result_overflow_mode": "break", "max_block_size": "10"}
        assert post(url, content="SELECT number FROM numbers(100)", params=cut).text.count("\n") == 10


@pytest.mark.parametrize("output", ["JSON", "ArrowStream", "Parquet", "CSVWithNames", "Pretty", "Native", "XML"])
@pytest.mark.parametrize("text", ["repeat('x', 10000)", "toString(cityHash64(number))"])
def test_bytes_of_a_result(store: StoreConfig, output: str, text: str) -> None:
    """Counted as they are sent, whatever the engine makes of a value that all rows share."""
    query = f"SELECT {text} FROM numbers(200000) FORMAT {output} SETTINGS max_block_size = 1000"
    packed = {"output_format_arrow_compression_method": "none", "output_format_parquet_compression_method": "none"}
    with clickhouse_server(store, max_result_bytes=2 * MIB, buffered_result_bytes_max=MIB) as url:
        whole = post(url, content=query, params={**packed, "wait_end_of_query": "1"})
        # Parquet keeps equal values once.
        assert code(whole) == (500, "396") or len(whole.content) < MIB
        with contextlib.suppress(httpx.RemoteProtocolError):
            streamed = post(url, content=query, params=packed)
            assert "TOO_MANY_ROWS_OR_BYTES" in streamed.text or len(streamed.content) < 2 * MIB
        assert post(url, content="SELECT 1").text == "1\n"


def test_memory_of_a_query(store: StoreConfig) -> None:
    """Error 241."""
    with clickhouse_server(store, query_memory_bytes_max=64 * MIB) as url:
        query = "SELECT uniqExact(number), groupArray(number) FROM numbers(50000000) FORMAT JSON"
        assert code(post(url, content=query, timeout=60)) == (500, "241")
        assert post(url, content="SELECT 1").text == "1\n"


def test_time_of_a_query(store: StoreConfig) -> None:
    """Error 159 and 408, the slot free again; a client may ask for less."""
    with clickhouse_server(store, max_execution_time_s=1, concurrent_queries_max=1, waiting_queries_max=0) as url:
        for _ in range(2):
            assert code(post(url, content=ENDLESS, timeout=60)) == (408, "159")
        assert post(url, content="SELECT 1").text == "1\n"
    with clickhouse_server(store, concurrent_queries_max=1, waiting_queries_max=0) as url:
        asked = post(url, content=ENDLESS, params={"max_execution_time": "0.5"}, timeout=60)
        assert code(asked) == (408, "159")


def test_queries_at_once(store: StoreConfig, running: Callable[[str], int]) -> None:
    """So many run; the next is refused at once with 202, where none may wait."""
    with (
        clickhouse_server(store, concurrent_queries_max=2, waiting_queries_max=0) as url,
        contextlib.ExitStack() as stack,
    ):
        busy = [stack.enter_context(contextlib.closing(send(url, f"{ENDLESS} AND 11 = 11"))) for _ in range(2)]
        until(lambda: running("11 = 11") == 2)
        refused = post(url, content="SELECT 1")
        assert code(refused) == (500, "202")
        assert "TOO_MANY_SIMULTANEOUS_QUERIES" in refused.text
        assert httpx.get(f"{url}/ping").text == "Ok.\n"
        busy[0].close()
        until(lambda: post(url, content="SELECT 1").text == "1\n")


def test_a_query_that_waits_has_its_turn(store: StoreConfig, running: Callable[[str], int]) -> None:
    """Where some may wait."""
    with (
        clickhouse_server(store, concurrent_queries_max=1, waiting_queries_max=8) as url,
        contextlib.closing(send(url, f"{ENDLESS} AND 12 = 12")) as busy,
        ThreadPoolExecutor(8) as pool,
    ):
        until(lambda: running("12 = 12") == 1)
        waiting = [pool.submit(post, url, content=f"SELECT {i}") for i in range(8)]
        busy.close()
        assert [answer.result(60).text for answer in waiting] == [f"{i}\n" for i in range(8)]


def test_slots_count_those_that_wait() -> None:
    """As many as allowed, and one that gives up makes room."""

    async def use() -> None:
        slots = Slots(1, 1)
        entered = []

        async def enter(name: str) -> None:
            async with slots.slot():
                entered.append(name)

        async with slots.slot():
            first = asyncio.create_task(enter("gave up"))
            await asyncio.sleep(0)
            with pytest.raises(QueryError) as refused:
                await enter("refused")
            assert refused.value.code == 202
            first.cancel()
            await asyncio.wait({first})
            second = asyncio.create_task(enter("waited"))
            await asyncio.sleep(0)
        await second
        assert entered == ["waited"]

    asyncio.run(use())


@pytest.mark.parametrize("query", [f"{ENDLESS} AND 22 = 22", f"{ENDLESS_STREAM} WHERE 22 = 22"])
def test_a_client_that_leaves_frees_its_slot(store: StoreConfig, running: Callable[[str], int], query: str) -> None:
    """While the engine computes, and in the middle of a stream."""
    with clickhouse_server(store, concurrent_queries_max=1, waiting_queries_max=0) as url:
        with contextlib.closing(send(url, query)) as connection:
            until(lambda: running("22 = 22") == 1)
            if query.startswith(ENDLESS_STREAM):
                assert connection.recv(1_000)
        until(lambda: running("22 = 22") == 0)
        until(lambda: post(url, content="SELECT 1").text == "1\n")


def test_a_client_that_leaves_the_queue_is_forgotten(store: StoreConfig, running: Callable[[str], int]) -> None:
    """Its query never runs."""
    with clickhouse_server(store, concurrent_queries_max=1, waiting_queries_max=1) as url:
        with contextlib.closing(send(url, f"{ENDLESS} AND 33 = 33")):
            until(lambda: running("33 = 33") == 1)
            send(url, f"{ENDLESS} AND 44 = 44").close()
        until(lambda: post(url, content="SELECT 1", timeout=60).text == "1\n")
        assert running("44 = 44") == 0


def test_a_client_that_stops_reading_is_left(store: StoreConfig, running: Callable[[str], int]) -> None:
    """Nobody holds a slot by not reading."""
    with (
        clickhouse_server(store, concurrent_queries_max=1, waiting_queries_max=0, send_timeout_s=1.0) as url,
        contextlib.closing(send(url, f"{ENDLESS_STREAM} WHERE 66 = 66")) as stalled,
    ):
        until(lambda: running("66 = 66") == 1)
        until(lambda: post(url, content="SELECT 1").text == "1\n")
        while stalled.recv(MIB):
            pass


def test_a_client_that_does_not_finish_its_request(store: StoreConfig) -> None:
    """Error 209 after the time it has."""
    with clickhouse_server(store, read_timeout_s=1.0) as url, send(url, "SELECT", announced=10) as connection:
        assert b"X-ClickHouse-Exception-Code: 209" in connection.recv(10_000)


def test_bodies_that_arrive_are_counted(store: StoreConfig) -> None:
    """Each may be megabytes: as many as may run and wait, the next is refused, and one that leaves makes room."""
    with (
        clickhouse_server(store, concurrent_queries_max=1, waiting_queries_max=1) as url,
        contextlib.ExitStack() as stack,
    ):
        slow = [stack.enter_context(send(url, "SELECT", announced=10)) for _ in range(2)]
        until(lambda: code(post(url, content="SELECT 1")) == (500, "202"))
        slow[0].close()
        until(lambda: post(url, content="SELECT 1").text == "1\n")
        slow[1].sendall(b" 77;")
        assert slow[1].recv(10_000).startswith(b"HTTP/1.1 200 ")


def test_stopping_ends_what_runs(store: StoreConfig, running: Callable[[str], int]) -> None:
    """The interface lets go of the engine, whatever goes on."""

    def drain(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while connection.recv(MIB):
                pass

    with ThreadPoolExecutor(2) as pool:
        with clickhouse_server(store) as url:
            for query in (f"{ENDLESS} AND 77 = 77", f"{ENDLESS_STREAM} WHERE 77 = 77"):
                pool.submit(drain, send(url, query))
            until(lambda: running("77 = 77") == 2)
        assert running("77 = 77") == 0


def test_a_large_stream_takes_little_memory(store: StoreConfig) -> None:
    """1 GB through a process that must not grow by a fifth of it."""
    process = psutil.Process()
    with clickhouse_server(store) as url:
        post(url, content="SELECT number, repeat('x', 100) FROM numbers(100000)", timeout=60)
        before = process.memory_info().rss
        size = peak = 0
        query = "SELECT repeat('x', 2000) FROM numbers(500000) SETTINGS max_block_size = 8192 FORMAT RowBinary"
        with httpx.stream("POST", url, content=query, timeout=60, headers=PLAIN) as response:
            for chunk in response.iter_raw():
                size += len(chunk)
                peak = max(peak, process.memory_info().rss)
    assert size == 2_002 * 500_000
    assert peak - before < 200 * MIB


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("clickhouse-http")])
