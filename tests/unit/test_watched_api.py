"""What is counted of a request to an API, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace

from processor.telemetry.metrics import Metrics
from processor.telemetry.requests import WatchedApi
from processor.telemetry.traces import OwnTraces

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def answers(scope: Scope, _: Receive, send: Send) -> None:
    """As a route of ours does."""
    scope["route"] = SimpleNamespace(path="/v1/sessions/{session_id}")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    """Before it answers; the server says 500 then."""
    raise RuntimeError("a fault of ours")


async def breaks_off(scope: Scope, receive: Receive, send: Send) -> None:
    """In the middle of an answer."""
    await answers(scope, receive, send)
    raise RuntimeError("a fault of ours")


async def gives_up(scope: Scope, receive: Receive, send: Send) -> None:
    """Because the client went away."""


async def ask(app: Any, metrics: Metrics, **scope: Any) -> Scope:
    """One request, whatever becomes of it; its scope comes back."""

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_: MutableMapping[str, Any]) -> None:
        pass

    asked: Scope = {"type": "http", "method": "GET", "path": "/secret-id", "headers": [], **scope}
    watched = WatchedApi(app, "sessions_api", metrics, OwnTraces(None, metrics), ("/ping",))
    try:
        await watched(asked, receive, send)
    except RuntimeError:
        assert app in (fails, breaks_off)
    return asked


@pytest.mark.parametrize(
    ("app", "scope", "method", "route", "status"),
    [
        (answers, {}, "GET", "/v1/sessions/{session_id}", "200"),
        (fails, {}, "GET", "other", "500"),
        (breaks_off, {}, "GET", "/v1/sessions/{session_id}", "200"),
        (gives_up, {}, "GET", "other", "499"),
        (gives_up, {"path": "/ping"}, "GET", "/ping", "499"),
        (gives_up, {"method": "BREW"}, "other", "other", "499"),
    ],
)
def test_every_request_is_counted_once_under_bounded_labels(
    app: Any, scope: Any, method: str, route: str, status: str
) -> None:
    """By method, template and status; the path itself is never a label."""
    metrics = Metrics()
    asyncio.run(ask(app, metrics, **scope))
    labels = {"api": "sessions_api", "method": method, "route": route, "status": status}
    assert metrics.registry.get_sample_value("otel_sessions_api_request_seconds_count", labels) == 1


@pytest.mark.parametrize("header", [b"nonsense", b"00-0-0-00", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"\xff"])
def test_a_traceparent_that_is_none_is_no_reason_to_fail(header: bytes) -> None:
    """It is as if it were not there."""
    seen = []

    async def looks(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(trace.get_current_span().get_span_context().is_valid)
        await answers(scope, receive, send)

    asyncio.run(ask(looks, Metrics(), headers=[(b"traceparent", header)]))
    assert seen == [False]


def test_log_lines_of_a_request_may_bear_its_callers_trace() -> None:
    """Also where no spans are sent."""
    seen = []

    async def looks(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(trace.get_current_span().get_span_context().trace_id)
        await answers(scope, receive, send)

    header = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    asyncio.run(ask(looks, Metrics(), headers=[(b"traceparent", header)]))
    assert seen == [int("a" * 32, 16)]
    assert not trace.get_current_span().get_span_context().is_valid
