"""A model call counts once, whichever of spans, log records and counters report it, and in whatever order they come."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from processor.log.base import Record
from processor.model import NANOS_PER_SECOND
from processor.pricing.prices import Prices
from processor.signals import Signal
from processor.store.clickhouse import ClickHouseStore
from processor.worker.reprice import reprice
from tests.pipeline import Pipeline
from tests.strategies import NOW_NS, any_value

Sent = tuple[Signal, bytes]
TENANTS = (f"once-{number}" for number in itertools.count())
START_NS = NOW_NS - 60 * NANOS_PER_SECOND
TRACE_ID, CHAT, AGENT = b"\x01" * 16, b"\x02" * 8, b"\x03" * 8


def span(span_id: bytes, attributes: dict[str, Any], parent_id: bytes = b"", name: str = "chat") -> Sent:
    """A span of the one trace, in a request of its own."""
    request = ExportTraceServiceRequest()
    sent = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=TRACE_ID,
            span_id=span_id,
            parent_span_id=parent_id,
            name=name,
            start_time_unix_nano=START_NS,
            end_time_unix_nano=NOW_NS,
            attributes=_pairs(attributes),
        )
    )
    assert sent.span_id
    return Signal.TRACES, request.SerializeToString()


def log(attributes: dict[str, Any], span_id: bytes = b"") -> Sent:
    """A log record, inside of a span or without a trace."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(
        time_unix_nano=NOW_NS,
        trace_id=TRACE_ID if span_id else b"",
        span_id=span_id,
        body=any_value("claude_code.api_request") if attributes["event.name"] == "api_request" else None,
        attributes=_pairs(attributes),
    )
    return Signal.LOGS, request.SerializeToString()


def counter(name: str, amount: float, **said: str) -> Sent:
    """A delta point of a counter of Claude Code's."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name=name)
    metric.sum.aggregation_temporality = 1  # type: ignore[assignment]
    point = metric.sum.data_points.add(start_time_unix_nano=START_NS, time_unix_nano=NOW_NS, as_double=amount)
    point.attributes.extend(_pairs({"session.id": "s", "model": "claude-sonnet-4-5", **said}))
    return Signal.METRICS, request.SerializeToString()


def _pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


USAGE = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
CHAT_SPAN = span(
    CHAT,
    {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.response.id": "r1", **USAGE},
    AGENT,
)
AGENT_SPAN = span(AGENT, {"session.id": "s", "gen_ai.operation.name": "invoke_agent"}, name="turn")
GENAI_EVENT = "gen_ai.client.inference.operation.details"
GENAI = {"event.name": GENAI_EVENT, "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", **USAGE}
REQUEST_ID = "req_" + "1" * 90  # however long
CODE_LOG = {
    "event.name": "api_request",
    "session.id": "s",
    "prompt.id": "p1",
    "model": "claude-sonnet-4-5",
    "input_tokens": "90",
    "output_tokens": "10",
    "cache_read_tokens": "10",
    "cost_usd": "0.002",
    "duration_ms": "1500",
    "request_id": REQUEST_ID,
}
CODE_SPAN = span(
    CHAT,
    {
        "session.id": "s",
        "span.type": "llm_request",
        "model": "claude-sonnet-4-5",
        "input_tokens": 90,
        "output_tokens": 10,
        "cache_read_tokens": 10,
        "request_id": REQUEST_ID,
    },
    name="claude_code.llm_request",
)
TOKENS = [
    counter("claude_code.token.usage", 100, type="input"),
    counter("claude_code.token.usage", 10, type="output"),
    counter("claude_code.cost.usage", 0.002),
]

CASES: dict[str, Sequence[Sent]] = {
    "a span": [AGENT_SPAN, CHAT_SPAN],
    "a span, and a log record inside of it": [AGENT_SPAN, CHAT_SPAN, log(GENAI, CHAT)],
    "a span, and a log record beside it with its response id": [
        AGENT_SPAN,
        CHAT_SPAN,
        log({**GENAI, "gen_ai.response.id": "r1"}, AGENT),
    ],
    "a log record inside of the agent's span": [AGENT_SPAN, log({**GENAI, "gen_ai.response.id": "r1"}, AGENT)],
    "a log record without a trace": [log(CODE_LOG)],
    "a log record without a trace, and a span": [log(CODE_LOG), CODE_SPAN],
    "counters": TOKENS,
    "counters and a log record": [*TOKENS, log(CODE_LOG)],
    "all of them": [*TOKENS, log(CODE_LOG), CODE_SPAN],
}


SPAN_BEFORE = NOW_NS - 10 * NANOS_PER_SECOND
"""The span of a call starts before then, its log record is written after: a rewrite from here on sees one of both."""


def played(store: ClickHouseStore, client: Any, *orders: Sequence[Sent], ticks: bool) -> list[dict[str, Any]]:
    """The one session that comes of each; side by side, each as a tenant of its own, rolled up after every report."""
    tenants = [next(TENANTS) for _ in orders]
    pipeline = Pipeline(store)
    for reports in itertools.zip_longest(*orders):
        for signal in Signal:
            records = [
                Record(tenant, report[1])
                for tenant, report in zip(tenants, reports, strict=True)
                if report and report[0] is signal
            ]
            if records:
                pipeline.deliver_all(records, signal)
        if ticks:
            pipeline.settle()
    pipeline.settle()
    return sessions_of(client, tenants)


def sessions_of(client: Any, tenants: Sequence[str]) -> list[dict[str, Any]]:
    """The one session of each tenant."""
    rows = client.query(
        "SELECT * FROM test_calls_once.sessions WHERE tenant IN {tenants:Array(String)}", {"tenants": tenants}
    )
    sessions = {row.pop("tenant"): row for row in rows.named_results()}
    assert len(sessions) == len(rows.result_rows)
    return [sessions[tenant] for tenant in tenants]


@pytest.mark.parametrize("case", CASES)
def test_the_call_counts_once(case: str, store: ClickHouseStore, client: Any) -> None:
    """A hundred tokens in and ten out, in whatever order the reports come, each once or twice."""
    sent = CASES[case]
    (whole,) = played(store, client, sent, ticks=False)
    assert (whole["session_id"], whole["input_tokens"], whole["output_tokens"]) == ("s", 100, 10)
    assert whole["llm_call_count"] == (0 if case == "counters" else 1)
    assert whole["total_cost"] > 0
    assert whole["unpriced_span_count"] == 0
    orders = [*itertools.islice(itertools.permutations(sent), 6), [*sent, *sent[::-1]]]
    assert played(store, client, *orders, ticks=True) == [whole] * len(orders)


def test_calls_of_a_turn_are_one_trace(store: ClickHouseStore, client: Any) -> None:
    """Log records without a trace are grouped by the prompt that they answer."""
    calls = [log({**CODE_LOG, "request_id": f"req_{i}", "prompt.id": f"p{i // 2}"}) for i in range(4)]
    (session,) = played(store, client, calls, ticks=True)
    assert (session["trace_count"], session["llm_call_count"], session["input_tokens"]) == (2, 4, 400)
    assert str(session["total_cost"]) == "0.008000000"


def test_a_call_that_only_the_log_knows_counts_beside_one_that_both_know(store: ClickHouseStore, client: Any) -> None:
    """A log record is left out for its own call's span, not for any."""
    both = [log(CODE_LOG), CODE_SPAN, log({**CODE_LOG, "request_id": "req_2"})]
    for session in played(store, client, *itertools.permutations(both), ticks=True):
        assert (session["llm_call_count"], session["input_tokens"]) == (2, 200)


@pytest.mark.parametrize("rewritten_after", [1, 2])
@pytest.mark.parametrize("order", [[CODE_SPAN, log(CODE_LOG)], [log(CODE_LOG), CODE_SPAN]], ids=["span", "log record"])
def test_a_rewrite_of_the_log_record_alone_counts_nothing_twice(
    order: Sequence[Sent], rewritten_after: int, store: ClickHouseStore, client: Any
) -> None:
    """Whether the other came before or after: a later revision of one says nothing of who counts."""
    tenant = next(TENANTS)
    pipeline = Pipeline(store)
    for number, (signal, request) in enumerate(order, 1):
        pipeline.deliver(tenant, request, signal)
        pipeline.settle()
        if number == rewritten_after:
            reprice(store, Prices(), SPAN_BEFORE, lambda *_: None)
    (session,) = sessions_of(client, [tenant])
    assert (session["llm_call_count"], session["input_tokens"], session["output_tokens"]) == (1, 100, 10)
