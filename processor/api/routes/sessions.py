"""Sessions and threads: lists of them, and one of each."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from processor.api.authentication import Tenant
from processor.api.context import Context
from processor.api.errors import NotFound
from processor.api.exports.tables import SESSIONS, THREADS
from processor.api.exports.wanted import FILES, export_limit, exported, format_of, page_limit
from processor.api.models import (
    Pagination,
    SessionItem,
    SessionList,
    ThreadItem,
    ThreadList,
    session_detail_of,
    session_of,
    thread_of,
)
from processor.api.parameters import (
    METADATA_PARAMETER,
    SessionParameters,
    ThreadParameters,
    session_filter,
    session_filter_of_thread,
    thread_filter,
)
from processor.api.paths import SessionId, ThreadId
from processor.store.queries import SessionFilter, ThreadFilter

_KEPT_FROM_S: Final = 0.25  # what is counted faster is always counted
_WITH_METADATA: Final = {"parameters": [METADATA_PARAMETER]}


def session_routes(context: Context) -> APIRouter:
    """`/v1/sessions` and `/v1/threads`."""
    router, pool = APIRouter(), context.pool

    @router.get("/v1/sessions", response_model=SessionList, responses=FILES, openapi_extra=_WITH_METADATA)
    def list_sessions(
        tenant: Tenant,
        parameters: Annotated[SessionParameters, Query()],
        wanted: Annotated[SessionFilter, Depends(session_filter)],
        request: Request,
    ) -> SessionList | Response:
        """Sessions whose interval overlaps the range; their totals are always whole."""
        return sessions_of(tenant, parameters, wanted, request)

    def sessions_of(
        tenant: str, parameters: SessionParameters, wanted: SessionFilter, request: Request
    ) -> SessionList | Response:
        order, offset = (parameters.sort_by, parameters.sort_order), parameters.offset
        if (kind := format_of(parameters, request)) != "json":
            most = export_limit(parameters)
            return exported(
                context, kind, SESSIONS, lambda it: it.stream_sessions(tenant, wanted, *order, most, offset)
            )
        limit = page_limit(parameters)
        with pool.reader() as queries:
            rows, total = queries.list_sessions(
                tenant, wanted, sort_by=order[0], sort_order=order[1], limit=limit, offset=offset
            )
        if total is None:
            total = context.kept.of(
                ("sessions", tenant, wanted), lambda: count(tenant, wanted), lambda _, took_s: took_s > _KEPT_FROM_S
            )
        page = Pagination(total=total, limit=limit, offset=offset)
        return SessionList(data=[session_of(row) for row in rows], pagination=page)

    def count(tenant: str, wanted: SessionFilter) -> int:
        with pool.reader() as queries:
            return queries.count_sessions(tenant, wanted)

    @router.get("/v1/sessions/{session_id}")
    def get_session(tenant: Tenant, session_id: SessionId) -> SessionItem:
        """One session, as in the list, with its usage by model, provider and service."""
        with pool.reader() as queries:
            row = queries.get_session(tenant, session_id)
            if row is None:
                raise NotFound("Session not found")
            breakdown = queries.session_breakdown(tenant, session_id)
        return SessionItem(data=session_detail_of(row, breakdown))

    @router.get("/v1/threads", response_model=ThreadList, responses=FILES)
    def list_threads(
        tenant: Tenant,
        parameters: Annotated[ThreadParameters, Query()],
        wanted: Annotated[ThreadFilter, Depends(thread_filter)],
        request: Request,
    ) -> ThreadList | Response:
        """Sessions by the thread they name; totals are always whole."""
        order, offset = (parameters.sort_by, parameters.sort_order), parameters.offset
        if (kind := format_of(parameters, request)) != "json":
            most = export_limit(parameters)
            return exported(context, kind, THREADS, lambda it: it.stream_threads(tenant, wanted, *order, most, offset))
        limit = page_limit(parameters)
        with pool.reader() as queries:
            rows, total = queries.list_threads(
                tenant, wanted, sort_by=order[0], sort_order=order[1], limit=limit, offset=offset
            )
        page = Pagination(total=total, limit=limit, offset=offset)
        return ThreadList(data=[thread_of(row) for row in rows], pagination=page)

    @router.get("/v1/threads/{thread_id}")
    def get_thread(tenant: Tenant, thread_id: ThreadId) -> ThreadItem:
        """One thread, as in the list."""
        with pool.reader() as queries:
            row = queries.get_thread(tenant, thread_id)
        if row is None:
            raise NotFound("Thread not found")
        return ThreadItem(data=thread_of(row))

    @router.get(
        "/v1/threads/{thread_id}/sessions", response_model=SessionList, responses=FILES, openapi_extra=_WITH_METADATA
    )
    def thread_sessions(
        tenant: Tenant,
        parameters: Annotated[SessionParameters, Query()],
        wanted: Annotated[SessionFilter, Depends(session_filter_of_thread)],
        request: Request,
    ) -> SessionList | Response:
        """The thread's sessions, as in the list of all; an unknown thread has none."""
        return sessions_of(tenant, parameters, wanted, request)

    return router
