"""The oracle's judgement of calls that are told twice, of log records, of costs, and of what sessions show of traces.

On rows made by hand; times are nanoseconds, small.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from processor.model import SESSION_SPANS
from tests.oracle import Expected, Row, expected_of_rows

EMPTY: dict[Any, Any] = {pl.String: "", pl.Boolean: False}
LOG = 1


def a_row(span_id: str, parent: str = "", **columns: Any) -> Row:
    """A model call of session s in trace t, from 0 to 10; `tokens` are input and output."""
    empty = {name: EMPTY.get(kind, 0) for name, kind in SESSION_SPANS.items()}
    input_tokens, output_tokens = columns.pop("tokens", (0, 0))
    return {
        **empty,
        "tenant": "acme",
        "trace_id": "t",
        "span_id": span_id,
        "parent_span_id": parent,
        "kind": "llm",
        "end_ns": 10,
        "session_id": "s",
        "session_strength": 4,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        **columns,
    }


def a_root(**columns: Any) -> Row:
    return a_row("root", kind="agent", end_ns=100, **columns)


def the_trace(*rows: Row, trace_id: str = "t", **more: Any) -> Row:
    return expected_of_rows(rows, **more).session_traces["acme", "s", trace_id]


def the_session(*rows: Row) -> Row:
    return expected_of_rows(rows).session_rollups["acme", "s"]


# --- The same call twice ---


def test_one_response_counts_once() -> None:
    """The richest tells its tokens, wherever they stand in the trace; both are spans."""
    row = the_trace(
        a_root(),
        a_row("a", "root", response_id="r", tokens=(5, 1)),
        a_row("b", response_id="r", tokens=(5, 2)),
        a_row("c", "root", response_id="other", tokens=(1, 0)),
    )
    assert (row["total_tokens"], row["llm_call_count"], row["span_count"]) == (8, 2, 4)


def test_a_stated_cost_is_richer_than_more_tokens() -> None:
    """Cost, total, cache reads, cache writes, reasoning; then the earlier."""
    priced = a_row("b", "root", response_id="r", tokens=(4, 1), cost_nano_usd=7, start_ns=1)
    assert the_trace(a_root(), a_row("a", "root", response_id="r", tokens=(5, 1)), priced)["cost_nano_usd"] == 7
    alike = [a_row(name, "root", response_id="r", tokens=(5, 1), model=name, start_ns=start) for name, start in TIED]
    assert the_trace(a_root(), *alike)["models"] == ["early"]


TIED = (("late", 5), ("early", 1))


@pytest.mark.parametrize(
    ("changes", "calls"),
    [
        ({}, 1),
        ({"scope": "x"}, 2),  # one instrumentation tells of two calls
        ({"tokens": (5, 2)}, 2),
        ({"parent": ""}, 2),
        ({"parent": "missing"}, 2),
        ({"start_ns": 10, "end_ns": 12}, 1),  # they touch
        ({"start_ns": 11, "end_ns": 12}, 2),
        ({"response_id": "r2"}, 2),
        ({"kind": "embedding"}, 1),
    ],
)
def test_siblings_of_two_scopes(changes: dict[str, Any], calls: int) -> None:
    """Same parent, same tokens, other scope, at the same time: one call, unless both name their responses."""
    first = a_row("a", "root", scope="x", tokens=(5, 1), response_id="r1")
    second = a_row("b", **{"parent": "root", "scope": "y", "tokens": (5, 1), **changes})
    assert the_trace(a_root(), first, second)["total_tokens"] == (6 if calls == 1 else 6 + second["total_tokens"])


def test_the_nth_of_one_scope_goes_with_the_nth_of_the_other() -> None:
    """Two calls alike, each told by two instrumentations, are two."""
    calls = [
        a_row(f"{scope}{start}", "root", scope=scope, tokens=(5, 1), start_ns=start, end_ns=start + 5)
        for scope in ("x", "y")
        for start in (0, 20)
    ]
    row = the_trace(a_root(), *calls)
    assert (row["llm_call_count"], row["total_tokens"], row["span_count"]) == (2, 12, 5)


def test_without_tokens_siblings_are_no_repeats() -> None:
    """Nothing says that they are one call."""
    row = the_trace(a_root(), a_row("a", "root", scope="x"), a_row("b", "root", scope="y"))
    assert row["llm_call_count"] == 2


# --- Failed calls ---


def test_a_failed_call_counts_where_no_call_is_answered() -> None:
    """Each try of a call that nobody answered; none of them where one was."""
    failed = [a_row("a", "root", is_error=True), a_row("b", "root", is_error=True)]
    assert the_trace(a_root(), *failed)["llm_call_count"] == 2
    assert the_trace(a_root(), *failed, a_row("c", "root"))["llm_call_count"] == 1
    assert the_trace(a_root(), *failed, a_row("c", "root", is_error=True, tokens=(1, 0)))["llm_call_count"] == 1


# --- Log records ---


def test_a_log_of_a_call_that_is_a_span_repeats_it() -> None:
    """It is no span, no call, bears nothing, covers nothing, and its error is none."""
    row = the_trace(
        a_root(),
        a_row("call", "root", tokens=(5, 1)),
        a_row("inner", "call", kind="chain"),
        a_row("log", "inner", source=LOG, tokens=(5, 1), is_error=True),
    )
    assert (row["span_count"], row["llm_call_count"], row["total_tokens"], row["error_count"]) == (3, 1, 6, 0)
    assert row["source"] == 0


@pytest.mark.parametrize("kind", ["tool", "agent"])
def test_a_log_below_a_tool_is_another_call(kind: str) -> None:
    """As a span below one is."""
    row = the_trace(
        a_row("call", tokens=(5, 1)), a_row("work", "call", kind=kind), a_row("log", "work", source=LOG, tokens=(7, 1))
    )
    assert (row["span_count"], row["llm_call_count"], row["total_tokens"]) == (3, 2, 14)


def test_a_log_of_a_call_whose_span_has_no_usage_is_the_call() -> None:
    """The span above is then its wrapper."""
    row = the_trace(a_row("call"), a_row("log", "call", source=LOG, tokens=(7, 1)))
    assert (row["span_count"], row["llm_call_count"], row["total_tokens"]) == (2, 1, 8)


def test_a_log_that_says_again_what_a_span_says_is_no_span_and_no_error() -> None:
    """Of one response, or beside each other."""
    span = a_row("a", "root", tokens=(5, 1), response_id="r", cost_nano_usd=1)
    log = a_row("b", "root", source=LOG, tokens=(5, 1), response_id="r", is_error=True)
    row = the_trace(a_root(), span, log)
    assert (row["span_count"], row["total_tokens"], row["error_count"]) == (2, 6, 0)
    row = the_trace(a_root(), span, {**log, "response_id": "", "scope": "events"})
    assert (row["span_count"], row["total_tokens"], row["error_count"]) == (2, 6, 0)


def test_a_log_is_a_root_only_where_no_span_is() -> None:
    """However early it is."""
    log = a_row("log", source=LOG, name="event", start_ns=-5)
    assert the_trace(log, a_row("span", name="call"))["name"] == "call"
    assert the_trace(log)["name"] == "event"


def test_a_session_whose_rows_all_repeat_is_gone() -> None:
    """A log under the session that it names itself, of a call that a span of another session tells."""
    result = expected_of_rows(
        [a_row("call", tokens=(5, 1)), a_row("log", "call", source=LOG, tokens=(5, 1), session_id="own")]
    )
    assert list(result.session_traces) == [("acme", "s", "t")]
    assert list(result.session_rollups) == [("acme", "s")]


def untraced(call_id: str, turn: str = "", **columns: Any) -> Row:
    """A log record outside of any trace."""
    return a_row("log", trace_id=f"call:{call_id}", source=LOG, turn_id=turn, response_id=call_id, **columns)


def test_the_span_of_a_call_replaces_its_untraced_log() -> None:
    """Where the emitter is one that logs its calls as well, in the session that both name."""
    call_id = "req_" + "x" * 80
    log = untraced(call_id, tokens=(5, 1))
    span = a_row("span", response_id=call_id, also_logged=True, tokens=(5, 1))

    def keys(*rows: Row) -> set[tuple[str, str, str]]:
        return set(expected_of_rows(rows).session_traces)

    assert keys(log, span) == {("acme", "s", "t")}
    assert the_session(log, span)["total_tokens"] == 6
    for other in ({"also_logged": False}, {"session_id": "z"}, {"response_id": "y"}, {"tenant": "globex"}):
        assert ("acme", "s", f"call:{call_id}") in keys(log, {**span, **other})


def test_turns_of_log_records_are_counted_as_traces() -> None:
    """Two calls of one turn are one; a call without a turn is one by itself."""
    rows = [untraced("1", "turn"), untraced("2", "turn"), untraced("3"), a_row("a")]
    row = the_session(*rows)
    assert (row["trace_count"], row["row_count"], row["llm_call_count"]) == (3, 4, 4)


# --- Costs ---


@pytest.mark.parametrize(
    ("stated", "price", "costs"),
    [
        ((100, 30, 50), (1, 1, True), (50, 50, 0)),  # fees are input
        ((100, 100, 300), (1, 1, True), (25, 75, 0)),
        ((100, 30, 0), (1, 1, True), (30, 70, 0)),
        ((100, 0, 300), (1, 1, True), (0, 100, 0)),
        ((100, 0, 0), (1, 2, True), (33, 67, 0)),
        ((100, 0, 0), (0, 0, False), (75, 25, 0)),  # 3 of 4 tokens
        ((0, 30, 0), (1, 2, True), (30, 2, 0)),
        ((0, 0, 50), (0, 0, False), (0, 50, 0)),
        ((0, 0, 0), (1, 2, True), (1, 2, 0)),
        ((0, 0, 0), (0, 0, True), (0, 0, 0)),  # free
        ((0, 0, 0), (0, 0, False), (0, 0, 1)),
    ],
)
def test_what_a_call_costs(
    stated: tuple[int, int, int], price: tuple[int, int, bool], costs: tuple[int, int, int]
) -> None:
    """What is stated goes before what is priced; the cost is the sum of its two sides."""
    columns = dict(zip(("cost_nano_usd", "input_cost_nano_usd", "output_cost_nano_usd"), stated, strict=True))
    row = the_trace(a_row("a", tokens=(3, 1), **columns), price=lambda _: price)
    assert (row["input_cost_nano_usd"], row["output_cost_nano_usd"], row["unpriced_span_count"]) == costs
    assert row["cost_nano_usd"] == costs[0] + costs[1]
    assert row["usage.cost_nano_usd"] == [row["cost_nano_usd"]]


def test_a_mere_total_has_no_price() -> None:
    """Nobody knows how much of it is input."""
    row = the_trace(a_row("a", total_tokens=9), price=lambda _: (0, 0, True))
    assert row["unpriced_span_count"] == 1


# --- What a session shows ---


def test_texts_of_a_trace() -> None:
    """First words, last words, tags of all, metadata of the earliest."""
    row = the_trace(
        a_root(environment="", status_message="root failed"),
        a_row("a", "root", environment="prod", tags='["b"]', metadata='{"k":"a"}', end_state="error", start_ns=1),
        a_row("b", "root", environment="qa", tags='["a","b"]', metadata='{"k":"b","l":"b"}', start_ns=2, end_ns=10),
        a_row("c", "root", end_state="success", start_ns=3, end_ns=10),
    )
    assert (row["environment"], row["end_state"], row["end_reason"]) == ("prod", "success", "root failed")
    assert (row["tags"], row["metadata"]) == (["a", "b"], '{"k":"a","l":"b"}')


def traces(*columns: dict[str, Any]) -> Expected:
    return expected_of_rows(
        a_row("a", trace_id=str(place), **{"start_ns": place, "end_ns": 10 + place, **own})
        for place, own in enumerate(columns)
    )


def test_the_end_of_a_session_is_that_of_its_last_trace() -> None:
    """A stated end goes before a status, the last that is stated before the others."""

    def end(*columns: dict[str, Any]) -> tuple[str, str]:
        row = traces(*columns).session_rollups["acme", "s"]
        return row["end_state"], row["end_reason"]

    assert end({"status_code": 2, "end_ns": 50}, {"status_code": 1}) == ("error", "")
    assert end({"end_state": "success", "end_reason": "done"}, {"status_code": 2}) == ("success", "done")
    assert end({"end_state": "success"}, {"end_state": "error", "end_reason": "why"}) == ("error", "why")
    assert end({}) == ("unknown", "")


def test_a_session_without_a_stated_name_has_that_of_its_first_trace() -> None:
    """The first that has one."""
    assert traces({}, {"name": "turn"}, {"name": "later"}).session_rollups["acme", "s"]["name"] == "turn"
    assert traces({"name": "turn"}, {"session_name": "chat"}).session_rollups["acme", "s"]["name"] == "chat"


def test_times_to_the_first_token_add_up_with_their_number() -> None:
    """Of counted calls that state one."""
    row = the_trace(
        a_root(ttft_ns=50), a_row("a", "root", ttft_ns=5), a_row("b", "root", ttft_ns=7), a_row("c", "root")
    )
    assert (row["ttft_ns"], row["ttft_count"], row["llm_call_count"]) == (12, 2, 3)


def test_usage_is_broken_down() -> None:
    """By model, provider and service, over what counts; an error counts where it happened."""
    row = the_trace(
        a_root(model="unread"),
        a_row("a", "root", model="m", provider="p", tokens=(5, 1)),
        a_row("b", "root", model="m", provider="p", tokens=(6, 1)),
        a_row("c", "root", kind="tool", service="tools", is_error=True),
    )
    assert (row["usage.model"], row["usage.provider"], row["usage.service"]) == (["", "m"], ["", "p"], ["tools", ""])
    assert (row["usage.call_count"], row["usage.error_count"]) == ([0, 2], [1, 0])
    assert (row["usage.input_tokens"], row["usage.unpriced_count"]) == ([0, 11], [0, 2])
