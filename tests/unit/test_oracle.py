"""The oracle against hand-computed numbers, and against what 23 instrumentations are known to send.

Times in the examples are seconds after `T0`; costs in rows are nano-dollars.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processor.model import SESSION_ROLLUPS, SESSION_SPANS, SESSION_TRACES, TRACE_SESSIONS
from tests.oracle import Expected, Row, expected, narrow_rows, values
from tests.oracle.binding import bind
from tests.oracle.counting import count
from tests.oracle.sessions import union_length
from tests.strategies import BOUNDARIES, NOW_NS, REJECTED, any_value, delivered, deliveries, requests_of, span_sets

SECOND_NS = 10**9
T0 = NOW_NS - 3600 * SECOND_NS

LLM = {"gen_ai.operation.name": "chat"}
AGENT = {"gen_ai.operation.name": "invoke_agent"}
TOOL = {"gen_ai.operation.name": "execute_tool"}
FAILED = {"error.type": "timeout"}

DERIVED, RESOURCE, WEAK, STRONG = 1, 2, 3, 4


NO_DESCRIPTION = dict.fromkeys(("environment", "end_state", "end_reason", "input_preview", "output_preview"), "")
NO_DETAILS = dict.fromkeys(("ttft_ns", "ttft_count", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"), 0)


def tokens(input_tokens: int, output_tokens: int) -> dict[str, int]:
    return {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}


def a_span(
    span_id: int,
    attributes: dict[str, Any] | None = None,
    *,
    parent: int = 0,
    start: float = 0,
    end: float = 1,
    trace: int = 1,
    name: str = "",
    status: int = 0,
    events: Sequence[str] = (),
) -> Span:
    """Parent 0 is eight zero bytes, which means none."""
    span = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=span_id.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big"),
        name=name,
        start_time_unix_nano=T0 + int(start * SECOND_NS),
        end_time_unix_nano=T0 + int(end * SECOND_NS),
        attributes=pairs(attributes or {}),
        events=[Span.Event(name=event) for event in events],
    )
    span.status.code = status
    return span


def pairs(values: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def a_request(*spans: Span, resource: dict[str, Any] | None = None, scope: str = "") -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(pairs(resource or {}))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = scope
    scope_spans.spans.extend(spans)
    return request


def rows_of(*spans: Span, resource: dict[str, Any] | None = None) -> Expected:
    return expected([("acme", a_request(*spans, resource=resource))], NOW_NS)


def the_session(result: Expected, session_id: str) -> Row:
    return result.session_rollups["acme", session_id]


def narrow(values: dict[str, Any], **fields: Any) -> Row:
    """The narrow row of one span with these attributes."""
    [row] = narrow_rows([("acme", a_request(a_span(1, values, **fields)))], NOW_NS)
    return row


def hex_trace(number: int) -> str:
    return f"{number:032x}"


# --- Rows as a whole ---


def test_every_column_of_a_whole_session() -> None:
    """A root with the session id, an agent call below it, a tool, and a second trace: every column by hand."""
    first = a_request(
        a_span(1, {"session.id": "s", "user.id": "ann", "agentmark.trace_name": "ask"}, end=10, name="turn", status=1),
        a_span(
            2,
            {
                **LLM,
                **tokens(100, 20),
                "gen_ai.usage.cost": 0.0021,
                "gen_ai.response.model": "gpt-5",
                "gen_ai.provider.name": "openai",
            },
            parent=1,
            start=1,
            end=4,
        ),
        a_span(3, {**TOOL, **FAILED}, parent=1, start=4, end=6),
        resource={"service.name": "api"},
    )
    second = a_request(
        a_span(
            1,
            {
                **LLM,
                **tokens(7, 3),
                "session.id": "s",
                "gen_ai.conversation.id": "c",
                "agentmark.session_name": "Support",
                "gen_ai.request.model": "claude",
            },
            trace=2,
            start=8,
            end=15,
            name="again",
            status=2,
        ),
        resource={"service.name": "worker"},
    )
    result = expected([("acme", first), ("acme", second)], NOW_NS)

    assert result.session_traces["acme", "s", hex_trace(1)] == {
        "tenant": "acme",
        "session_id": "s",
        "trace_id": hex_trace(1),
        "source": 0,
        "turn_id": "",
        "name": "turn",
        "status_code": 1,
        "session_name": "ask",
        "session_name_rank": 15,
        "user_id": "ann",
        "thread_id": "",
        **NO_DESCRIPTION,
        "metadata": "",
        "start_ns": T0,
        "end_ns": T0 + 10 * SECOND_NS,
        "llm_ns": 3 * SECOND_NS,
        "span_count": 3,
        "error_count": 1,
        "llm_call_count": 1,
        "tool_call_count": 1,
        "input_tokens": 100,
        "output_tokens": 20,
        "total_tokens": 120,
        **NO_DETAILS,
        "cost_nano_usd": 2_100_000,
        "input_cost_nano_usd": 1_750_000,  # 100 of 120 tokens
        "output_cost_nano_usd": 350_000,
        "unpriced_span_count": 0,
        "models": ["gpt-5"],
        "providers": ["openai"],
        "services": ["api"],
        "tags": [],
        "usage.model": ["", "gpt-5"],
        "usage.provider": ["", "openai"],
        "usage.service": ["api", "api"],
        "usage.call_count": [0, 1],
        "usage.error_count": [1, 0],
        "usage.input_tokens": [0, 100],
        "usage.output_tokens": [0, 20],
        "usage.total_tokens": [0, 120],
        "usage.cache_read_tokens": [0, 0],
        "usage.cache_write_tokens": [0, 0],
        "usage.reasoning_tokens": [0, 0],
        "usage.cost_nano_usd": [0, 2_100_000],
        "usage.input_cost_nano_usd": [0, 1_750_000],
        "usage.output_cost_nano_usd": [0, 350_000],
        "usage.unpriced_count": [0, 0],
    }
    assert result.trace_sessions["acme", hex_trace(1)] == {
        "tenant": "acme",
        "trace_id": hex_trace(1),
        "session_ids": ["s"],
        "span_count": 3,
        "unbound_span_count": 0,
        "end_ns": 1799996410000000000,
    }
    assert result.session_rollups == {
        ("acme", "s"): {
            "tenant": "acme",
            "session_id": "s",
            "row_count": 2,
            "name": "Support",
            "user_id": "ann",
            "thread_id": "c",
            **NO_DESCRIPTION,
            "end_state": "error",  # the status of the trace that ends last
            "metadata": "",
            "trace_count": 2,
            "active_ns": 15 * SECOND_NS,
            "start_ns": T0,
            "end_ns": T0 + 15 * SECOND_NS,
            "llm_ns": 10 * SECOND_NS,
            "span_count": 4,
            "error_count": 2,
            "llm_call_count": 2,
            "tool_call_count": 1,
            "input_tokens": 107,
            "output_tokens": 23,
            "total_tokens": 130,
            **NO_DETAILS,
            "cost_nano_usd": 2_100_000,
            "input_cost_nano_usd": 1_750_000,
            "output_cost_nano_usd": 350_000,
            "unpriced_span_count": 1,
            "models": ["claude", "gpt-5"],
            "providers": ["openai"],
            "services": ["api", "worker"],
            "tags": [],
        }
    }


def test_rows_have_the_columns_of_the_tables() -> None:
    """Every column of the model is there, except the version."""
    request = a_request(a_span(1, {"session.id": "s"}))
    result = expected([("acme", request.SerializeToString())], NOW_NS)

    def columns(schema: Any) -> set[str]:
        return set(schema.names()) - {"version"}

    assert set(narrow_rows([("acme", request)], NOW_NS)[0]) == columns(SESSION_SPANS)
    assert set(the_session(result, "s")) == columns(SESSION_ROLLUPS)
    assert set(result.session_traces["acme", "s", hex_trace(1)]) == columns(SESSION_TRACES)
    assert set(result.trace_sessions["acme", hex_trace(1)]) == columns(TRACE_SESSIONS)


# --- Binding ---


def sessions_of(*spans: Span, resource: dict[str, Any] | None = None) -> dict[int, str]:
    """Span number to session id."""
    rows = narrow_rows([("acme", a_request(*spans, resource=resource))], NOW_NS)
    return {int(span_id, 16): session_id for span_id, session_id in bind(rows).items()}


def test_a_session_id_on_the_root_gives_the_session_all_of_the_trace() -> None:
    """The children's tokens are the session's."""
    result = rows_of(a_span(1, {"session.id": "s"}), a_span(2, {**LLM, **tokens(5, 2)}, parent=1))
    assert the_session(result, "s")["total_tokens"] == 7
    assert the_session(result, "s")["span_count"] == 2


def test_a_late_session_id_on_an_inner_span_claims_the_trace() -> None:
    """The id may come last, alone, in a request of its own."""
    early = a_request(a_span(1), a_span(2, {**LLM, **tokens(5, 2)}, parent=1))
    late = a_request(a_span(3, {"session.id": "s"}, parent=2, start=50, end=51))
    result = expected([("acme", early), ("acme", late)], NOW_NS)
    assert the_session(result, "s")["span_count"] == 3
    assert the_session(result, "s")["total_tokens"] == 7
    assert result == expected([("acme", late), ("acme", early)], NOW_NS)


def test_a_weak_id_never_splits_off_from_a_strong_one() -> None:
    """A conversation inside of the session is its thread."""
    result = rows_of(a_span(1, {"session.id": "s"}), a_span(2, {"gen_ai.conversation.id": "c"}, parent=1))
    assert list(result.session_rollups) == [("acme", "s")]
    assert the_session(result, "s")["thread_id"] == "c"


def test_a_weak_id_is_the_session_where_nothing_better_exists() -> None:
    """And then it names both, session and thread."""
    result = rows_of(a_span(1), a_span(2, {"gen_ai.conversation.id": "c"}, parent=1))
    assert the_session(result, "c")["span_count"] == 2
    assert the_session(result, "c")["thread_id"] == "c"


def test_the_resource_is_the_lowest_source() -> None:
    """One weak id beats the resource's; without any the resource's holds."""
    weak = a_span(1, {"gen_ai.conversation.id": "c"})
    assert sessions_of(weak, a_span(2), resource={"session.id": "r"}) == {1: "c", 2: "c"}
    assert sessions_of(a_span(1), a_span(2), resource={"session.id": "r"}) == {1: "r", 2: "r"}


def test_two_sessions_in_one_trace_keep_their_own_spans() -> None:
    """A span with an id keeps it, the others follow the root."""
    spans = [
        a_span(1, {"session.id": "a"}),
        a_span(2, {"session.id": "b", **LLM, **tokens(10, 0)}, parent=1, start=2, end=3),
        a_span(3, {**LLM, **tokens(1, 0)}, parent=2, start=4, end=5),
    ]
    assert sessions_of(*spans) == {1: "a", 2: "b", 3: "a"}
    result = rows_of(*spans)
    assert result.trace_sessions["acme", hex_trace(1)]["session_ids"] == ["a", "b"]
    assert result.session_traces["acme", "b", hex_trace(1)]["start_ns"] == T0 + 2 * SECOND_NS
    # Span 3 covers span 2 although they lie in two sessions.
    assert the_session(result, "a")["total_tokens"] == 1
    assert the_session(result, "b")["total_tokens"] == 0
    assert the_session(result, "b")["span_count"] == 1


def test_without_an_id_on_the_root_the_earliest_span_decides() -> None:
    """By start, then by the smallest span id."""
    later = a_span(2, {"session.id": "later"}, parent=1, start=2, end=3)
    assert sessions_of(a_span(1), later, a_span(3, {"session.id": "first"}, parent=1, start=1))[1] == "first"
    assert sessions_of(a_span(4), a_span(3, {"session.id": "tie"}, start=2, end=3, parent=4), later)[4] == "later"


def test_an_id_on_the_root_beats_an_earlier_one_below_it() -> None:
    """Clocks differ between hosts: the root may start last."""
    root = a_span(1, {"session.id": "root"}, start=5, end=6)
    below = a_span(2, {"session.id": "below"}, parent=1)
    assert sessions_of(below, root, a_span(3, parent=2)) == {1: "root", 2: "below", 3: "root"}


def test_a_span_whose_parent_never_came_is_a_root() -> None:
    """Of several roots the earliest names the trace and binds it."""
    spans = [
        a_span(1, {"session.id": "late-root"}, start=5, end=6, name="late"),
        a_span(2, {"session.id": "orphan"}, parent=99, start=1, name="orphan"),
        a_span(3, parent=1),
    ]
    assert sessions_of(*spans)[3] == "orphan"
    assert rows_of(*spans).session_traces["acme", "late-root", hex_trace(1)]["name"] == "orphan"


def test_spans_in_a_cycle_have_no_parents() -> None:
    """The earliest of them is the root. A span that is its own parent is a cycle too."""
    spans = [a_span(1, {"session.id": "a"}, parent=2, name="x", status=2), a_span(2, {"session.id": "b"}, parent=1)]
    assert sessions_of(*spans, a_span(3, parent=3)) == {1: "a", 2: "b", 3: "a"}
    row = rows_of(*spans).session_traces["acme", "a", hex_trace(1)]
    assert (row["name"], row["status_code"]) == ("x", 2)


def test_spans_without_a_session_are_kept_and_countable() -> None:
    """A trace that no session claims is listed with its unbound spans."""
    result = rows_of(a_span(1, LLM), a_span(2, parent=1))
    assert result.session_rollups == {}
    assert result.trace_sessions["acme", hex_trace(1)]["unbound_span_count"] == 2


def test_one_session_id_in_two_tenants_is_two_sessions() -> None:
    """Also where trace and span ids are the same."""
    request = a_request(a_span(1, {"session.id": "s", **LLM, **tokens(1, 1)}))
    result = expected([("acme", request), ("globex", request)], NOW_NS)
    assert [row["span_count"] for row in result.session_rollups.values()] == [1, 1]


@pytest.mark.parametrize(
    ("values", "session_id", "strength"),
    [
        ({"gen_ai.conversation.id": "weak", "session.id": "strong"}, "strong", STRONG),
        ({"session.id": "later", "agentmark.session_id": "earlier"}, "earlier", STRONG),
        ({"agentmark.session_id": " ", "session.id": "s"}, "s", STRONG),
        ({"session.id": "[Scrubbed due to 'session']", "gen_ai.conversation.id": "c"}, "c", WEAK),
        ({"session.id": 7}, "7", STRONG),
        ({"session_id": "bare"}, "bare", STRONG),
        ({"session_id": 7, "sessionId": True}, "", 0),
        ({"thread_id": "thread-1"}, "thread-1", WEAK),
        ({"thread_id": "140735"}, "", 0),
        ({"thread_id": '"140735"'}, "", 0),
        ({"thread_id": 140735}, "", 0),
        ({"metadata": '{"session_id": null, "thread_id": 7}'}, "7", WEAK),
        ({"metadata": {"session_id": "in a map"}}, "in a map", WEAK),
        ({"metadata": '{"session_id": {"id": 1}}'}, "", 0),
        ({"metadata": '{"session_id": "cut o'}, "", 0),
        ({"@agentuity/threadId": "t"}, "sess_" + "0" * 31 + "1", DERIVED),
        ({"agentops.span.kind": "agent"}, "0" * 31 + "1", DERIVED),
        ({"agentops.span.kind": "agent", "group_id": "g"}, "g", WEAK),
        ({"langsmith.trace.session_id": "project", "mcp.session.id": "m"}, "", 0),
    ],
)
def test_own_session_id(values: dict[str, Any], session_id: str, strength: int) -> None:
    """The first usable key of the list, strong before weak; bare words only as strings."""
    row = narrow(values)
    assert (row["session_id"], row["session_strength"]) == (session_id, strength)


# --- The set of spans ---


def test_a_resend_changes_nothing() -> None:
    """Identical spans are one."""
    span = a_span(1, {"session.id": "s", **LLM, **tokens(5, 2)})
    assert rows_of(span, span, span) == rows_of(span)


def test_of_two_variants_the_one_that_ends_last_counts() -> None:
    """The loser takes part in nothing, its session id binds nothing."""
    loser = a_span(1, {"session.id": "lost", **LLM, **tokens(500, 0)}, end=1)
    winner = a_span(1, {"session.id": "kept", **LLM, **tokens(5, 0)}, end=2)
    result = rows_of(winner, loser, a_span(2, parent=1))
    assert list(result.session_rollups) == [("acme", "kept")]
    assert the_session(result, "kept")["input_tokens"] == 5
    assert the_session(result, "kept")["span_count"] == 2
    assert result == rows_of(loser, winner, a_span(2, parent=1))


def test_variants_that_end_together_are_told_apart_by_their_columns() -> None:
    """Largest tuple in the order of the model: name comes before session id and tokens."""
    first = a_span(1, {"session.id": "z", **LLM, **tokens(9, 9)}, name="a")
    second = a_span(1, {"session.id": "a", **LLM, **tokens(1, 1)}, name="b")
    assert list(rows_of(first, second).session_rollups) == [("acme", "a")]
    assert rows_of(first, second) == rows_of(second, first)


@pytest.mark.parametrize("key_value", [("logfire.span_type", "pending_span"), ("lmnr.internal.metadata_only", True)])
def test_placeholders_take_no_part(key_value: tuple[str, Any]) -> None:
    """Neither as spans nor as parents: the child below one is a root."""
    placeholder = a_span(1, dict([key_value, ("session.id", "s")]), name="placeholder")
    result = rows_of(placeholder, a_span(2, parent=1))
    assert result.session_rollups == {}
    assert result.trace_sessions["acme", hex_trace(1)]["span_count"] == 1


@pytest.mark.parametrize("spoil", REJECTED)
def test_rejected_spans_take_no_part(spoil: Any) -> None:
    """Malformed ids and absurd times: as if the span had never been sent."""
    good, bad = a_span(1, {"session.id": "s"}), a_span(2, {"session.id": "other"}, parent=1)
    spoil(bad)
    assert rows_of(good, bad) == rows_of(good)


@pytest.mark.parametrize("move", BOUNDARIES)
def test_times_on_the_boundary_are_accepted(move: Any) -> None:
    """400 days back and one day ahead belong to the range."""
    span = a_span(1, {"session.id": "s"})
    move(span)
    assert the_session(rows_of(span), "s")["span_count"] == 1


# --- What counts ---


def test_a_wrapper_is_covered_by_the_model_call_below_it() -> None:
    """Tokens and cost count once, on the leaf; what the wrapper states counts nowhere."""
    result = rows_of(
        a_span(1, {"session.id": "s", **AGENT, **tokens(394, 50), "gen_ai.usage.cost": 9}),
        a_span(2, {"openinference.span.kind": "CHAIN"}, parent=1),
        a_span(3, {**LLM, **tokens(154, 18), "gen_ai.usage.cost": "0.5"}, parent=2),
        a_span(4, {**LLM, **tokens(240, 32)}, parent=2),
    )
    row = the_session(result, "s")
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (394, 50, 444)
    assert row["cost_nano_usd"] == 500_000_000
    assert row["unpriced_span_count"] == 1
    assert row["llm_call_count"] == 2


def test_a_wrapper_without_usage_below_it_counts() -> None:
    """An agent span may be the only place where usage is stated; it is no model call."""
    row = the_session(rows_of(a_span(1, {"session.id": "s", **AGENT, **tokens(9, 1)}), a_span(2, LLM, parent=1)), "s")
    assert row["total_tokens"] == 10
    assert row["llm_call_count"] == 1
    assert row["unpriced_span_count"] == 1


def test_two_spans_of_one_model_call_count_once() -> None:
    """Two instrumentations of one call: the inner one counts, for usage, as a call, and in the duration."""
    row = the_session(
        rows_of(
            a_span(1, {"session.id": "s", **LLM, **tokens(11, 5)}, end=10),
            a_span(2, {**LLM, **tokens(11, 5)}, parent=1, start=1, end=4),
        ),
        "s",
    )
    assert row["total_tokens"] == 16
    assert row["llm_call_count"] == 1
    assert row["llm_ns"] == 3 * SECOND_NS


@pytest.mark.parametrize("between", [TOOL, AGENT])
def test_a_model_call_below_a_tool_or_agent_is_another_call(between: dict[str, Any]) -> None:
    """A tool that calls a model itself: both calls count."""
    row = the_session(
        rows_of(
            a_span(1, {"session.id": "s", **LLM, **tokens(10, 1)}),
            a_span(2, between, parent=1),
            a_span(3, {**LLM, **tokens(20, 2)}, parent=2),
        ),
        "s",
    )
    assert row["total_tokens"] == 33
    assert row["llm_call_count"] == 2


def test_an_agent_below_a_model_call_is_another_piece_of_work() -> None:
    """The call above it is not covered by what the agent reports."""
    spans = [a_span(1, {"session.id": "s", **LLM, **tokens(10, 1)}), a_span(2, {**AGENT, **tokens(20, 2)}, parent=1)]
    assert the_session(rows_of(*spans), "s")["total_tokens"] == 33


@pytest.mark.parametrize("between", [TOOL, AGENT])
def test_an_agent_is_covered_through_tools_and_agents(between: dict[str, Any]) -> None:
    """Its numbers are an aggregate of everything below."""
    spans = [
        a_span(1, {"session.id": "s", **AGENT, **tokens(22, 0)}),
        a_span(2, between, parent=1),
        a_span(3, {**LLM, **tokens(20, 2)}, parent=2),
    ]
    assert the_session(rows_of(*spans), "s")["input_tokens"] == 20


def test_usage_on_a_tool_counts_nowhere() -> None:
    """Tool and retrieval spans repeat what a call below or beside them reports."""
    row = the_session(rows_of(a_span(1, {"session.id": "s", **TOOL, **tokens(10, 1), "gen_ai.usage.cost": 1})), "s")
    assert (row["total_tokens"], row["cost_nano_usd"], row["unpriced_span_count"]) == (0, 0, 0)
    assert row["tool_call_count"] == 1


def test_a_failed_call_without_usage_is_no_call() -> None:
    """One that failed after it had used tokens is."""
    row = the_session(
        rows_of(
            a_span(1, {"session.id": "s"}),
            a_span(2, {**LLM, **FAILED}, parent=1, end=100),
            a_span(3, {**LLM, **FAILED, **tokens(3, 0), "gen_ai.response.model": "m"}, parent=1, end=7),
        ),
        "s",
    )
    assert row["llm_call_count"] == 1
    assert row["llm_ns"] == 7 * SECOND_NS
    assert row["error_count"] == 2


def test_models_come_from_what_counts() -> None:
    """Not from a covered wrapper, nor from an agent that only passes a model on."""
    row = the_session(
        rows_of(
            a_span(1, {"session.id": "s", **AGENT, **tokens(3, 0), "gen_ai.request.model": "alias"}),
            a_span(2, {**LLM, **tokens(3, 0), "gen_ai.response.model": "real", "gen_ai.system": "x"}, parent=1),
            a_span(3, {**LLM, "gen_ai.response.model": "no-usage"}, parent=1),
        ),
        "s",
    )
    assert row["models"] == ["no-usage", "real"]
    assert row["providers"] == ["x"]


def test_an_error_that_parents_pass_on_counts_once() -> None:
    """Only the innermost error of each branch counts, through spans that did not fail."""
    row = the_session(
        rows_of(
            a_span(1, {"session.id": "s"}, status=2),
            a_span(2, parent=1),
            a_span(3, parent=2, status=2),
            a_span(4, FAILED, parent=1),
        ),
        "s",
    )
    assert row["error_count"] == 2


@pytest.mark.parametrize(
    ("values", "fields", "is_error"),
    [
        ({}, {"status": 2}, True),
        ({}, {"status": 1}, False),
        ({"error.type": "timeout"}, {}, True),
        ({"error.type": ""}, {}, False),
        ({"langfuse.observation.level": "error"}, {}, True),
        ({"langfuse.observation.level": "WARNING"}, {}, False),
        ({}, {"events": ["gen_ai.choice", "exception"]}, True),
        ({"span.type": "llm_request", "success": False}, {}, True),
        ({"success": "false"}, {"name": "claude_code.llm_request"}, True),
        ({"span.type": "llm_request", "success": True}, {}, False),
        ({"success": False}, {}, False),
    ],
)
def test_errors_by_each_way(values: dict[str, Any], fields: dict[str, Any], is_error: bool) -> None:
    """The five ways to say error, and their near misses."""
    assert narrow(values, **fields)["is_error"] is is_error


def test_in_a_cycle_nothing_covers_anything() -> None:
    """Two spans that are each other's parent both count; a span below them is still below."""
    spans = [
        a_span(1, {"session.id": "s", **LLM, **tokens(1, 1)}, parent=2),
        a_span(2, {**LLM, **tokens(1, 1)}, parent=1),
        a_span(3, {**LLM, **tokens(5, 5)}, parent=1),
    ]
    row = the_session(rows_of(*spans), "s")
    assert (row["total_tokens"], row["llm_call_count"]) == (12, 2)


def test_a_span_that_is_its_own_parent_covers_nothing() -> None:
    """No span is its own descendant."""
    assert (
        the_session(rows_of(a_span(1, {"session.id": "s", **LLM, **tokens(1, 1)}, parent=1)), "s")["total_tokens"] == 2
    )


# --- Times ---


def test_active_time_is_the_union_of_the_traces() -> None:
    """Overlap counts once, gaps not at all: [0, 10], [5, 12], [6, 7], [20, 23] are active for 15 s."""
    session = {"session.id": "s"}
    row = the_session(
        rows_of(
            a_span(1, session, trace=1, start=0, end=10),
            a_span(1, session, trace=2, start=5, end=12),
            a_span(1, session, trace=3, start=6, end=7),
            a_span(1, session, trace=4, start=20, end=23),
        ),
        "s",
    )
    assert row["active_ns"] == 15 * SECOND_NS
    assert row["end_ns"] - row["start_ns"] == 23 * SECOND_NS
    assert row["trace_count"] == 4


@pytest.mark.parametrize(
    ("intervals", "length"),
    [
        ([], 0),
        ([(5, 5)], 0),
        ([(0, 10), (10, 20)], 20),
        ([(0, 10), (2, 3), (4, 20)], 20),
        ([(4, 20), (2, 3), (0, 1)], 18),
        ([(0, 10), (0, 10)], 10),
    ],
)
def test_union_length(intervals: list[tuple[int, int]], length: int) -> None:
    """Touching, nested, unsorted and equal intervals."""
    assert union_length(intervals) == length


@pytest.mark.parametrize("end", [-3, 0])
def test_a_span_that_ends_before_it_starts_has_no_length(end: float) -> None:
    """It still counts; an end of 0 is the same case."""
    span = a_span(1, {"session.id": "s", **LLM}, start=5, end=end)
    if end == 0:
        span.end_time_unix_nano = 0
    row = the_session(rows_of(span), "s")
    assert row["start_ns"] == row["end_ns"] == T0 + 5 * SECOND_NS
    assert (row["llm_ns"], row["active_ns"], row["llm_call_count"]) == (0, 0, 1)


# --- Names ---


def test_the_best_ranked_name_wins_over_an_earlier_one() -> None:
    """A real session name beats a fallback; within one rank the earliest span, then trace."""
    result = rows_of(
        a_span(1, {"session.id": "s", "agentmark.prompt_name": "fallback"}),
        a_span(2, {"agentmark.session_name": "later"}, parent=1, start=2, end=3),
        a_span(3, {"agentmark.session_name": "first"}, parent=1, start=1),
        a_span(1, {"session.id": "s", "agentmark.session_name": "another trace"}, trace=2, start=9, end=10),
    )
    row = result.session_traces["acme", "s", hex_trace(1)]
    assert (row["session_name"], row["session_name_rank"]) == ("first", 0)
    assert the_session(result, "s")["name"] == "first"


def test_user_and_thread_are_of_the_earliest_span_that_has_one() -> None:
    """Within a trace by span, within a session by trace."""
    result = rows_of(
        a_span(2, {"session.id": "s", "user.id": "second", "thread_id": "42"}, trace=2, start=5, end=6),
        a_span(3, {"user.id": "first"}, trace=2, parent=2, start=4, end=5),
        a_span(1, {"session.id": "s", "wandb.thread_id": "t", "user.id": "first of all"}, trace=3),
        a_span(1, {"session.id": "s"}, trace=4),
    )
    assert result.session_traces["acme", "s", hex_trace(2)]["user_id"] == "first"
    assert the_session(result, "s")["user_id"] == "first of all"
    assert the_session(result, "s")["thread_id"] == "t"


# --- Values ---


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a ", "a"),
        ('"a"', "a"),
        ('""a""', '""a""'),
        ('"', '"'),
        ('"\\ud800"', '"\\ud800"'),
        ('"null"', None),
        ("", None),
        ("nan", None),
        ("None", None),
        ("undefined", None),
        ("NULL", "NULL"),
        (math.nan, None),
        (1.5, "1.5"),
        (7, "7"),
        (True, "true"),
        (None, None),
    ],
)
def test_to_string(value: Any, text: str | None) -> None:
    """Strip, unquote once, reject the words that mean nothing."""
    assert values.to_string(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (7.0, 7),
        ("7", 7),
        ('"7"', 7),
        ("007", 7),
        (0, 0),
        (2**53, 2**53),
        (2**53 + 1, None),
        ("9" * 5000, None),
        (-1, None),
        (1.5, None),
        (True, None),
        (math.nan, None),
        (math.inf, None),
        ("7.0", 7),
        ("7.5", None),
        ("\u0667", None),
        (None, None),
    ],
)
def test_to_tokens(value: Any, number: int | None) -> None:
    """Whole, not negative, exact in a double."""
    assert values.to_tokens(value) == number


@pytest.mark.parametrize(
    ("value", "nano_usd"),
    [
        (0.0021, 2_100_000),
        ("0.00118", 1_180_000),
        (2, 2_000_000_000),
        (2.5e-9, 2),
        (3.5e-9, 4),
        (5e-10, 0),
        ("1e-05", 10_000),
        (-0.0, 0),
        (9e9, 9 * 10**18),
        (9.1e9, None),
        (-1e-12, None),
        (math.nan, None),
        ("inf", None),
        (True, None),
        ("free", None),
    ],
)
def test_to_nano_usd(value: Any, nano_usd: int | None) -> None:
    """Half to even on the decimal digits as written."""
    assert values.to_nano_usd(value) == nano_usd


@pytest.mark.parametrize(
    ("values", "columns"),
    [
        (tokens(5, 2), (5, 2, 7)),
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.total_tokens": 99}, (5, 0, 5)),
        ({"gen_ai.usage.total_tokens": "99"}, (0, 0, 99)),
        ({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.total_tokens": 99}, (0, 0, 0)),
        ({"gen_ai.usage.input_tokens": -5, "llm.token_count.prompt": 6}, (6, 0, 6)),
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.prompt_tokens": 50}, (5, 0, 5)),
        ({"input_tokens": 5, "output_tokens": 2}, (0, 0, 0)),
        ({"genkit:output": '{"usage": {"inputTokens": 5.0, "outputTokens": "2"}}'}, (5, 2, 7)),
        ({"genkit:output": {"usage": {"inputTokens": {"intValue": "5"}}}}, (5, 0, 5)),
        ({"mlflow.chat.tokenUsage": '{"input_tokens": 5'}, (0, 0, 0)),
        ({"span.type": '"llm_request"', "input_tokens": 5, "output_tokens": "2"}, (5, 2, 7)),
    ],
)
def test_token_columns(values: dict[str, Any], columns: tuple[int, int, int]) -> None:
    """First usable value of each list; a stated total only where both are missing."""
    row = narrow(values)
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == columns


@pytest.mark.parametrize(
    ("values", "nano_usd"),
    [
        ({"operation.cost": 1, "gen_ai.usage.cost": 2}, 2 * 10**9),
        ({"operation.cost": 1, "gen_ai.usage.cost": -2}, 10**9),
        ({"operation.cost": 1, "gen_ai.usage.cost": 0}, 0),
        ({"llm.cost.prompt": 0.25, "llm.cost.completion": "0.5"}, 750_000_000),
        ({"gen_ai.usage.output_cost": 0.25, "llm.cost.prompt": 1}, 250_000_000),
        ({"llm.cost.prompt": 9e9, "llm.cost.completion": 1}, 0),
    ],
)
def test_stated_cost(values: dict[str, Any], nano_usd: int) -> None:
    """First usable cost; sums of parts come last."""
    assert narrow(values)["cost_nano_usd"] == nano_usd


@pytest.mark.parametrize(
    ("values", "provider"),
    [
        ({"gen_ai.system": "OpenAI.responses"}, "openai"),
        ({"gen_ai.system": "gcp.gemini"}, "gcp.gemini"),
        ({"gen_ai.system": "aws.bedrock"}, "aws.bedrock"),
        ({"gen_ai.system": "LangChain", "llm.provider": "groq"}, "groq"),
        ({"gen_ai.system": "microsoft.agent_framework"}, ""),
        ({"gen_ai.system": ".chat"}, ""),
    ],
)
def test_provider(values: dict[str, Any], provider: str) -> None:
    """Lower case, cut at the first dot, frameworks passed over."""
    assert narrow(values)["provider"] == provider


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, "other"),
        ({"gen_ai.operation.name": "CHAT"}, "llm"),
        ({"mlflow.spanType": '"AGENT"'}, "agent"),
        ({"langfuse.observation.type": "span", "gen_ai.operation.name": "chat"}, "llm"),
        ({"langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings"}, "retrieval"),
        ({"gen_ai.operation.name": "chat", "gen_ai.tool.name": "t"}, "llm"),
        ({"gen_ai.tool.name": "t", "gen_ai.request.model": "m"}, "tool"),
        ({"gen_ai.request.model": "m"}, "llm"),
        ({"gen_ai.tool.name": ""}, "other"),
    ],
)
def test_kind(values: dict[str, Any], kind: str) -> None:
    """The first attribute whose word is known; presence decides last."""
    assert narrow(values)["kind"] == kind


# --- What instrumentations send ---

SAMPLES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "data" / "samples.json").read_text(encoding="utf-8")
)


def sample_requests(spans: list[dict[str, Any]]) -> list[tuple[str, ExportTraceServiceRequest]]:
    """One request a span, each with its own resource, a second apart."""
    requests = []
    for index, sample in enumerate(spans):
        span = a_span(1, sample["attributes"], start=index, end=index + 1, name=sample["span_name"])
        span.trace_id = bytes.fromhex(sample["trace_id"])
        span.span_id = bytes.fromhex(sample["span_id"])
        span.parent_span_id = bytes.fromhex(sample["parent_span_id"] or "")
        span.status.code = {"UNSET": 0, "OK": 1, "ERROR": 2}[sample["status"]]
        requests.append(("acme", a_request(span, resource=sample["resource"], scope=sample["scope"] or "")))
    return requests


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples(sample: str) -> None:
    """Every expectation holds."""
    trace = narrow_rows(sample_requests(SAMPLES[sample]), NOW_NS)
    assert len(trace) == len(SAMPLES[sample])
    sessions, counted = bind(trace), count(trace)
    for spec, row in zip(SAMPLES[sample], trace, strict=True):
        own_session = row["session_id"] if row["session_strength"] > DERIVED else ""
        told = {
            **{field: value or None for field, value in row.items()},
            "session_id": own_session or None,
            "span_kind": row["kind"],
            "cost": row["cost_nano_usd"] / 10**9,
            "ttft_seconds": row["ttft_ns"] / 10**9,
            "cache_read_tokens": row["cache_read_tokens"],
            "tags": json.loads(row["tags"] or "[]"),
            "metadata": json.loads(row["metadata"] or "{}"),
            "counts_usage": row["span_id"] in counted.usage,
            "session_id_trace": sessions[row["span_id"]],
        }
        for field, value in spec["expected"].items():
            assert told[field] == value, (spec["span_name"], field)


def test_all_instrumentations_are_here() -> None:
    """None was lost on the way."""
    assert len(SAMPLES) == 23


# --- The generators ---


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_truth_does_not_depend_on_the_delivery(data: st.DataObject) -> None:
    """Any order, duplication and split of a generated set gives the oracle's same rows, and no span is lost."""
    spans = data.draw(span_sets())
    truth = expected(requests_of(spans), NOW_NS)
    assert expected(list(delivered(data.draw(deliveries(spans)))), NOW_NS) == truth

    keys = {(row["tenant"], row["trace_id"], row["span_id"]) for row in narrow_rows(requests_of(spans), NOW_NS)}
    in_sessions = sum(row["span_count"] for row in truth.session_rollups.values())
    unbound = sum(row["unbound_span_count"] for row in truth.trace_sessions.values())
    assert in_sessions + unbound == len(keys)
