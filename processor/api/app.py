"""The sessions API over HTTP: routes, and nothing else.

Sees `store.queries` only. Queries block, so handlers are plain functions that run in worker threads.
Must never serve a tenant that the caller does not name; until there is authentication, there is one tenant.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from starlette.types import ASGIApp, Receive, Scope, Send

from processor.api.errors import NotFound, install_error_handlers
from processor.api.models import Pagination, SessionItem, SessionList, TraceList, session_of, trace_of
from processor.api.parameters import PageParameters, SessionId, SessionParameters, session_filter
from processor.api.pool import QueryPool
from processor.store.queries import SessionFilter


class TraceParameters(PageParameters):
    """What `GET /v1/traces` understands."""

    session_id: str


def create_app(pool: QueryPool, tenant: str, version: str) -> ASGIApp:
    """The whole API for one tenant."""
    app = FastAPI(title="otel-sessions", version=version, docs_url=None, redoc_url=None, redirect_slashes=False)
    install_error_handlers(app)

    @app.get("/v1/sessions", response_model=SessionList)
    def list_sessions(
        parameters: Annotated[SessionParameters, Query()],
        wanted: Annotated[SessionFilter, Depends(session_filter)],
    ) -> SessionList:
        """Sessions whose interval overlaps the range; their totals are always whole."""
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
        """One session, as in the list."""
        with pool.reader() as queries:
            row = queries.get_session(tenant, session_id)
        if row is None:
            raise NotFound("Session not found")
        return SessionItem(data=session_of(row))

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
        return TraceList(data=[trace_of(row) for row in rows], pagination=_pagination(parameters, total))

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
