"""Sessions and threads: lists of them, and one of each."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from processor.api.context import Context
from processor.api.errors import NotFound
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
from processor.api.totals import Totals
from processor.store.queries import SessionFilter, ThreadFilter

_WITH_METADATA: Final = {"parameters": [METADATA_PARAMETER]}


def session_routes(context: Context) -> APIRouter:
    """`/v1/sessions` and `/v1/threads`."""
    router, pool, tenant, totals = APIRouter(), context.pool, context.tenant, Totals()

    @router.get("/v1/sessions", openapi_extra=_WITH_METADATA)
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
        if total is None:
            total = totals.of((tenant, wanted), lambda: count(wanted))
        return SessionList(data=[session_of(row) for row in rows], pagination=Pagination.of(parameters, total))

    def count(wanted: SessionFilter) -> int:
        with pool.reader() as queries:
            return queries.count_sessions(tenant, wanted)

    @router.get("/v1/sessions/{session_id}")
    def get_session(session_id: SessionId) -> SessionItem:
        """One session, as in the list, with its usage by model, provider and service."""
        with pool.reader() as queries:
            row = queries.get_session(tenant, session_id)
            if row is None:
                raise NotFound("Session not found")
            breakdown = queries.session_breakdown(tenant, session_id)
        return SessionItem(data=session_detail_of(row, breakdown))

    @router.get("/v1/threads")
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
        return ThreadList(data=[thread_of(row) for row in rows], pagination=Pagination.of(parameters, total))

    @router.get("/v1/threads/{thread_id}")
    def get_thread(thread_id: ThreadId) -> ThreadItem:
        """One thread, as in the list."""
        with pool.reader() as queries:
            row = queries.get_thread(tenant, thread_id)
        if row is None:
            raise NotFound("Thread not found")
        return ThreadItem(data=thread_of(row))

    @router.get("/v1/threads/{thread_id}/sessions", openapi_extra=_WITH_METADATA)
    def thread_sessions(
        parameters: Annotated[SessionParameters, Query()],
        wanted: Annotated[SessionFilter, Depends(session_filter_of_thread)],
    ) -> SessionList:
        """The thread's sessions, as in the list of all; an unknown thread has none."""
        return sessions_of(parameters, wanted)

    return router
