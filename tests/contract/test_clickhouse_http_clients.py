"""clickhouse-connect over HTTP, sync and async, against the interface: all it can ask of a server that is read-only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import clickhouse_connect
import pandas as pd
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from processor.store.connection import StoreConfig
from tests.clickhouse_server import clickhouse_server
from tests.integration.stored import insert, session

SESSIONS = 100


@pytest.fixture(scope="module")
def address(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[dict[str, Any]]:
    """Host, port and database of the interface."""
    rows = [session(f"s{i}", user_id=f"u{i % 3}", total_tokens=i, models=["m", "n"]) for i in range(SESSIONS)]
    insert(chdb_client(), store_config.database, "session_rollups", *rows)
    with clickhouse_server(store_config) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        yield {"host": host, "port": int(port), "database": store_config.database}


@pytest.fixture(scope="module", params=[True, False, "zstd", "gzip"], ids=lambda compress: f"compress={compress}")
def client(address: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client as a user makes it; its session id is made up by the driver."""
    with clickhouse_connect.get_client(**address, username="me", password="x", compress=request.param) as made:
        yield made


def test_the_server_is_known(client: Any) -> None:
    """Version, ping, commands."""
    assert client.ping()
    assert client.server_version.startswith("2")
    assert client.command("SELECT 1") == 1
    assert client.command("SELECT currentDatabase()") == client.database
    assert "sessions" in client.command("SHOW TABLES").split("\n")


def test_rows_and_types(client: Any) -> None:
    """Python's own types, with their columns."""
    result = client.query("SELECT session_id, first_seen, total_tokens, models FROM sessions ORDER BY total_tokens")
    assert result.column_names == ("session_id", "first_seen", "total_tokens", "models")
    assert result.row_count == SESSIONS
    assert result.first_row[0] == "s0"
    assert isinstance(result.first_row[1], datetime)
    assert result.first_row[3] == ["m", "n"]
    assert result.summary["result_rows"] == str(SESSIONS)
    assert client.query("SELECT * FROM sessions WHERE 0").result_rows == []
    assert client.query("SELECT * FROM sessions LIMIT 0").column_names[0] == "tenant"


def test_parameters_are_bound_by_the_server_and_by_the_client(client: Any) -> None:
    """Values with everything in them that could go wrong."""
    odd = "tab\t quote' back\\slash `x` ünï {a:String} %s\n"
    assert client.query("SELECT {x:String}", parameters={"x": odd}).first_item == {client_name(client, odd): odd}
    assert client.query("SELECT %(x)s AS a", parameters={"x": odd}).result_rows == [(odd,)]
    rows = client.query(
        "SELECT count() FROM sessions WHERE session_id IN {ids:Array(String)} AND total_tokens < {n:UInt32}",
        parameters={"ids": ["s1", "s2", "s99"], "n": 50},
    ).result_rows
    assert rows == [(2,)]
    long = ["x" * 100] * 1_000
    assert client.query("SELECT length({v:Array(String)}) AS n", parameters={"v": long}).result_rows == [(1_000,)]


def client_name(client: Any, value: str) -> str:
    """The column's name, whatever the server makes of the value."""
    return str(client.query("SELECT {x:String}", parameters={"x": value}).column_names[0])


def test_frames_and_arrow(client: Any) -> None:
    """pandas, Arrow, numpy."""
    frame = client.query_df("SELECT user_id, sum(total_tokens) AS n FROM sessions GROUP BY user_id ORDER BY user_id")
    assert isinstance(frame, pd.DataFrame)
    assert frame["n"].sum() == sum(range(SESSIONS))
    table = client.query_arrow("SELECT session_id, total_tokens FROM sessions", use_strings=True)
    assert isinstance(table, pa.Table)
    assert sum(table.column("total_tokens").to_pylist()) == sum(range(SESSIONS))
    assert client.query_np("SELECT total_tokens FROM sessions").sum() == sum(range(SESSIONS))


def test_streams(client: Any) -> None:
    """Blocks as they come; left early, the client can go on."""
    query = "SELECT number, toString(number) AS text FROM numbers(500000)"
    with client.query_row_block_stream(query) as stream:
        assert sum(len(block) for block in stream) == 500_000
    with client.query_column_block_stream(query) as stream:
        assert sum(len(block[0]) for block in stream) == 500_000
    with client.query_df_stream(query) as stream:
        assert sum(len(frame) for frame in stream) == 500_000
    with client.query_arrow_stream(query) as stream:
        assert sum(batch.num_rows for batch in stream) == 500_000
    with client.query_rows_stream("SELECT number FROM numbers(10000000)") as stream:
        assert next(iter(stream)) == (0,)
    assert client.command("SELECT 2") == 2


def test_raw_answers(client: Any) -> None:
    """Bytes in any format, whole and as a stream."""
    assert client.raw_query("SELECT 1 AS a", fmt="JSONEachRow") == b'{"a":1}\n'
    assert client.raw_query("SELECT 1 AS a FORMAT CSVWithNames") == b'"a"\n1\n'
    with client.raw_stream("SELECT number FROM numbers(200000)", fmt="CSV") as stream:
        assert stream.read().count(b"\n") == 200_000


def test_settings(client: Any) -> None:
    """Those that are open, for one query and for the client."""
    query = "SELECT getSetting('max_threads')"
    assert client.query(query, settings={"max_threads": 3}).result_rows == [(3,)]
    client.set_client_setting("max_threads", 5)
    assert client.query(query).result_rows == [(5,)]
    with pytest.raises(DatabaseError) as refused:
        client.query("SELECT 1", settings={"max_memory_usage": 1 << 50})
    assert refused.value.code == 452


def test_errors_are_the_drivers_own(client: Any) -> None:
    """Code and name, before the first byte and after it."""
    with pytest.raises(DatabaseError) as unknown:
        client.query("SELECT * FROM nothing")
    assert (unknown.value.code, unknown.value.name) == (60, "UNKNOWN_TABLE")
    with pytest.raises(DatabaseError) as write:
        client.command("CREATE TABLE x (a Int8) ENGINE = Memory")
    assert write.value.code == 164
    with pytest.raises(DatabaseError) as insertion:
        client.insert("session_rollups", [["x"]], column_names=["session_id"])
    assert insertion.value.code == 164


def test_an_error_after_the_first_byte_reaches_the_driver(client: Any) -> None:
    """A stream that fails is not taken for one that has ended."""
    query = "SELECT throwIf(number = 3000000, 'too far') FROM numbers(5000000) SETTINGS max_block_size = 10000"
    with pytest.raises(StreamFailureError, match="too far"), client.query_row_block_stream(query) as stream:
        for _ in stream:
            pass
    assert client.command("SELECT 3") == 3


def test_the_async_client(address: dict[str, Any]) -> None:
    """The same over aiohttp, several at once."""

    async def use() -> None:
        client = await clickhouse_connect.get_async_client(**address, autogenerate_session_id=False)
        try:
            assert await client.ping()
            results = await asyncio.gather(*(client.query("SELECT {n:UInt8}", parameters={"n": i}) for i in range(12)))
            assert [result.result_rows[0][0] for result in results] == list(range(12))
            frame = await client.query_df("SELECT total_tokens FROM sessions")
            assert frame["total_tokens"].sum() == sum(range(SESSIONS))
            table = await client.query_arrow("SELECT total_tokens FROM sessions")
            assert table.num_rows == SESSIONS
            async with await client.query_row_block_stream("SELECT number FROM numbers(300000)") as stream:
                assert sum([len(block) async for block in stream]) == 300_000
            assert await client.raw_query("SELECT 1", fmt="CSV") == b"1\n"
            with pytest.raises(DatabaseError) as unknown:
                await client.query("SELECT * FROM nothing")
            assert unknown.value.code == 60
        finally:
            await client.close()

    asyncio.run(use())


def test_the_async_client_with_a_session(address: dict[str, Any]) -> None:
    """As it is made by default, one query after the other."""

    async def use() -> None:
        async with await clickhouse_connect.get_async_client(**address) as client:
            assert await client.command("SELECT 1") == 1
            assert await client.command("SELECT 2") == 2

    asyncio.run(use())
