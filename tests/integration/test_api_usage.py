"""What models, providers and services took, over real HTTP: rows of the real roll-up, out of spans in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import polars as pl
import pytest

from processor.pricing.prices import Prices
from processor.rollup.traces import trace_rows
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from tests.integration.asking import api_on, bad, get
from tests.integration.stored import T0, S, insert, narrow_span

NANO = 1e-9
SUMS = ("call_count", "error_count", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens")
SUMS += ("cache_write_tokens", "reasoning_tokens", "cost", "input_cost", "output_cost", "unpriced_count")

TURN, BESIDE, LONG, OTHERS = "a" * 32, "b" * 32, "c" * 32, "d" * 32


def span(trace_id: str, number: int, parent: int = 0, **values: Any) -> dict[str, Any]:
    """A narrow row, `number` seconds after the first, that names its session strongly if it names one."""
    at = {"start_ns": T0 + number * S, "end_ns": T0 + (number + 1) * S}
    ids = {"parent_span_id": f"{parent:016x}" if parent else "", "session_strength": 4 * ("session_id" in values)}
    return narrow_span(trace_id, f"{number:016x}", **at | ids | values)


def call(
    trace_id: str, number: int, parent: int, model: str, provider: str, tokens: int, **values: Any
) -> dict[str, Any]:
    """A model call, half of whose tokens are input."""
    usage = {"input_tokens": tokens // 2, "output_tokens": tokens - tokens // 2, "total_tokens": tokens}
    return span(trace_id, number, parent, kind="llm", model=model, provider=provider, **usage | values)


SPANS = [
    # Two instrumentations: the agent repeats what its calls took.
    span(TURN, 1, session_id="s", kind="agent", total_tokens=2_700, input_tokens=2_700, cost_nano_usd=77, tags='["a"]'),
    call(TURN, 2, 1, "gpt-5-mini", "openai", 2_000, cache_read_tokens=200, reasoning_tokens=50, ttft_ns=5_000_000),
    call(TURN, 3, 1, "gpt-5-mini", "openai", 500, cost_nano_usd=2_500, service="other"),
    call(TURN, 4, 1, "house-model", "acme", 200, tags='["b"]'),
    span(TURN, 5, 1, kind="tool", is_error=True, status_code=2, status_message="it broke"),
    # A trace of two sessions: the inner span names its own.
    span(BESIDE, 1, session_id="s", kind="chain"),
    call(BESIDE, 2, 1, "gpt-5-mini", "openai", 100, session_id="else"),
    # A wrapper whose only call is far behind what is shown.
    span(LONG, 1, session_id="long", kind="agent", total_tokens=60, input_tokens=60, end_ns=T0 + 9_000 * S),
    *[span(LONG, number, 1) for number in range(2, 1_200)],
    call(LONG, 1_200, 1, "house-model", "", 60),
    # The same of somebody else.
    span(OTHERS, 1, session_id="s", kind="agent") | {"tenant": "rival"},
    call(OTHERS, 2, 1, "secret-model", "rival", 999) | {"tenant": "rival"},
]


@pytest.fixture(scope="module")
def api(
    store: ClickHouseStore, client: Any, chdb_client: Callable[[], Any], store_config: StoreConfig
) -> Iterator[httpx.Client]:
    """The API on a store with these spans, rolled up; some of them twice, one once more before it had ended."""
    insert(client, store_config.database, "session_spans", *SPANS)
    halfway = SPANS[1] | {"end_ns": SPANS[1]["start_ns"], "total_tokens": 1, "output_tokens": 0}
    insert(client, store_config.database, "session_spans", *SPANS[:4], halfway)
    keys = pl.DataFrame(SPANS).select("tenant", "trace_id").unique()
    written = trace_rows(store.read_spans(keys), Prices())
    store.write_traces(written.session_traces, written.trace_sessions)
    sessions = written.session_traces.select("tenant", "session_id").unique()
    store.write_sessions(store.read_session_rollups(sessions))
    with api_on(chdb_client, store_config) as served:
        yield served


def spans_of(api: httpx.Client, session_id: str, trace_id: str) -> list[dict[str, Any]]:
    """The spans that are shown of a trace."""
    (trace,) = [item for item in get(api, "/v1/traces", session_id=session_id)["data"] if item["id"] == trace_id]
    spans: list[dict[str, Any]] = trace["spans"]
    return spans


def test_a_breakdown_adds_up_to_its_session(api: httpx.Client) -> None:
    """Each of the three lists has the session's tokens, cost and calls, however they are cut."""
    for session_id in ("s", "else", "long"):
        session = get(api, f"/v1/sessions/{session_id}")["data"]
        assert session["total_tokens"] > 0
        for part in session["breakdown"].values():
            total = {name: sum(entry[name] for entry in part) for name in SUMS}
            assert total["total_tokens"] == session["total_tokens"]
            assert total["cache_read_tokens"] == session["cache_read_tokens"]
            assert total["call_count"] == session["llm_call_count"]
            assert total["unpriced_count"] == session["unpriced_span_count"]
            assert total["cost"] == pytest.approx(session["total_cost"], abs=NANO / 2)
            assert total["input_cost"] == pytest.approx(session["input_cost"], abs=NANO / 2)
            assert total["output_cost"] == pytest.approx(session["output_cost"], abs=NANO / 2)


def test_a_breakdown_names_who_took_what(api: httpx.Client) -> None:
    """The most expensive first, then by name; a tool's error is its service's and no model's."""
    breakdown = get(api, "/v1/sessions/s")["data"]["breakdown"]
    assert {part: [entry["name"] for entry in entries] for part, entries in breakdown.items()} == {
        "models": ["gpt-5-mini", "house-model"],
        "providers": ["openai", "acme"],
        "services": ["svc", "other"],
    }
    assert breakdown["models"][1] == {
        "name": "house-model",
        "call_count": 1,
        "error_count": 0,
        "input_tokens": 100,
        "output_tokens": 100,
        "total_tokens": 200,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost": 0,
        "input_cost": 0,
        "output_cost": 0,
        "unpriced_count": 1,
    }
    assert [entry["error_count"] for entry in breakdown["services"]] == [1, 0]
    assert [entry["call_count"] for entry in breakdown["services"]] == [2, 1]


def test_what_spans_add_is_what_their_trace_has(api: httpx.Client) -> None:
    """A wrapper adds nothing, a stated cost is what it says, what states none is priced, no price is no cost."""
    (trace,) = [item for item in get(api, "/v1/traces", session_id="s")["data"] if item["id"] == TURN]
    agent, priced, stated, unknown, tool = trace["spans"]
    assert [item["counts"] for item in trace["spans"]] == [False, True, True, True, False]
    assert (agent["cost"], agent["tokens"]) == (0, 2_700)
    # By genai-prices: 800 fresh, 200 cached and 1,000 output tokens at 0.25, 0.025 and 2 dollars a million.
    assert (priced["cost"], priced["input_cost"], priced["output_cost"]) == (0.002205, 0.000205, 0.002)
    assert (priced["cache_read_tokens"], priced["reasoning_tokens"], priced["ttft_ms"]) == (200, 50, 5.0)
    assert stated["cost"] == 2_500 * NANO
    assert stated["input_cost"] + stated["output_cost"] == pytest.approx(stated["cost"], abs=NANO / 2)
    assert unknown["cost"] == 0
    assert (tool["status"], tool["status_message"]) == ("ERROR", "it broke")
    assert sum(item["cost"] for item in trace["spans"]) == pytest.approx(trace["cost"], abs=NANO / 2)
    counted = [item for item in trace["spans"] if item["counts"]]
    assert sum(item["tokens"] for item in counted) == trace["tokens"] == 2_700
    assert trace["cache_read_tokens"] == 200
    assert trace["tags"] == ["a", "b"]
    assert {item["session_id"] for item in trace["spans"]} == {"s"}


def test_spans_say_which_of_a_traces_sessions_is_theirs(api: httpx.Client) -> None:
    """Both sessions show the whole trace, and what a span costs is in its own session's total alone."""
    for session_id in ("s", "else"):
        assert [item["session_id"] for item in spans_of(api, session_id, BESIDE)] == ["s", "else"]
    (trace,) = get(api, "/v1/traces", session_id="else")["data"]
    assert trace["cost"] == trace["spans"][1]["cost"] > 0


def test_a_wrapper_is_known_by_a_call_that_is_not_shown(api: httpx.Client) -> None:
    """What counts is judged on the whole trace; only then is it cut to a thousand spans."""
    spans = spans_of(api, "long", LONG)
    assert len(spans) == 1_000
    assert {item["model"] for item in spans} == {None}
    assert not any(item["counts"] for item in spans)


def test_models_are_listed_over_all_sessions_those_without_a_price_first(api: httpx.Client) -> None:
    """A row a model and provider, ordered by calls that lack a price, then by tokens."""
    body = get(api, "/v1/models")
    rows = [(item["model"], item["provider"], item["total_tokens"], item["unpriced_count"]) for item in body["data"]]
    assert rows == [("house-model", "acme", 200, 1), ("house-model", "", 60, 1), ("gpt-5-mini", "openai", 2_600, 0)]
    assert body["pagination"] == {"total": 3, "limit": 50, "offset": 0}
    sessions = get(api, "/v1/sessions")["data"]
    for name, of_session in (("cost", "total_cost"), ("input_cost", "input_cost"), ("call_count", "llm_call_count")):
        total = sum(item[of_session] for item in sessions)
        assert sum(item[name] for item in body["data"]) == pytest.approx(total, abs=NANO / 2)


def test_unpriced_models_are_those_with_a_call_that_has_no_price(api: httpx.Client) -> None:
    """`unpriced=true` leaves the others out, of the total as well."""
    body = get(api, "/v1/models", unpriced="true")
    assert [(item["model"], item["provider"]) for item in body["data"]] == [
        ("house-model", "acme"),
        ("house-model", ""),
    ]
    assert body["pagination"]["total"] == 2


def test_models_are_paged(api: httpx.Client) -> None:
    """Every row stands on one page; behind the end is an empty page that knows the total."""
    pages = [get(api, "/v1/models", limit=1, offset=n) for n in range(4)]
    assert [len(page["data"]) for page in pages] == [1, 1, 1, 0]
    assert [page["pagination"]["total"] for page in pages] == [3] * 4
    assert [page["data"][0] for page in pages[:3]] == get(api, "/v1/models")["data"]
    assert list(bad(api, "/v1/models", limit=0)) == ["limit"]
    assert list(bad(api, "/v1/models", unpriced="perhaps")) == ["unpriced"]


def test_usage_of_another_tenant_is_never_visible(api: httpx.Client) -> None:
    """Not in a breakdown of the same session id, not in the list of models, not among the spans."""
    for path in ("/v1/sessions/s", "/v1/models", "/v1/traces?session_id=s"):
        assert "secret-model" not in api.get(path).text
