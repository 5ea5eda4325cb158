"""The sessions API over HTTP: routes, and nothing else.

Sees `store.queries` and what is pure. Queries block, so handlers are plain functions that run in worker threads.
Must never serve a tenant that the caller does not name; until there is authentication, there is one tenant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Query
from starlette.types import ASGIApp, Receive, Scope, Send

from processor.api.deletion import add_deletion
from processor.api.errors import NotFound, install_error_handlers
from processor.api.models import (
    ModelList,
    Pagination,
    SessionItem,
    SessionList,
    ThreadItem,
    ThreadList,
    model_usage_of,
    session_detail_of,
    session_of,
    thread_of,
)
from processor.api.parameters import (
    METADATA_PARAMETER,
    ModelParameters,
    PageParameters,
    SessionId,
    SessionParameters,
    ThreadId,
    ThreadParameters,
    session_filter,
    session_filter_of_thread,
    thread_filter,
)
from processor.api.pool import QueryPool
from processor.api.spans import judged, shown
from processor.api.traces import Span, TraceList, span_of, trace_of
from processor.pricing.prices import Prices
from processor.store.deletions import SessionDeletions
from processor.store.queries import SessionFilter, SessionQueries, ThreadFilter

_WITH_METADATA: Final = {"parameters": [METADATA_PARAMETER]}


class TraceParameters(PageParameters):
    """What `GET /v1/traces` understands."""

    session_id: str


def create_app(
    pool: QueryPool, tenant: str, version: str, prices: Prices, deletions: SessionDeletions | None = None
) -> ASGIApp:
    """The whole API for one tenant. `prices` are those that its rollups are made with.

    Without `deletions` it only reads.
    """
    app = FastAPI(title="otel-sessions", version=version, docs_url=None, redoc_url=None, redirect_slashes=False)
    install_error_handlers(app)
    if deletions is not None:
        add_deletion(app, tenant, deletions)

    @app.get("/v1/sessions", response_model=SessionList, openapi_extra=_WITH_METADATA)
    def list_sessions(
        parameters: Annotated[SessionParameters, Query()],
        wanted: Annotated[SessionFilter, Depends(session_filter)],
    ) -> SessionList:
        """Sessions whose interval overlaps the range; their totals are always whole."""
        return sessions_of(parameters, wanted)

    def sessions_of(parameters: SessionParameters, wanted: SessionFilter) -> SessionList:
        with pool.reader() as queries:
            rows, total = queries.list_sessions(
                tenant,
                wanted,
                sort_by=parameters.sort_by,
                sort_order=parameters.sort_order,
                limit=parameters.limit,
                offset=parameters.offset,
            )
        return SessionList(data=[session_of(row) for row in rows], pagination=_pagination(parameters, total))

    @app.get("/v1/sessions/{session_id}", response_model=SessionItem)
    def get_session(session_id: SessionId) -> SessionItem:
        """One session, as in the list, with its usage by model, provider and service."""
        with pool.reader() as queries:
            row = queries.get_session(tenant, session_id)
            if row is None:
                raise NotFound("Session not found")
            breakdown = queries.session_breakdown(tenant, session_id)
        return SessionItem(data=session_detail_of(row, breakdown))

    @app.get("/v1/sessions/{session_id}/traces", response_model=TraceList)
    def session_traces(session_id: SessionId, parameters: Annotated[PageParameters, Query()]) -> TraceList:
        """The session's traces with their spans; an unknown session has none."""
        return traces_of(session_id, parameters)

    @app.get("/v1/traces", response_model=TraceList)
    def list_traces(parameters: Annotated[TraceParameters, Query()]) -> TraceList:
        """The same, for ids that don't fit a path."""
        return traces_of(parameters.session_id, parameters)

    def traces_of(session_id: str, parameters: PageParameters) -> TraceList:
        with pool.reader() as queries:
            rows, total = queries.session_traces(tenant, session_id, parameters.limit, parameters.offset)
            spans = spans_of(queries, [row["trace_id"] for row in rows])
        data = [trace_of(row, spans[row["trace_id"]]) for row in rows]
        return TraceList(data=data, pagination=_pagination(parameters, total))

    def spans_of(queries: SessionQueries, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
        rows = shown(judged(queries.narrow_spans(tenant, trace_ids), prices), trace_ids)
        details = queries.span_details(tenant, rows)
        by_trace: dict[str, list[Span]] = defaultdict(list)
        for row in rows:
            by_trace[row["trace_id"]].append(span_of(row, details.get((row["trace_id"], row["span_id"]))))
        return by_trace

    @app.get("/v1/models", response_model=ModelList)
    def list_models(parameters: Annotated[ModelParameters, Query()]) -> ModelList:
        """What each model took over all sessions; first those that most calls have no price for."""
        with pool.reader() as queries:
            rows, total = queries.list_models(
                tenant, unpriced=parameters.unpriced, limit=parameters.limit, offset=parameters.offset
            )
        return ModelList(data=[model_usage_of(row) for row in rows], pagination=_pagination(parameters, total))

    @app.get("/v1/threads", response_model=ThreadList)
    def list_threads(
        parameters: Annotated[ThreadParameters, Query()], wanted: Annotated[ThreadFilter, Depends(thread_filter)]
    ) -> ThreadList:
        """Sessions by the thread they name; totals are always whole."""
        with pool.reader() as queries:
            rows, total = queries.list_threads(
                tenant,
                wanted,
                sort_by=parameters.sort_by,
                sort_order=parameters.sort_order,
                limit=parameters.limit,
                offset=parameters.offset,
            )
        return ThreadList(data=[thread_of(row) for row in rows], pagination=_pagination(parameters, total))

    @app.get("/v1/threads/{thread_id}", response_model=ThreadItem)
    def get_thread(thread_id: ThreadId) -> ThreadItem:
        """One thread, as in the list."""
        with pool.reader() as queries:
            row = queries.get_thread(tenant, thread_id)
        if row is None:
            raise NotFound("Thread not found")
        return ThreadItem(data=thread_of(row))

    @app.get("/v1/threads/{thread_id}/sessions", response_model=SessionList, openapi_extra=_WITH_METADATA)
    def thread_sessions(
        parameters: Annotated[SessionParameters, Query()],
        wanted: Annotated[SessionFilter, Depends(session_filter_of_thread)],
    ) -> SessionList:
        """The thread's sessions, as in the list of all; an unknown thread has none."""
        return sessions_of(parameters, wanted)

    return RawPath(app)


def _pagination(parameters: PageParameters, total: int) -> Pagination:
    return Pagination(total=total, limit=parameters.limit, offset=parameters.offset)


class RawPath:
    """Routes by the path as it was sent, so that `%2F` inside a session id is not a separator."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: Any = scope.get("raw_path")
        if raw:
            scope = {**scope, "path": raw.decode("ascii", "replace")}
        await self._app(scope, receive, send)
