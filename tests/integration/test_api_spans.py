"""Spans of one trace, and one span whole, over real HTTP on a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from processor.model import DEFAULT_TENANT
from processor.store.connection import StoreConfig
from processor.store.queries import TRACE_READ_MAX
from tests.integration.asking import api_on, bad, get
from tests.integration.stored import T0, S, insert, narrow_span, trace, wide_span

TRACE, LARGE, HUGE, ODD = "a" * 32, "b" * 32, "c" * 32, "call:a/b c"
LARGE_SPANS, HUGE_SPANS, PAGE = 100_000, TRACE_READ_MAX + 500, 10_000
ROOT, CALL = "01" * 8, "02" * 8
LONG = "y" * 20_000


def many_spans(client: Any, database: str, trace_id: str, count: int) -> None:
    """A trace of so many model calls in a row; their ids fall as time goes on, each is there twice."""
    client.command(
        f"INSERT INTO {database}.session_spans "
        "(tenant, trace_id, span_id, name, kind, start_ns, end_ns, input_tokens, total_tokens, cost_nano_usd) "
        f"SELECT '{DEFAULT_TENANT}', '{trace_id}', leftPad(toString({count} - number), 16, '0'), 'chat', 'llm', "
        f"{T0} + number, {T0} + number + 1, 1, 1, 1000 FROM numbers({count})"
    )


@pytest.fixture(scope="module")
def api(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[httpx.Client]:
    """The API on a small trace of two sessions, two that are large, an odd one, and another tenant's."""
    client, database = chdb_client(), store_config.database
    root = narrow_span(TRACE, ROOT, name="turn", kind="agent", session_id="s1", session_strength=4, end_ns=T0 + 2 * S)
    call = narrow_span(
        TRACE,
        CALL,
        parent_span_id=ROOT,
        name="chat",
        kind="llm",
        session_id="s2",
        session_strength=4,
        start_ns=T0 + 1,
        model="m",
        input_tokens=8,
        output_tokens=4,
        total_tokens=12,
        cost_nano_usd=2_500,
    )
    odd = narrow_span(ODD, "x/y")
    rival = narrow_span(TRACE, "09" * 8, tenant="rival", name="secret")
    insert(client, database, "session_spans", root, call, odd, rival)
    insert(client, database, "session_traces", trace("s1", TRACE, span_count=2))
    insert(
        client,
        database,
        "otel_traces",
        wide_span(
            call,
            SpanKind="Client",
            EndTimestamp=call["end_ns"],
            StatusMessage="fine",
            TraceState="a=b",
            SpanAttributes={
                "input.value": LONG,
                "output.value": "said",
                "ai.response.toolCalls": '[{"toolName":"f"}]',
                "gen_ai.response.finish_reasons": '["tool_calls"]',
                "k": "v",
            },
            ResourceAttributes={"service.name": "svc"},
            ScopeName="lib",
            ScopeVersion="1.2",
            ScopeAttributes={"s": "t"},
            DroppedEventsCount=3,
            **{
                "Events.Timestamp": [T0 + 5 * 1_000],
                "Events.Name": ["exception"],
                "Events.Attributes": [{"exception.type": "E"}],
                "Events.DroppedAttributesCount": [0],
                "Links.TraceId": ["f" * 32],
                "Links.SpanId": ["f" * 16],
                "Links.TraceState": [""],
                "Links.Attributes": [{"l": "m"}],
                "Links.DroppedAttributesCount": [0],
                "Links.Flags": [0],
            },
        ),
    )
    insert(client, database, "otel_traces", wide_span(rival, StatusMessage="secret"))
    # Without the attributes, as an emitter sends a span before it has ended.
    insert(client, database, "otel_traces", wide_span(call, EndTimestamp=0, StatusMessage="half"))
    many_spans(client, database, LARGE, LARGE_SPANS)
    many_spans(client, database, LARGE, LARGE_SPANS)
    many_spans(client, database, HUGE, HUGE_SPANS)
    with api_on(chdb_client, store_config) as opened:
        yield opened


def test_a_traces_spans_are_listed_over_all_its_sessions_without_what_they_say(api: httpx.Client) -> None:
    """As they started, with what they add to their sessions; no attributes, inputs and outputs."""
    body = get(api, f"/v1/traces/{TRACE}/spans")
    assert body["pagination"] == {"total": 2, "limit": 1000, "offset": 0}
    root, call = body["data"]
    assert (root["id"], root["parent_id"], root["session_id"], root["cost"]) == (ROOT, None, "s1", 0.0)
    assert (call["id"], call["parent_id"], call["session_id"], call["cost"]) == (CALL, ROOT, "s2", 0.0000025)
    assert (call["span_kind"], call["status_message"], call["counts"]) == ("Client", "fine", True)
    for name, nothing in (("metadata", {}), ("input", None), ("output", None), ("tool_calls", None)):
        assert call[name] == nothing


def test_one_span_is_shown_whole(api: httpx.Client) -> None:
    """Everything that was received of it, attributes uncut, from the version that ended last."""
    span = get(api, f"/v1/traces/{TRACE}/spans/{CALL}")["data"]
    assert span["input"] == span["metadata"]["input.value"] == LONG
    assert span["metadata"]["k"] == "v"
    assert (span["output"], span["tool_calls"]) == ("said", '[{"toolName":"f"}]')
    assert (span["finish_reason"], span["output_object"], span["prompt_name"]) == ("tool_calls", None, None)
    assert (span["status_message"], span["trace_state"], span["dropped_events_count"]) == ("fine", "a=b", 3)
    assert span["resource"] == {"attributes": {"service.name": "svc"}, "schema_url": ""}
    assert span["scope"] == {"name": "lib", "version": "1.2", "attributes": {"s": "t"}, "schema_url": ""}
    at = "2025-11-24T16:00:00.000005Z"
    assert span["events"] == [{"timestamp": at, "name": "exception", "attributes": {"exception.type": "E"}}]
    assert span["links"] == [
        {"trace_id": "f" * 32, "span_id": "f" * 16, "trace_state": "", "attributes": {"l": "m"}},
    ]
    assert (span["cost"], span["session_id"], span["tokens"]) == (0.0000025, "s2", 12)


def test_traces_show_what_their_spans_say_cut(api: httpx.Client) -> None:
    """In a list of traces a span's input is as long as its attribute there."""
    root, call = get(api, "/v1/traces", session_id="s1")["data"][0]["spans"]
    assert call["input"] == LONG[:8_192]
    assert (call["output"], call["tool_calls"], call["finish_reason"]) == ("said", '[{"toolName":"f"}]', "tool_calls")
    assert (root["input"], root["output"], root["tool_calls"], root["finish_reason"]) == (None, None, None, None)


def test_traces_without_spans_are_the_same_but_for_them(api: httpx.Client) -> None:
    """`spans=false` leaves out nothing else."""
    with_spans = get(api, "/v1/traces", session_id="s1")
    for item in with_spans["data"]:
        item["spans"] = []
    assert get(api, "/v1/traces", session_id="s1", spans="false") == with_spans
    assert get(api, "/v1/sessions/s1/traces", spans="false") == with_spans
    assert list(bad(api, "/v1/traces", session_id="s1", spans="some")) == ["spans"]


def test_a_span_that_only_the_narrow_table_has_is_shown_as_far_as_it_is_known(api: httpx.Client) -> None:
    """Wide rows may expire first; what is missing is empty, as it is for what nothing says."""
    span = get(api, f"/v1/traces/{TRACE}/spans/{ROOT}")["data"]
    assert (span["name"], span["kind"], span["input"], span["output"]) == ("turn", "agent", "", "")
    assert (span["metadata"], span["events"], span["links"]) == ({}, [], [])
    assert span["resource"] == {"attributes": {}, "schema_url": ""}


@pytest.mark.parametrize("path", [f"/v1/traces/{TRACE}/spans/nope", f"/v1/traces/nope/spans/{CALL}"])
def test_a_span_that_is_not_there_is_not_found(api: httpx.Client, path: str) -> None:
    """404, also for a span of another trace."""
    response = api.get(path)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_an_unknown_trace_has_no_spans(api: httpx.Client) -> None:
    """200 with an empty list, as for the traces of an unknown session."""
    assert get(api, "/v1/traces/nope/spans")["data"] == []


def test_ids_of_traces_and_spans_may_hold_any_character(api: httpx.Client) -> None:
    """Model calls of log records live in traces with ids of their own."""
    (span,) = get(api, "/v1/traces/call:a%2Fb%20c/spans")["data"]
    assert span["id"] == "x/y"
    assert get(api, "/v1/traces/call:a%2Fb%20c/spans/x%2Fy")["data"]["trace_id"] == ODD
    assert api.get("/v1/traces/%ff/spans").json()["error"]["code"] == "invalid_path_params"


def test_spans_of_another_tenant_are_invisible(api: httpx.Client) -> None:
    """The same trace id in another tenant adds nothing, and its span is not found."""
    assert "secret" not in api.get(f"/v1/traces/{TRACE}/spans").text
    assert api.get(f"/v1/traces/{TRACE}/spans/{'09' * 8}").status_code == 404


@pytest.mark.parametrize(("trace_id", "count"), [(LARGE, LARGE_SPANS), (HUGE, HUGE_SPANS)], ids=["large", "huge"])
def test_every_span_of_a_large_trace_is_on_one_page(api: httpx.Client, trace_id: str, count: int) -> None:
    """Pages of 10,000 hold all spans once, in their order, priced, whether a trace can be judged at once or not."""
    found: list[str] = []
    for offset in range(0, count, PAGE):
        body = get(api, f"/v1/traces/{trace_id}/spans", limit=PAGE, offset=offset)
        assert body["pagination"] == {"total": count, "limit": PAGE, "offset": offset}
        assert {span["cost"] for span in body["data"]} == {0.000001}
        found += [span["id"] for span in body["data"]]
    assert found == [f"{count - number:016}" for number in range(count)]
    last = f"{1:016}"
    assert get(api, f"/v1/traces/{trace_id}/spans/{last}")["data"]["cost"] == 0.000001
    assert get(api, f"/v1/traces/{trace_id}/spans", offset=2**63 - 1)["data"] == []


@pytest.mark.parametrize(("parameter", "value"), [("limit", 0), ("limit", 10_001), ("offset", -1)])
def test_pages_of_spans_are_bounded(api: httpx.Client, parameter: str, value: int) -> None:
    """At most 10,000 on a page."""
    assert list(bad(api, f"/v1/traces/{TRACE}/spans", **{parameter: value})) == [parameter]
