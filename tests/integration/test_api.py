"""The sessions API over real HTTP on a real store; what must hold stands in SESSIONS_API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from processor.api.app import create_app
from processor.api.pool import QueryPool
from processor.model import DEFAULT_TENANT
from processor.pricing.prices import Prices
from processor.store.connection import StoreConfig
from processor.store.queries import SessionQueries
from tests.integration.asking import api_on, bad, get
from tests.integration.serving import served
from tests.integration.stored import T0, S, insert, narrow_span, session, trace, wide_span

ODD_IDS = [
    "with/slash",
    "with/traces",
    "50%_off",
    "spaces and +plus",
    "?query#fragment&a=b;c",
    "quotes 'single' \"double\" `back`",
    "back\\slash",
    "ünïcödé 会话 🧵",
    "{tenant:String} %(a)s $1",
    "line\nbreak\ttab",
    "x" * 5_000,
    "null",
]
TRACE = "a" * 32
OTHER_TRACE = "b" * 32


def fill(client: Any, database: str) -> None:
    """The sessions of these tests: five plain ones, odd ids, one big trace, and another tenant."""
    plain = [
        session(
            f"s{i}",
            name=["zeta", "Beta Chat", "alpha 100%", "alpha_1", ""][i],
            user_id=["u1", "u2", "u1", "u2", ""][i],
            thread_id="th",
            start_ns=T0 + i * 100 * S,
            end_ns=T0 + i * 100 * S + (5 - i) * 60 * S,
            active_ns=(i + 1) * S,
            llm_ns=S // 2,
            trace_count=i + 1,
            span_count=10 - i,
            error_count=i % 2,
            llm_call_count=2,
            tool_call_count=1,
            input_tokens=70,
            output_tokens=30,
            total_tokens=100 * (i % 3),
            cost_nano_usd=1_234_567 * i,
            unpriced_span_count=i,
            models=["gpt-5", f"m{i}"],
            providers=["openai"],
            services=["svc"],
            tags=["all", f"tag {i}"],
            environment=["prod", "dev"][i % 2],
            metadata=['{"plan":"pro","empty":"","a.b":"1"}', "", '{"plan":"free"}', '{"plan":"PRO"}', ""][i],
            end_state=["success", "error", "unknown", "", "success"][i],
            end_reason="it broke" if i == 1 else "",
            cache_read_tokens=6,
            cache_write_tokens=5,
            reasoning_tokens=4,
            input_cost_nano_usd=1_000_000 * i,
            output_cost_nano_usd=234_567 * i,
            ttft_ns=3_000_000 if i == 1 else 0,
            ttft_count=2 if i == 1 else 0,
            input_preview="what is it?",
            output_preview="this.",
        )
        for i in range(5)
    ]
    insert(client, database, "session_rollups", *[{**row, "version": 1, "total_tokens": 999_999} for row in plain])
    insert(client, database, "session_rollups", *[{**row, "version": 2} for row in plain])
    insert(client, database, "session_rollups", session("moved-away", row_count=0))
    insert(client, database, "session_rollups", *[session(i, user_id="odd", start_ns=T0 - 9 * S) for i in ODD_IDS])
    insert(client, database, "session_rollups", session("s1", tenant="rival", name="secret", user_id="rival-user"))
    insert(client, database, "session_rollups", session("rival-only", tenant="rival", name="secret"))
    insert(
        client,
        database,
        "session_traces",
        trace("s1", TRACE, version=2, name="turn", status_code=2, span_count=2, total_tokens=12, cost_nano_usd=2_500)
        | {"input_tokens": 8, "output_tokens": 4, "cache_read_tokens": 3, "cache_write_tokens": 2, "tags": ["a", "b"]},
        trace("s1", OTHER_TRACE, version=1, name="earlier", start_ns=T0 - S, span_count=1),
        trace("s1", "c" * 32, version=2, name="moved", span_count=0),
        trace("with/slash", "d" * 32, name="odd"),
        trace("s1", "e" * 32, tenant="rival", name="secret"),
    )
    # An older row, written late by a worker that was paused.
    insert(client, database, "session_traces", trace("s1", TRACE, version=1, name="stale", span_count=1))
    insert(client, database, "session_traces", trace("s1", "c" * 32, version=1, name="not yet moved"))
    root = narrow_span(TRACE, "01" * 8, name="turn", kind="agent", status_code=2, is_error=True, end_ns=T0 + 2 * S)
    call = narrow_span(
        TRACE,
        "02" * 8,
        parent_span_id="01" * 8,
        name="chat gpt-5",
        kind="llm",
        start_ns=T0 + S,
        end_ns=T0 + 3 * S // 2,
        status_code=1,
        model="gpt-5",
        provider="openai",
        input_tokens=8,
        output_tokens=4,
        total_tokens=12,
        cost_nano_usd=2_500,
    )
    earlier = narrow_span(OTHER_TRACE, "03" * 8, start_ns=T0 - S, end_ns=T0)
    lone = narrow_span("d" * 32, "04" * 8)
    rival = {**root, "tenant": "rival", "end_ns": T0 + 9 * S, "kind": "secret"}
    insert(client, database, "session_spans", root, call, earlier, lone, rival)
    # The same span again, once unchanged and once as an emitter sends it before it has ended.
    insert(client, database, "session_spans", call, {**call, "end_ns": call["start_ns"], "total_tokens": 0})
    insert(
        client,
        database,
        "otel_traces",
        wide_span(root, StatusMessage="it broke", SpanAttributes={"k": "v", "long": "y" * 20_000}),
        wide_span(call, SpanKind="Client"),
        wide_span(earlier),
        wide_span(rival, StatusMessage="secret"),
    )
    insert(client, database, "otel_traces", wide_span(call, SpanKind="Client"))
    insert(client, database, "otel_traces", wide_span(call, SpanKind="Client", Duration=0, StatusMessage="half"))


@pytest.fixture(scope="module")
def api(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[httpx.Client]:
    """A client of the API, served by the real server on the filled store."""
    writer = chdb_client()
    fill(writer, store_config.database)
    with api_on(chdb_client, store_config) as client:
        yield client


def ids(api: httpx.Client, **parameters: object) -> list[str]:
    """The plain sessions a list request shows, in its order."""
    listed = get(api, "/v1/sessions", **{"limit": 1000, **parameters})["data"]
    return [item["id"] for item in listed if item["id"] not in ODD_IDS]


def without_breakdown(api: httpx.Client, session_id: str) -> dict[str, Any]:
    """One session as the list shows it."""
    found: dict[str, Any] = get(api, f"/v1/sessions/{quote(session_id, safe='')}")["data"]
    del found["breakdown"]
    return found


def iso(ns: int) -> str:
    """Nanoseconds as the API's parameters take them."""
    return datetime.fromtimestamp(ns // S, UTC).isoformat().replace("+00:00", "Z")


def test_a_session_has_every_field_of_the_contract_with_the_newest_version_of_its_row(api: httpx.Client) -> None:
    """A session is AgentMark's fields and ours, from the row with the largest version, money as numbers in dollars."""
    assert get(api, "/v1/sessions/s1")["data"] == {
        "id": "s1",
        "name": "Beta Chat",
        "start": "2025-11-24T16:01:40.000000Z",
        "end": "2025-11-24T16:05:40.000000Z",
        "trace_count": 2,
        "total_cost": 0.001234567,
        "total_tokens": 100,
        "latency_ms": 240_000.0,
        "tags": ["all", "tag 1"],
        "user_id": "u2",
        "thread_id": "th",
        "status": "ERROR",
        "end_state": "error",
        "end_reason": "it broke",
        "span_count": 9,
        "error_count": 1,
        "llm_call_count": 2,
        "tool_call_count": 1,
        "input_tokens": 70,
        "output_tokens": 30,
        "cache_read_tokens": 6,
        "cache_write_tokens": 5,
        "reasoning_tokens": 4,
        "input_cost": 0.001,
        "output_cost": 0.000234567,
        "unpriced_span_count": 1,
        "active_ms": 2_000.0,
        "llm_ms": 500.0,
        "ttft_ms": 1.5,
        "models": ["gpt-5", "m1"],
        "providers": ["openai"],
        "services": ["svc"],
        "environment": "dev",
        "metadata": {},
        "input_preview": "what is it?",
        "output_preview": "this.",
        "breakdown": {"models": [], "providers": [], "services": []},
    }


def test_what_nothing_says_is_empty_or_null(api: httpx.Client) -> None:
    """No time to the first token is null, not 0; an end that nobody states is unknown."""
    found = {item["id"]: item for item in get(api, "/v1/sessions", limit=1000)["data"]}
    assert [found[i]["ttft_ms"] for i in ("s0", "s1", "s2")] == [None, 1.5, None]
    assert [found[f"s{i}"]["end_state"] for i in range(5)] == ["success", "error", "unknown", "unknown", "success"]
    assert [found[f"s{i}"]["status"] for i in range(5)] == ["OK", "ERROR", "UNSET", "UNSET", "OK"]
    assert found["s0"]["metadata"] == {"plan": "pro", "empty": "", "a.b": "1"}
    assert found[ODD_IDS[0]]["tags"] == []
    assert found[ODD_IDS[0]]["metadata"] == {}


def test_the_list_shows_sessions_as_they_are_one_by_one(api: httpx.Client) -> None:
    """An item of the list is the session of the detail route, but for the breakdown."""
    for item in get(api, "/v1/sessions", limit=1000)["data"][:5]:
        assert without_breakdown(api, item["id"]) == item


def test_without_parameters_the_newest_sessions_come_first_and_fifty_make_a_page(api: httpx.Client) -> None:
    """Defaults are limit 50, offset 0, start, desc."""
    body = get(api, "/v1/sessions")
    assert body["pagination"] == {"total": 5 + len(ODD_IDS), "limit": 50, "offset": 0}
    assert [item["id"] for item in body["data"]][:5] == ["s4", "s3", "s2", "s1", "s0"]


def test_a_session_whose_traces_all_moved_away_is_not_shown(api: httpx.Client) -> None:
    """A rollup without traces is no session."""
    assert "moved-away" not in ids(api)
    assert api.get("/v1/sessions/moved-away").status_code == 404


def test_pages_of_equal_sort_keys_hold_every_session_once(api: httpx.Client) -> None:
    """Ties are broken by id, so pages neither repeat nor skip."""
    for order in ("asc", "desc"):
        pages = [
            get(api, "/v1/sessions", sort_by="error_count", sort_order=order, limit=2, offset=n)
            for n in range(0, 5 + len(ODD_IDS), 2)
        ]
        seen = [item["id"] for page in pages for item in page["data"]]
        assert sorted(seen) == sorted(["s0", "s1", "s2", "s3", "s4", *ODD_IDS])
        assert {page["pagination"]["total"] for page in pages} == {5 + len(ODD_IDS)}


def test_a_page_behind_the_end_is_empty_and_knows_the_total(api: httpx.Client) -> None:
    """An offset past the end is an empty page, not an error."""
    body = get(api, "/v1/sessions", offset=10**12)
    assert body["data"] == []
    assert body["pagination"]["total"] == 5 + len(ODD_IDS)


@pytest.mark.parametrize(
    ("key", "ascending"),
    [
        ("name", ["s4", "s1", "s2", "s3", "s0"]),
        ("start", ["s0", "s1", "s2", "s3", "s4"]),
        ("end", ["s0", "s1", "s2", "s3", "s4"]),
        ("last_seen", ["s0", "s1", "s2", "s3", "s4"]),
        ("trace_count", ["s0", "s1", "s2", "s3", "s4"]),
        ("total_cost", ["s0", "s1", "s2", "s3", "s4"]),
        ("total_tokens", ["s0", "s3", "s1", "s4", "s2"]),
        ("latency_ms", ["s4", "s3", "s2", "s1", "s0"]),
        ("user_id", ["s4", "s0", "s2", "s1", "s3"]),
        ("error_count", ["s0", "s2", "s4", "s1", "s3"]),
        ("active_ms", ["s0", "s1", "s2", "s3", "s4"]),
        ("span_count", ["s4", "s3", "s2", "s1", "s0"]),
    ],
)
def test_every_sort_key_sorts_both_ways(api: httpx.Client, key: str, ascending: list[str]) -> None:
    """A sort key orders by its column, ties by id in either direction."""
    rows = {item["id"]: item for item in get(api, "/v1/sessions", limit=1000)["data"]}
    field = {"last_seen": "end"}.get(key, key)
    assert ids(api, sort_by=key, sort_order="asc") == ascending
    groups = sorted(ascending, key=lambda i: i)
    descending = sorted(groups, key=lambda i: rows[i][field], reverse=True)
    assert ids(api, sort_by=key, sort_order="desc") == descending


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("beta", ["s1"]),
        ("BETA CH", ["s1"]),
        ("S3", ["s3"]),
        ("%", ["s2"]),
        ("100%", ["s2"]),
        ("_", ["s3"]),
        ("a_1", ["s3"]),
        ("\\", []),
        ("' OR 1=1 --", []),
        ("no such thing", []),
    ],
)
def test_search_finds_parts_of_id_or_name_and_knows_no_wildcards(
    api: httpx.Client, text: str, found: list[str]
) -> None:
    """Search ignores case and takes every character for itself."""
    assert sorted(ids(api, search=text)) == found


def test_search_finds_odd_ids_whole(api: httpx.Client) -> None:
    """Whatever an id consists of, it can be searched for."""
    for odd in ODD_IDS:
        assert odd in [item["id"] for item in get(api, "/v1/sessions", search=odd)["data"]]


def test_name_is_partial_and_users_are_exact(api: httpx.Client) -> None:
    """The older AgentMark filters hold: part of the name, the whole user id in both spellings."""
    assert sorted(ids(api, name="ALPHA")) == ["s2", "s3"]
    assert ids(api, name="s1") == []
    assert sorted(ids(api, user_id="u1")) == ["s0", "s2"]
    assert sorted(ids(api, userId="u2")) == ["s1", "s3"]
    assert ids(api, user_id="u") == []
    assert list(bad(api, "/v1/sessions", user_id="u1", userId="u2")) == ["userId"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"thread_id": "th"}, ["s0", "s1", "s2", "s3", "s4"]),
        ({"thread_id": "t"}, []),
        ({"environment": "prod"}, ["s0", "s2", "s4"]),
        ({"environment": "Prod"}, []),
        ({"tag": "all"}, ["s0", "s1", "s2", "s3", "s4"]),
        ({"tag": "tag 3"}, ["s3"]),
        ({"tag": "tag"}, []),
        ({"model": "gpt-5"}, ["s0", "s1", "s2", "s3", "s4"]),
        ({"model": "m2"}, ["s2"]),
        ({"model": "gpt"}, []),
        ({"metadata.plan": "pro"}, ["s0"]),
        ({"metadata.plan": "PRO"}, ["s3"]),
        ({"metadata.a.b": "1"}, ["s0"]),
        ({"metadata.empty": ""}, ["s0"]),
        ({"metadata.plan": ""}, []),
        ({"metadata.nothing": ""}, []),
        ({"metadata.') OR 1=1 --": "x"}, []),
        ({"metadata.plan": "pro", "metadata.a.b": "1"}, ["s0"]),
        ({"metadata.plan": "pro", "metadata.a.b": "2"}, []),
        ({"environment": "prod", "model": "m2", "tag": "tag 2", "metadata.plan": "free"}, ["s2"]),
        ({"environment": "dev", "model": "m2"}, []),
    ],
)
def test_what_sessions_are_labelled_with_selects_them(
    api: httpx.Client, wanted: dict[str, str], found: list[str]
) -> None:
    """Each filter is exact, all of them hold together, and the total counts what they select."""
    body = get(api, "/v1/sessions", limit=1000, **wanted)
    assert sorted(item["id"] for item in body["data"]) == found
    assert body["pagination"]["total"] == len(found)


def test_metadata_filters_that_can_not_be_meant_are_refused(api: httpx.Client) -> None:
    """Without a key, too many of them, or too long: 400 that names the parameter."""
    assert list(bad(api, "/v1/sessions", **{"metadata.": "x"})) == ["metadata."]
    assert list(bad(api, "/v1/sessions", **{"metadata.k": "x" * 10_001})) == ["metadata.k"]
    assert list(bad(api, "/v1/sessions", **{f"metadata.k{i:02}": "x" for i in range(17)})) == ["metadata.k16"]
    assert get(api, "/v1/sessions", **{f"metadata.k{i}": "x" for i in range(16)})["data"] == []


def test_the_total_counts_what_the_filter_selects(api: httpx.Client) -> None:
    """Pagination counts the filtered sessions, not the page and not the table."""
    assert get(api, "/v1/sessions", user_id="u1", limit=1)["pagination"]["total"] == 2


def test_dates_select_sessions_that_overlap_and_leave_totals_whole(api: httpx.Client) -> None:
    """A session is in the range if any moment of it is, and shows the same numbers as without the range."""
    # s0 runs 300 s from T0, s1 240 s from T0 + 100 s, s4 60 s from T0 + 400 s.
    assert sorted(ids(api, start_date=iso(T0 + 300 * S))) == ["s0", "s1", "s2", "s3", "s4"]
    assert sorted(ids(api, start_date=iso(T0 + 301 * S))) == ["s1", "s2", "s3", "s4"]
    assert sorted(ids(api, end_date=iso(T0 + 100 * S))) == ["s0", "s1"]
    assert sorted(ids(api, end_date=iso(T0 + 99 * S))) == ["s0"]
    inside = get(api, "/v1/sessions", start_date=iso(T0 + 150 * S), end_date=iso(T0 + 160 * S))["data"]
    assert {item["id"] for item in inside} == {"s0", "s1"}
    assert inside[0] == without_breakdown(api, inside[0]["id"])


def test_dates_may_be_days_have_offsets_or_lie_at_the_ends_of_time(api: httpx.Client) -> None:
    """A day as end includes the day; a zone is honoured; no zone is UTC; no date is too far."""
    everything = ["s0", "s1", "s2", "s3", "s4"]
    assert sorted(ids(api, start_date="2025-11-24", end_date="2025-11-24")) == everything
    assert ids(api, end_date="2025-11-23") == []
    assert ids(api, start_date="2025-11-25") == []
    assert sorted(ids(api, end_date="2025-11-24T18:00:00+02:00")) == ["s0"]
    assert sorted(ids(api, end_date="2025-11-24T16:00:00")) == ["s0"]
    assert sorted(ids(api, start_date="0001-01-01", end_date="9999-12-31")) == everything


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", 0),
        ("limit", 1001),
        ("limit", "ten"),
        ("limit", ""),
        ("offset", -1),
        ("offset", "1.5"),
        ("offset", 2**63),
        ("start_date", "yesterday"),
        ("start_date", "2025-13-01"),
        ("end_date", "2025-11-24T25:00:00Z"),
        ("sort_by", "tenant"),
        ("sort_by", "name; DROP TABLE sessions"),
        ("sort_order", "up"),
        ("search", "x" * 10_001),
    ],
)
def test_a_parameter_out_of_contract_is_refused_by_its_name(api: httpx.Client, parameter: str, value: object) -> None:
    """400 with the parameter and a reason in `details`, and with nothing else in it."""
    assert list(bad(api, "/v1/sessions", **{parameter: value})) == [parameter]


def test_every_wrong_parameter_is_named_at_once(api: httpx.Client) -> None:
    """Details hold one entry a parameter."""
    assert set(bad(api, "/v1/sessions", limit=0, offset=-1, sort_by="x")) == {"limit", "offset", "sort_by"}


def test_a_range_that_ends_before_it_starts_is_refused(api: httpx.Client) -> None:
    """An impossible range is a mistake, not an empty list."""
    assert list(bad(api, "/v1/sessions", start_date="2025-11-25", end_date="2025-11-24")) == ["end_date"]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_ids_of_any_characters_and_length_can_be_read(api: httpx.Client, odd: str) -> None:
    """A percent-encoded id is one path segment, slashes included."""
    encoded = quote(odd, safe="")
    assert get(api, f"/v1/sessions/{encoded}")["data"]["id"] == odd
    assert api.get(f"/v1/sessions/{encoded}/traces").status_code == 200


def test_the_traces_of_an_id_with_a_slash_are_its_own(api: httpx.Client) -> None:
    """`a%2Fb/traces` is the traces of `a/b`."""
    assert [item["name"] for item in get(api, "/v1/sessions/with%2Fslash/traces")["data"]] == ["odd"]
    assert [item["name"] for item in get(api, "/v1/traces", session_id="with/slash")["data"]] == ["odd"]


def test_a_path_that_is_not_utf8_is_refused(api: httpx.Client) -> None:
    """400 `invalid_path_params`, not a search for something else."""
    response = api.get("/v1/sessions/%ff%fe")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_path_params"


def test_unknown_sessions_and_routes_answer_not_found(api: httpx.Client) -> None:
    """404 in the contract's shape for whatever is not there."""
    for path in ("/v1/sessions/nope", "/v1/nope", "/nope"):
        response = api.get(path)
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"
    assert api.post("/v1/sessions").json()["error"]["code"] == "method_not_allowed"


def test_traces_come_as_they_happened_with_all_their_spans_once(api: httpx.Client) -> None:
    """Newest row of each trace, spans of the whole trace in order, a span sent twice shown once and whole."""
    body = get(api, "/v1/sessions/s1/traces")
    assert body["pagination"] == {"total": 2, "limit": 50, "offset": 0}
    assert [item["name"] for item in body["data"]] == ["earlier", "turn"]
    turn = body["data"][1]
    spans = turn.pop("spans")
    assert turn == {
        "id": TRACE,
        "name": "turn",
        "status": "ERROR",
        "start": "2025-11-24T16:00:00.000000Z",
        "end": "2025-11-24T16:00:01.000000Z",
        "latency_ms": 1_000.0,
        "cost": 0.0000025,
        "tokens": 12,
        "input_tokens": 8,
        "output_tokens": 4,
        "cache_read_tokens": 3,
        "cache_write_tokens": 2,
        "span_count": 2,
        "error_count": 0,
        "tags": ["a", "b"],
    }
    root, call = spans
    assert root["status"] == "ERROR"
    assert root["status_message"] == "it broke"
    assert root["parent_id"] is None
    assert root["type"] == "SPAN"
    assert root["model"] is None
    assert root["metadata"]["k"] == "v"
    assert len(root["metadata"]["long"]) == 8_192
    assert call == {
        "id": "02" * 8,
        "trace_id": TRACE,
        "parent_id": "01" * 8,
        "name": "chat gpt-5",
        "status": "OK",
        "status_message": "",
        "duration_ms": 500.0,
        "timestamp": "2025-11-24T16:00:01.000000Z",
        "type": "GENERATION",
        "kind": "llm",
        "model": "gpt-5",
        "provider": "openai",
        "input_tokens": 8,
        "output_tokens": 4,
        "tokens": 12,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "counts": True,
        "cost": 0.0000025,
        "input_cost": 0.0000005,
        "output_cost": 0.000002,
        "ttft_ms": None,
        "session_id": "",
        "metadata": {},
        "span_kind": "Client",
        "service_name": "svc",
        "input": None,
        "output": None,
        "output_object": None,
        "tool_calls": None,
        "finish_reason": None,
        "prompt_name": None,
    }


def test_a_trace_of_thousands_of_spans_is_shown_up_to_a_bound(
    api: httpx.Client, chdb_client: Callable[[], Any], store_config: StoreConfig
) -> None:
    """The first thousand spans of a trace are shown; the count says how many there are."""
    client, many = chdb_client(), "f" * 32
    spans = [narrow_span(many, f"{i:016x}", start_ns=T0 + i) for i in range(1_200)]
    insert(client, store_config.database, "session_traces", trace("many", many, span_count=1_200))
    insert(client, store_config.database, "session_spans", *spans)
    insert(client, store_config.database, "otel_traces", *[wide_span(span) for span in spans])
    (shown,) = get(api, "/v1/traces", session_id="many")["data"]
    assert shown["span_count"] == 1_200
    assert [span["id"] for span in shown["spans"]] == [f"{i:016x}" for i in range(1_000)]
    assert {span["span_kind"] for span in shown["spans"]} == {"Internal"}


def test_traces_are_paged(api: httpx.Client) -> None:
    """`limit` and `offset` hold for traces, with the total of all pages."""
    body = get(api, "/v1/sessions/s1/traces", limit=1, offset=1)
    assert [item["id"] for item in body["data"]] == [TRACE]
    assert body["pagination"] == {"total": 2, "limit": 1, "offset": 1}
    assert list(bad(api, "/v1/sessions/s1/traces", limit=0)) == ["limit"]


def test_traces_by_parameter_are_the_traces_by_path(api: httpx.Client) -> None:
    """`/v1/traces?session_id=` is the successor of the path, and needs its parameter."""
    assert get(api, "/v1/traces", session_id="s1") == get(api, "/v1/sessions/s1/traces")
    assert list(bad(api, "/v1/traces")) == ["session_id"]


def test_an_unknown_session_has_an_empty_list_of_traces(api: httpx.Client) -> None:
    """200 with no data, as AgentMark."""
    assert get(api, "/v1/sessions/nope/traces")["data"] == []
    assert get(api, "/v1/traces", session_id="nope")["data"] == []


def test_a_span_that_the_wide_table_no_longer_has_is_still_shown(api: httpx.Client) -> None:
    """Spans may expire before rollups; what the narrow row knows remains."""
    (span,) = get(api, "/v1/traces", session_id="with/slash")["data"][0]["spans"]
    assert (span["id"], span["name"], span["metadata"], span["status_message"]) == ("04" * 8, "step", {}, "")


def test_nothing_of_another_tenant_is_ever_visible(api: httpx.Client) -> None:
    """The same session, trace and span ids in another tenant change nothing and show nothing."""
    assert api.get("/v1/sessions/rival-only").status_code == 404
    for path in ("/v1/sessions?limit=1000", "/v1/sessions?search=secret", "/v1/sessions/s1", "/v1/sessions/s1/traces"):
        assert "secret" not in api.get(path).text
    assert ids(api, user_id="rival-user") == []


def test_the_api_describes_itself(api: httpx.Client) -> None:
    """`/openapi.json` names every route and the parameters of the list."""
    paths = get(api, "/openapi.json")["paths"]
    sessions, threads = "/v1/sessions/{session_id}", "/v1/threads/{thread_id}"
    assert set(paths) == {
        *("/v1/sessions", sessions, f"{sessions}/traces", "/v1/traces"),
        *("/v1/traces/{trace_id}/spans", "/v1/traces/{trace_id}/spans/{span_id}"),
        *("/v1/sessions/stats", f"{sessions}/logs", "/v1/users", "/v1/capabilities"),
        *("/v1/models", "/v1/threads", threads, f"{threads}/sessions"),
    }
    names = {parameter["name"] for parameter in paths["/v1/sessions"]["get"]["parameters"]}
    contract = "limit offset start_date end_date sort_by sort_order search name userId user_id "
    contract += "thread_id environment tag model metadata.{key} "
    contract += "service status has_error min_cost min_tokens min_duration_ms format"
    assert names == set(contract.split())


def test_a_store_that_is_gone_answers_service_unavailable_and_says_nothing_of_the_inside(
    chdb_client: Callable[[], Any], store_config: StoreConfig
) -> None:
    """503 while the store does not answer, 500 `internal_error` for a mistake of ours, both in the contract's shape."""
    gone = SessionQueries(_Gone(), store_config.database)
    broken = SessionQueries(chdb_client(), "no_such_database")
    for reader, status, code in ((gone, 503, "service_unavailable"), (broken, 500, "internal_error")):
        with served(create_app(QueryPool([reader], 0), DEFAULT_TENANT, "0", Prices())) as url:
            response = httpx.get(f"{url}/v1/sessions", timeout=60)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert "database" not in response.text.lower()


class _Gone:
    """The network's part: a connection that is refused."""

    def query(self, query: str, parameters: dict[str, Any], settings: dict[str, Any]) -> Any:
        raise ConnectionRefusedError(111, "Connection refused")
