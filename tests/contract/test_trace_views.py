"""The views over single traces, users and trace ids: they add up to what `sessions` says, on every store there is."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from processor.model import Source
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from tests.integration.stored import T0, S, insert, narrow_span, session, trace, usage, wide_span

pytestmark = pytest.mark.every_store

SMALL = {"model": "gpt-5-mini", "provider": "openai", "service": "svc"}
LARGE = {"model": "claude", "provider": "anthropic", "service": "svc"}
NANO = Decimal(1).scaleb(-9)


def rows(client: Any, config: StoreConfig, view: str, tenant: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Some columns of a tenant's rows of a view, sorted."""
    query = f"SELECT {', '.join(columns)} FROM {config.database}.{view} WHERE tenant = {{tenant:String}} ORDER BY ALL"
    return [tuple(row) for row in client.query(query, parameters={"tenant": tenant}).result_rows]


def explained(client: Any, query: str) -> list[str]:
    """How the engine would read, by its indexes."""
    return [row[0].strip(" │") for row in client.query(f"EXPLAIN indexes = 1, json = 0 {query}").result_rows]


def test_traces_are_the_newest_rows_of_traces_that_are_there(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """Older versions, traces that moved away and counters are no rows; a trace of two sessions has one in each."""
    insert(
        client,
        store_config.database,
        "session_traces",
        trace("s", "t1", version=2, tenant="tr", start_ns=2 * S, end_ns=5 * S, status_code=2, cost_nano_usd=7)
        | {"ttft_ns": 3_000_000, "ttft_count": 2},
        trace("other", "t1", version=2, tenant="tr", status_code=1, source=Source.LOG),
        trace("s", "t2", version=2, tenant="tr", span_count=0),
        trace("s", "metrics:s", version=2, tenant="tr", span_count=0, source=Source.METRIC, cost_nano_usd=9),
        trace("s", "t1", version=2, tenant="rival"),
    )
    insert(client, store_config.database, "session_traces", trace("s", "t1", version=1, tenant="tr", cost_nano_usd=99))
    columns = ["session_id", "trace_id", "reported_by", "status", "total_cost", "ttft_ms"]
    assert rows(client, store_config, "traces", "tr", columns) == [
        ("other", "t1", "log", "OK", 0 * NANO, None),
        ("s", "t1", "span", "ERROR", 7 * NANO, 1.5),
    ]
    times = ["duration_ms", "toUnixTimestamp(first_seen)", "toUnixTimestamp(last_seen)"]
    assert (3_000.0, 2, 5) in rows(client, store_config, "traces", "tr", times)


def test_what_a_trace_used_adds_up_to_what_its_session_used(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """Counters count where nothing else reports tokens or cost, with the time that they cover."""
    counted = usage({**LARGE, "total_tokens": 9, "cost_nano_usd": 2})
    said = usage({**SMALL, "call_count": 1, "total_tokens": 7, "cost_nano_usd": 4}, {**LARGE, "error_count": 1})
    insert(
        client,
        store_config.database,
        "session_traces",
        trace("beside", "t1", version=2, tenant="tu", start_ns=10 * S, **said),
        trace("beside", "t2", version=1, tenant="tu", start_ns=20 * S, **usage({**SMALL, "total_tokens": 5})),
        trace("beside", "gone", version=2, tenant="tu", span_count=0, **said),
        *[
            trace(name, f"metrics:{name}", tenant="tu", start_ns=30 * S, source=Source.METRIC, span_count=0, **counted)
            for name in ("beside", "alone")
        ],
        trace("alone", "failed", tenant="tu", start_ns=40 * S, **usage({**SMALL, "error_count": 1})),
    )
    insert(client, store_config.database, "session_traces", trace("beside", "t1", version=1, tenant="tu", **counted))
    columns = ["session_id", "toUnixTimestamp(first_seen)", "model", "call_count", "error_count", "total_tokens"]
    assert rows(client, store_config, "trace_usage", "tu", [*columns, "total_cost"]) == [
        ("alone", 30, "claude", 0, 0, 9, 2 * NANO),
        ("alone", 40, "gpt-5-mini", 0, 1, 0, 0 * NANO),
        ("beside", 10, "claude", 0, 1, 0, 0 * NANO),
        ("beside", 10, "gpt-5-mini", 1, 0, 7, 4 * NANO),
        ("beside", 20, "gpt-5-mini", 0, 0, 5, 0 * NANO),
    ]
    for view in ("trace_usage", "session_usage"):
        query = f"""SELECT session_id, model, provider, service, sum(call_count), sum(error_count), sum(total_tokens),
            sum(total_cost) FROM {store_config.database}.{view} WHERE tenant = 'tu' GROUP BY ALL ORDER BY ALL"""
        found = [tuple(row) for row in client.query(query).result_rows]
        assert found[-1] == ("beside", "gpt-5-mini", "openai", "svc", 1, 0, 12, 4 * NANO), view
        assert len(found) == 4, view


def test_a_user_sums_up_the_sessions_that_name_it(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """Newest rows of sessions that are there; sessions without a user are nobody's."""
    insert(
        client,
        store_config.database,
        "session_rollups",
        session("a", tenant="u", version=2, user_id="zoe", start_ns=5 * S, end_ns=9 * S, error_count=2, trace_count=3)
        | {"cost_nano_usd": 3, "total_tokens": 10, "unpriced_span_count": 1},
        session("b", tenant="u", version=2, user_id="zoe", start_ns=2 * S, end_ns=3 * S, error_count=0, trace_count=1)
        | {"cost_nano_usd": 4, "total_tokens": 5, "unpriced_span_count": 0},
    )
    insert(
        client,
        store_config.database,
        "session_rollups",
        session("a", tenant="u", version=1, user_id="ada", cost_nano_usd=99),
        session("gone", tenant="u", row_count=0, user_id="zoe", cost_nano_usd=99),
        session("nobody", tenant="u", user_id="", cost_nano_usd=99),
        session("a", tenant="rival", user_id="zoe", cost_nano_usd=99),
    )
    columns = ["user_id", "session_count", "error_session_count", "trace_count", "error_count", "total_tokens"]
    columns += ["total_cost", "unpriced_span_count", "toUnixTimestamp(first_seen)", "toUnixTimestamp(last_seen)"]
    assert rows(client, store_config, "users", "u", columns) == [("zoe", 2, 1, 4, 2, 15, 7 * NANO, 1, 2, 9)]


def test_a_trace_id_says_when_its_spans_started(store: ClickHouseStore, client: Any, store_config: StoreConfig) -> None:
    """In whole seconds, as the exporter's own table has it; a span that stands twice changes nothing."""
    narrow = [narrow_span("ab" * 16, f"{i:016x}", start_ns=T0 + i * S, end_ns=T0 + 9 * S) for i in (1, 4, 4)]
    insert(client, store_config.database, "otel_traces", *[wide_span(span) for span in narrow])
    query = f"""SELECT toUnixTimestamp(Start), toUnixTimestamp(End), toTypeName(Start)
        FROM {store_config.database}.otel_traces_trace_id_ts WHERE TraceId = '{"ab" * 16}'"""
    assert client.query(query).result_rows == [(T0 // S + 1, T0 // S + 4, "DateTime")]


def test_one_session_and_one_trace_are_found_by_an_index(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """What a query names reaches the tables below the views."""
    database = store_config.database
    insert(client, database, "session_traces", *[trace(f"k{i:05}", "t", tenant="key") for i in range(5_000)])
    for view in ("traces", "trace_usage"):
        lines = explained(client, f"SELECT * FROM {database}.{view} WHERE tenant = 'key' AND session_id = 'k00777'")
        assert any("k00777" in line and "key" in line for line in lines if line.startswith("Condition:")), view
        read, of_all = [line for line in lines if line.startswith("Granules:")][-1].split(": ")[1].split("/")
        assert int(read) < int(of_all), view
    insert(client, database, "otel_traces", wide_span(narrow_span("t", "s", tenant="key")))
    lines = explained(client, f"SELECT * FROM {database}.otel_traces_trace_id_ts WHERE TraceId = 'x'")
    assert "Name: idx_trace_id" in lines
