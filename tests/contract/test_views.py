"""The views that people query beside `sessions`, and the settings that they read, on every store there is."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from processor.clock import now_ns
from processor.model import Source
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.worker.worker import THREAD_IDLE_AFTER_S
from tests.integration.stored import S, insert, session, trace, usage

pytestmark = pytest.mark.every_store

SMALL = {"model": "gpt-5-mini", "provider": "openai", "service": "svc"}
LARGE = {"model": "claude", "provider": "anthropic", "service": "svc"}


def rows(client: Any, config: StoreConfig, query: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """What a query that names a view behind `{db}` finds, as far as `columns` go."""
    statement = f"SELECT {', '.join(columns)} FROM ({query.replace('{db}', config.database)})"
    return [dict(zip(columns, row, strict=True)) for row in client.query(statement).result_rows]


def thread_status(client: Any, config: StoreConfig) -> dict[str, str]:
    """Status by thread."""
    found = rows(client, config, "SELECT * FROM {db}.threads WHERE tenant = 'st'", ["thread_id", "status"])
    return {row["thread_id"]: row["status"] for row in found}


def test_usage_is_the_sum_of_the_newest_rows_of_live_traces(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """Older versions, traces that moved away, other sessions and other tenants add nothing; money is exact."""
    first = usage({**SMALL, "call_count": 1, "total_tokens": 7, "cost_nano_usd": 3}, {**LARGE, "error_count": 1})
    second = usage(
        {
            **SMALL,
            "call_count": 2,
            "total_tokens": 10,
            "cost_nano_usd": 4,
            "input_cost_nano_usd": 1,
            "unpriced_count": 1,
        }
    )
    other = usage({**SMALL, "call_count": 50, "total_tokens": 50, "cost_nano_usd": 50})
    written = [
        trace("s", "t1", version=2, tenant="us", **first),
        trace("s", "t2", version=1, tenant="us", **second),
        trace("s", "t3", version=2, tenant="us", span_count=0, **other),
        trace("else", "t1", version=2, tenant="us", **other),
        trace("s", "t1", version=2, tenant="rival", **other),
    ]
    insert(client, store_config.database, "session_traces", *written)
    insert(client, store_config.database, "session_traces", trace("s", "t1", version=1, tenant="us", **other))
    columns = ["model", "provider", "service", "call_count", "error_count", "total_tokens", "total_cost", "input_cost"]
    columns.append("unpriced_count")
    query = "SELECT * FROM {db}.session_usage WHERE tenant = 'us' AND session_id = 's' ORDER BY model"
    found = rows(client, store_config, query, columns)
    nano = Decimal(1).scaleb(-9)
    assert found == [
        {**LARGE, "call_count": 0, "error_count": 1, "total_tokens": 0}
        | {"total_cost": 0 * nano, "input_cost": 0 * nano, "unpriced_count": 0},
        {**SMALL, "call_count": 3, "error_count": 0, "total_tokens": 17}
        | {"total_cost": 7 * nano, "input_cost": nano, "unpriced_count": 1},
    ]


def test_counters_are_the_last_resort_of_usage_too(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """What counters add up to counts where nothing else reports tokens or cost, as it does in the session's row."""
    counted = usage({**LARGE, "total_tokens": 9, "cost_nano_usd": 2, "unpriced_count": 1})
    said, failed = usage({**SMALL, "call_count": 1, "total_tokens": 7}), usage({**SMALL, "error_count": 1})
    stated = usage({**SMALL, "cost_nano_usd": 5})
    insert(
        client,
        store_config.database,
        "session_traces",
        *[
            trace(session_id, f"metrics:{session_id}", tenant="me", source=Source.METRIC, span_count=0, **counted)
            for session_id in ("alone", "beside calls", "beside costs", "beside failures")
        ],
        trace("beside calls", "t", tenant="me", **said),
        trace("beside costs", "t", tenant="me", source=Source.LOG, **stated),
        trace("beside failures", "t", tenant="me", **failed),
        trace("alone", "gone", tenant="me", span_count=0, **usage()),
    )
    columns = ["session_id", "model", "total_tokens", "error_count"]
    query = "SELECT * FROM {db}.session_usage WHERE tenant = 'me' ORDER BY session_id, model"
    assert [tuple(row.values()) for row in rows(client, store_config, query, columns)] == [
        ("alone", "claude", 9, 0),
        ("beside calls", "gpt-5-mini", 7, 0),
        ("beside costs", "gpt-5-mini", 0, 0),
        ("beside failures", "claude", 9, 0),
        ("beside failures", "gpt-5-mini", 0, 1),
    ]


def test_usage_of_one_session_is_read_by_the_primary_key(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """Tenant and session reach the table below the view: of many granules one or two are read."""
    insert(
        client,
        store_config.database,
        "session_traces",
        *[trace(f"k{number:05}", "t", tenant="key", **usage(SMALL)) for number in range(20_000)],
    )
    plan = client.query(
        f"EXPLAIN indexes = 1, json = 0 SELECT * FROM {store_config.database}.session_usage "
        "WHERE tenant = {tenant:String} AND session_id = {session_id:String}",
        parameters={"tenant": "key", "session_id": "k00777"},
    )
    lines = [row[0].strip(" │") for row in plan.result_rows]
    (condition,) = [line for line in lines if line.startswith("Condition:")]
    assert "k00777" in condition
    assert "key" in condition
    read, of_all = [line for line in lines if line.startswith("Granules:")][-1].split(": ")[1].split("/")
    assert int(of_all) >= 19
    assert int(read) <= 2


def test_a_thread_sums_up_the_sessions_that_name_it(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """Newest rows of live sessions; sessions without a thread are none; users and tags each once, sorted."""
    mine = {"tenant": "th", "thread_id": "t"}
    insert(
        client,
        store_config.database,
        "session_rollups",
        session("a", **mine, version=2, user_id="zoe", start_ns=5 * S, end_ns=9 * S, trace_count=2, tags=["x", "b"])
        | {"total_tokens": 10, "input_tokens": 7, "output_tokens": 3, "error_count": 1}
        | {"cost_nano_usd": 3, "input_cost_nano_usd": 1, "output_cost_nano_usd": 2},
        session("b", **mine, version=1, user_id="ada", start_ns=2 * S, end_ns=3 * S, trace_count=1, tags=["b"])
        | {"total_tokens": 5, "input_tokens": 5, "output_tokens": 0, "error_count": 0}
        | {"cost_nano_usd": 4, "input_cost_nano_usd": 4, "output_cost_nano_usd": 0},
        session("c", **mine, version=1, user_id="", start_ns=3 * S, end_ns=4 * S, trace_count=1, tags=[])
        | {"total_tokens": 0, "input_tokens": 0, "output_tokens": 0, "error_count": 0}
        | {"cost_nano_usd": 0, "input_cost_nano_usd": 0, "output_cost_nano_usd": 0},
    )
    insert(
        client,
        store_config.database,
        "session_rollups",
        session("a", **mine, total_tokens=999, user_id="old"),
        session("gone", **mine, row_count=0, total_tokens=999),
        session("alone", tenant="th", total_tokens=999),
        session("a", tenant="rival", thread_id="t", total_tokens=999),
    )
    columns = ["thread_id", "session_count", "trace_count", "user_ids", "tags", "total_tokens", "input_tokens"]
    columns += ["output_tokens", "error_count", "total_cost", "input_cost", "output_cost", "status"]
    columns += ["toUnixTimestamp(first_seen)", "toUnixTimestamp(last_seen)"]
    nano = Decimal(1).scaleb(-9)
    assert rows(client, store_config, "SELECT * FROM {db}.threads WHERE tenant = 'th'", columns) == [
        {
            "thread_id": "t",
            "session_count": 3,
            "trace_count": 4,
            "user_ids": ["ada", "zoe"],
            "tags": ["b", "x"],
            "total_tokens": 15,
            "input_tokens": 12,
            "output_tokens": 3,
            "error_count": 1,
            "total_cost": 7 * nano,
            "input_cost": 5 * nano,
            "output_cost": 2 * nano,
            "status": "idle",
            "toUnixTimestamp(first_seen)": 2,
            "toUnixTimestamp(last_seen)": 9,
        }
    ]


def test_a_thread_is_active_for_as_long_as_the_setting_says(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """An hour where nothing is set; else what is set, the last value counting."""
    now = now_ns()
    insert(
        client,
        store_config.database,
        "session_rollups",
        session("half", tenant="st", thread_id="half an hour ago", end_ns=now - 1_800 * S),
        session("two", tenant="st", thread_id="two hours ago", end_ns=now - 7_200 * S),
        session("ahead", tenant="st", thread_id="a clock that is ahead", end_ns=now + 7_200 * S),
    )
    ahead = {"a clock that is ahead": "active"}
    assert thread_status(client, store_config) == {"half an hour ago": "active", "two hours ago": "idle"} | ahead
    store.write_setting(THREAD_IDLE_AFTER_S, "60")
    assert thread_status(client, store_config) == {"half an hour ago": "idle", "two hours ago": "idle"} | ahead
    store.write_setting(THREAD_IDLE_AFTER_S, "86400")
    assert thread_status(client, store_config) == {"half an hour ago": "active", "two hours ago": "active"} | ahead


def test_a_setting_is_written_when_it_says_something_else(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """Workers that start with the same configuration write nothing; names and values may hold any character."""

    def written() -> list[tuple[str, str]]:
        query = f"SELECT name, value, written_at FROM {store_config.database}.settings FINAL WHERE name LIKE 'it%'"
        return [tuple(row) for row in client.query(query).result_rows]

    store.write_setting("it's", "a\\'b")
    first = written()
    assert [row[:2] for row in first] == [("it's", "a\\'b")]
    store.write_setting("it's", "a\\'b")
    assert written() == first
    store.write_setting("it's", "")
    assert [row[:2] for row in written()] == [("it's", "")]
