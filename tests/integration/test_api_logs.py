"""A session's log records over real HTTP on a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from processor.store.connection import StoreConfig
from tests.integration.asking import api_on, bad, get
from tests.integration.stored import T0, S, insert, trace

TRACE = "a" * 32


def record(body: str, at_ns: int, **values: Any) -> dict[str, Any]:
    """A row of `otel_logs`."""
    return {
        "Tenant": "default",
        "Timestamp": at_ns,
        "ObservedTimestamp": at_ns + S,
        "TraceId": "",
        "SpanId": "",
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "ServiceName": "svc",
        "ScopeName": "lib",
        "EventName": "event",
        "Body": body,
        "LogAttributes": {"k": "v"},
        "SessionId": "",
    } | values


@pytest.fixture(scope="module")
def api(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[httpx.Client]:
    """The API on records that name a session, that stand in its trace, and that do neither."""
    client, database = chdb_client(), store_config.database
    insert(client, database, "session_traces", trace("s/1", TRACE))
    records = [
        record("second", T0 + 2 * S, SessionId="s/1"),
        record("first", T0 + S, TraceId=TRACE, SpanId="b" * 16),
        record("another's", T0, SessionId="s2", TraceId=TRACE),
        record("nobody's", T0),
        record("rival's", T0, Tenant="rival", SessionId="s/1"),
        record("long" * 20_000, T0 + 3 * S, SessionId="s/1", LogAttributes={"long": "y" * 20_000}),
    ]
    insert(client, database, "otel_logs", *records)
    insert(client, database, "otel_logs", *records)
    with api_on(chdb_client, store_config) as opened:
        yield opened


def test_a_session_has_the_records_that_name_it_and_those_of_its_traces(api: httpx.Client) -> None:
    """The earliest first, each once, however often it was sent."""
    body = get(api, "/v1/sessions/s%2F1/logs")
    assert body["pagination"] == {"total": 3, "limit": 50, "offset": 0}
    first, second, _ = body["data"]
    assert first == {
        "timestamp": "2025-11-24T16:00:01.000000Z",
        "observed": "2025-11-24T16:00:02.000000Z",
        "trace_id": TRACE,
        "span_id": "b" * 16,
        "severity": "INFO",
        "severity_number": 9,
        "service_name": "svc",
        "scope": "lib",
        "event_name": "event",
        "body": "first",
        "attributes": {"k": "v"},
        "own_session": False,
    }
    assert (second["body"], second["trace_id"], second["own_session"]) == ("second", "", True)


def test_records_are_bounded_and_paged(api: httpx.Client) -> None:
    """A body and its attributes are cut; pages follow each other."""
    (last,) = get(api, "/v1/sessions/s%2F1/logs", limit=1, offset=2)["data"]
    assert (len(last["body"]), len(last["attributes"]["long"])) == (65_536, 8_192)
    assert list(bad(api, "/v1/sessions/s%2F1/logs", limit=0)) == ["limit"]


def test_an_unknown_session_has_no_records(api: httpx.Client) -> None:
    """200 with an empty list, as for traces."""
    assert get(api, "/v1/sessions/nope/logs")["data"] == []
