"""What users of other tools complain of, each a test: OTLP in, through the write path, and out over HTTP.

The same answers are parsed by a client made of AgentMark's published schemas (`agentmark`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from pydantic import BaseModel

from processor.model import DEFAULT_TENANT, NANOS_PER_SECOND
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.store.queries import SessionFilter, SessionQueries
from tests.integration import agentmark
from tests.integration.asking import api_on, get
from tests.integration.stored import T0, insert, session
from tests.pipeline import Pipeline
from tests.strategies import NOW_NS, any_value

S = NANOS_PER_SECOND
LONG_ID = "conversation/" + "é" * 1_000
CALL = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
PRICED = {**CALL, "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai", "gen_ai.usage.cost": 0.5}
WRAPPER = {"gen_ai.operation.name": "invoke_agent", **{key: PRICED[key] for key in PRICED if "usage" in key}}
MANY_TRACES = 20_000


def sent(number: int, *spans: tuple[dict[str, Any], int, int]) -> bytes:
    """One trace: attributes, start and end in seconds of each span; the first is the root, the parent of the others."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for index, (attributes, start_s, end_s) in enumerate(spans):
        scope.spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=(number * 10 + index).to_bytes(8, "big"),
            parent_span_id=(number * 10).to_bytes(8, "big") if index else b"",
            name=str(attributes.get("gen_ai.operation.name", "turn")),
            start_time_unix_nano=NOW_NS + start_s * S,
            end_time_unix_nano=NOW_NS + end_s * S,
            attributes=[KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()],
        )
    return request.SerializeToString()


@pytest.fixture(scope="module")
def api(chdb_client: Callable[[], Any], store_config: StoreConfig, store: ClickHouseStore) -> Iterator[httpx.Client]:
    """The API on what a worker made of sessions such as people complain of."""
    pipeline = Pipeline(store)
    root = {"session.id": "root-only", "output.value": "said"}
    for tenant, payload in (
        (DEFAULT_TENANT, sent(1, (root, -100, -90), (PRICED, -99, -95), (PRICED, -94, -93))),
        (DEFAULT_TENANT, sent(2, ({"session.id": "wrapped"}, -80, -70), (WRAPPER, -79, -71))),
        (DEFAULT_TENANT, sent(3, ({"session.id": "one-span", **PRICED}, -60, -57))),
        (DEFAULT_TENANT, sent(4, ({"session.id": "mixed", "output.value": "said"}, -50, -40))),
        (DEFAULT_TENANT, sent(5, ({"session.id": "mixed"}, -30, -29), (CALL, -30, -29))),
        (DEFAULT_TENANT, sent(6, ({"session.id": LONG_ID, **PRICED}, -20, -10))),
        (DEFAULT_TENANT, sent(7, ({"session.id": "old"}, -9_000, -8_990), (PRICED, -9_000, -8_995))),
        (DEFAULT_TENANT, sent(8, ({"session.id": "old", "session.name": "needle"}, -10, -5), (PRICED, -10, -6))),
        ("rival", sent(9, ({"session.id": "root-only", "user.id": "mallory", **PRICED}, -100, -1))),
        (DEFAULT_TENANT, sent(10, ({"session.id": "unpriced", **CALL, "gen_ai.request.model": "acme-1"}, -5, -4))),
    ):
        pipeline.deliver(tenant, payload)
        pipeline.deliver(tenant, payload)  # as an exporter sends again what was not acknowledged
    call = sent(2, ({"session.id": "wrapped"}, -80, -70), (WRAPPER, -79, -71), (PRICED, -78, -72))
    nested = ExportTraceServiceRequest.FromString(call)
    nested.resource_spans[0].scope_spans[0].spans[2].parent_span_id = (21).to_bytes(8, "big")
    pipeline.deliver(DEFAULT_TENANT, nested.SerializeToString())
    pipeline.settle()
    client, database = chdb_client(), store_config.database
    client.command(
        f"INSERT INTO {database}.session_traces (tenant, session_id, trace_id, version, start_ns, end_ns, span_count) "
        f"SELECT '{DEFAULT_TENANT}', 'huge', lower(hex(sipHash128(number))), 1, {T0} + number * 1000 AS at, at, 1 "
        f"FROM numbers({MANY_TRACES})"
    )
    insert(client, database, "session_rollups", session("huge", trace_count=MANY_TRACES))
    insert(client, database, "session_rollups", *(session(f"n{i:03}", start_ns=T0 - i) for i in range(120)))
    with api_on(chdb_client, store_config) as opened:
        yield opened


def one(api: httpx.Client, session_id: str) -> Any:
    """One session."""
    return get(api, f"/v1/sessions/{quote(session_id, safe='')}")["data"]


def test_a_session_id_on_the_root_alone_costs_what_its_calls_cost(api: httpx.Client) -> None:
    """The calls below it name no session and count in it all the same; sent twice, they count once."""
    found = one(api, "root-only")
    assert (found["total_cost"], found["total_tokens"], found["llm_call_count"]) == (1.0, 220, 2)
    assert (found["trace_count"], found["span_count"]) == (1, 3)


def test_a_wrapper_and_the_call_below_it_count_once(api: httpx.Client) -> None:
    """What the wrapper repeats is not added."""
    found = one(api, "wrapped")
    assert (found["total_cost"], found["total_tokens"], found["llm_call_count"]) == (0.5, 110, 1)


def test_a_trace_of_one_span_lasts_as_long_as_its_span(api: httpx.Client) -> None:
    """Not 0, and a session lasts from its first start to its last end, not as long as its longest span."""
    assert one(api, "one-span")["latency_ms"] == 3_000
    (trace,) = get(api, "/v1/traces", session_id="one-span")["data"]
    assert trace["latency_ms"] == trace["spans"][0]["duration_ms"] == 3_000
    assert one(api, "mixed")["latency_ms"] == 21_000


def test_one_trace_without_output_hides_nothing(api: httpx.Client) -> None:
    """The session is listed with all its traces, and so are the others."""
    assert one(api, "mixed")["trace_count"] == len(get(api, "/v1/traces", session_id="mixed")["data"]) == 2
    listed = {item["id"] for item in get(api, "/v1/sessions", limit=1000)["data"]}
    assert {"root-only", "wrapped", "one-span", "mixed", "old", "unpriced", LONG_ID} <= listed


def test_dates_and_searches_select_sessions_and_leave_them_whole(api: httpx.Client) -> None:
    """The older half of a long session counts when the range or the search meets the younger one only."""
    whole = one(api, "old")
    del whole["breakdown"]
    assert whole["total_cost"] == 1.0
    start = whole["end"][:17] + "00Z"
    (by_date,) = (item for item in get(api, "/v1/sessions", start_date=start)["data"] if item["id"] == "old")
    (by_search,) = get(api, "/v1/sessions", search="needle")["data"]
    assert by_date == by_search == whole


@pytest.mark.parametrize("sort_by", ["start", "name", "id", "total_cost"])
def test_session_51_and_every_other_is_on_some_page(api: httpx.Client, sort_by: str) -> None:
    """Sorting and paging happen before the page is cut, each session stands on one page."""
    total = get(api, "/v1/sessions")["pagination"]["total"]
    assert total > 120
    found = []
    for offset in range(0, total, 50):
        found += [item["id"] for item in get(api, "/v1/sessions", sort_by=sort_by, offset=offset)["data"]]
    assert len(found) == len(set(found)) == total


def test_the_same_session_id_of_two_tenants_stays_apart(
    api: httpx.Client, client: Any, store_config: StoreConfig
) -> None:
    """Every question of the store's asks for one tenant, and what one sees the other does not."""
    queries = SessionQueries(client, store_config.database)
    ours, theirs = (queries.get_session(tenant, "root-only") for tenant in (DEFAULT_TENANT, "rival"))
    assert ours is not None
    assert theirs is not None
    assert (ours["user_id"], theirs["user_id"]) == ("", "mallory")
    assert (float(ours["total_cost"]), float(theirs["total_cost"])) == (1.0, 0.5)
    assert queries.list_sessions("rival", SessionFilter())[1] == 1
    assert [len(queries.session_traces(tenant, "root-only")[0]) for tenant in (DEFAULT_TENANT, "rival")] == [1, 1]
    assert "mallory" not in api.get("/v1/users").text + api.get("/v1/sessions", params={"format": "csv"}).text


def test_a_session_of_twenty_thousand_traces_is_read_page_by_page(api: httpx.Client) -> None:
    """Each trace once, in order, and the last page as well as the first."""
    assert one(api, "huge")["trace_count"] == MANY_TRACES
    found: list[str] = []
    for offset in range(0, MANY_TRACES, 1_000):
        body = get(api, "/v1/traces", session_id="huge", limit=1000, offset=offset, spans="false")
        assert body["pagination"]["total"] == MANY_TRACES
        assert len(body["data"]) == 1_000
        found += [item["start"] + item["id"] for item in body["data"]]
    assert found == sorted(found)
    assert len(set(found)) == MANY_TRACES


def test_ids_longer_than_two_hundred_characters_are_ids(api: httpx.Client) -> None:
    """Kept whole, and found, read and listed like any other."""
    assert one(api, LONG_ID)["id"] == LONG_ID
    assert [item["id"] for item in get(api, "/v1/sessions", search=LONG_ID)["data"]] == [LONG_ID]
    assert len(get(api, "/v1/traces", session_id=LONG_ID)["data"]) == 1


def test_unpriced_is_not_free(api: httpx.Client) -> None:
    """A call without a price says so in its session, in statistics and among models."""
    found = one(api, "unpriced")
    assert (found["total_cost"], found["unpriced_span_count"], found["total_tokens"]) == (0.0, 1, 110)
    assert get(api, "/v1/sessions/stats", search="unpriced")["data"]["unpriced_span_count"] == 1
    assert "acme-1" in [item["model"] for item in get(api, "/v1/models", unpriced="true")["data"]]


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/sessions?limit=1000", agentmark.Listed[agentmark.SessionResponse]),
        ("/v1/sessions?start_date=2025-01-01T00:00:00Z&search=o&limit=5", agentmark.Listed[agentmark.SessionResponse]),
        ("/v1/sessions?sort_by=latency_ms&sort_order=asc&offset=1", agentmark.Listed[agentmark.SessionResponse]),
        ("/v1/sessions/root-only", agentmark.Item[agentmark.SessionResponse]),
        ("/v1/sessions/root-only/traces", agentmark.Item[list[agentmark.SessionTrace]]),
        ("/v1/sessions/nobody/traces", agentmark.Item[list[agentmark.SessionTrace]]),
        ("/v1/traces?session_id=mixed", agentmark.Listed[agentmark.TraceResponse]),
        (f"/v1/traces/{1:032x}/spans", agentmark.Item[list[agentmark.TraceSpan]]),
        (f"/v1/traces/{1:032x}/spans/{10:016x}", agentmark.Item[agentmark.SpanIO]),
    ],
)
def test_agentmarks_client_parses_every_answer(api: httpx.Client, path: str, shape: type[BaseModel]) -> None:
    """Its published schemas hold, strictly."""
    parsed: Any = shape.model_validate_json(api.get(path).content)
    assert parsed.data or "nobody" in path


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/sessions?limit=0", 400), ("/v1/sessions/%ff", 400), ("/v1/sessions/nobody", 404), ("/v1/nothing", 404)],
)
def test_agentmarks_client_parses_every_error(api: httpx.Client, path: str, status: int) -> None:
    """The same envelope for all."""
    response = api.get(path)
    assert response.status_code == status
    assert agentmark.ErrorResponse.model_validate_json(response.content).error.code
