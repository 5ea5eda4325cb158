"""An HTTP API, watched: how long its requests take, by route and status, and a span for each where those are sent.

A request that bears a `traceparent` belongs to its caller's trace, and the log lines of it bear its ids, also where no
spans are sent. Labels are bounded: a route is a template or `other`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Final

from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from processor.clock import monotonic_s
from processor.telemetry.metrics import Metrics
from processor.telemetry.traces import OwnTraces

OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FAILED: Final = 500
_GONE: Final = 499  # as nginx says that a client went away before it was answered

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class WatchedApi:
    """An ASGI application around another one.

    The other may say in `scope["route"]`, as FastAPI does, what its `path` was matched by; of one that says nothing,
    `paths` are those worth a name.
    """

    def __init__(self, app: Any, api: str, metrics: Metrics, traces: OwnTraces, paths: Collection[str] = ()) -> None:
        self._app = app
        self._api = api
        self._seconds = metrics.api_request_seconds
        self._traces = traces
        self._paths = frozenset(paths)
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s, status = monotonic_s(), _GONE
        method = scope["method"] if scope["method"] in _METHODS else OTHER

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        span = self._span(scope, method)
        token = context.attach(trace.set_span_in_context(span))
        try:
            await self._app(scope, receive, watched)
        except Exception:
            status = _FAILED if status == _GONE else status
            raise
        finally:
            context.detach(token)
            route = self._route(scope)
            self._seconds.labels(self._api, method, route, str(status)).observe(monotonic_s() - started_s)
            _end(span, method, route, status)

    def _span(self, scope: Scope, method: str) -> Span:
        caller = self._propagator.extract(_carrier(scope), context.Context())
        tracer = self._traces.tracer
        span = tracer.start_span(method, context=caller, kind=SpanKind.SERVER)
        if not span.is_recording():
            return NonRecordingSpan(trace.get_current_span(caller).get_span_context())
        span.set_attributes({"http.request.method": method, "otel_sessions.api": self._api})
        return span

    def _route(self, scope: Scope) -> str:
        route = getattr(scope.get("route"), "path", "")
        if route:
            return str(route)
        return scope["path"] if scope["path"] in self._paths else OTHER


def _end(span: Span, method: str, route: str, status: int) -> None:
    if span.is_recording():
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()


def _carrier(scope: Scope) -> dict[str, str]:
    wanted = (b"traceparent", b"tracestate")
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted}
