"""Traces and log records of a session, spans of a trace, and one span."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from processor.api.authentication import Tenant
from processor.api.context import Context
from processor.api.errors import NotFound
from processor.api.exports.tables import LOGS, TRACES
from processor.api.exports.wanted import FILES, export_limit, exported, format_of, page_limit
from processor.api.logs import LogList, log_of
from processor.api.models import Pagination
from processor.api.parameters import ListParameters, PageParameters
from processor.api.paths import SessionId, SpanId, TraceId
from processor.api.spans import but_deleted, judged, one_span, page_of_trace, shown
from processor.api.traces import Span, SpanItem, SpanList, TraceList, span_detail_of, span_of, trace_of
from processor.conventions.contents import contents
from processor.store.queries import SPANS_MAX, SessionQueries


class TracesParameters(ListParameters):
    """What `GET /v1/sessions/{id}/traces` understands."""

    spans: bool = Field(default=True, description="Whether traces come with their spans; without, `spans` is empty.")


class SessionTracesParameters(TracesParameters):
    """What `GET /v1/traces` understands."""

    session_id: str


class SpanParameters(PageParameters):
    """What `GET /v1/traces/{id}/spans` understands."""

    limit: int = Field(default=1_000, ge=1, le=SPANS_MAX, description="Rows on the page.")


def trace_routes(context: Context) -> APIRouter:
    """`/v1/traces`, and `/v1/sessions/{id}/traces`."""
    router, pool = APIRouter(), context.pool

    @router.get("/v1/sessions/{session_id}/traces", response_model=TraceList, responses=FILES)
    def session_traces(
        tenant: Tenant, session_id: SessionId, parameters: Annotated[TracesParameters, Query()], request: Request
    ) -> TraceList | Response:
        """The session's traces with their spans, in files without; an unknown session has none."""
        return traces_of(tenant, session_id, parameters, request)

    @router.get("/v1/sessions/{session_id}/logs", response_model=LogList, responses=FILES)
    def session_logs(
        tenant: Tenant, session_id: SessionId, parameters: Annotated[ListParameters, Query()], request: Request
    ) -> LogList | Response:
        """Log records that name the session, and those that name none and stand in one of its traces, in time."""
        offset = parameters.offset
        if (kind := format_of(parameters, request)) != "json":
            most = export_limit(parameters)
            return exported(context, kind, LOGS, lambda it: it.stream_logs(tenant, session_id, most, offset))
        limit = page_limit(parameters)
        with pool.reader() as queries:
            rows, total = queries.session_logs(tenant, session_id, limit, offset)
        page = Pagination(total=total, limit=limit, offset=offset)
        return LogList(data=[log_of(row) for row in rows], pagination=page)

    @router.get("/v1/traces", response_model=TraceList, responses=FILES)
    def list_traces(
        tenant: Tenant, parameters: Annotated[SessionTracesParameters, Query()], request: Request
    ) -> TraceList | Response:
        """The same, for ids that don't fit a path."""
        return traces_of(tenant, parameters.session_id, parameters, request)

    def traces_of(tenant: str, session_id: str, parameters: TracesParameters, request: Request) -> TraceList | Response:
        offset = parameters.offset
        if (kind := format_of(parameters, request)) != "json":
            most = export_limit(parameters)
            return exported(context, kind, TRACES, lambda it: it.stream_traces(tenant, session_id, most, offset))
        limit = page_limit(parameters)
        with pool.reader() as queries:
            rows, total = queries.session_traces(tenant, session_id, limit, offset)
            trace_ids = [row["trace_id"] for row in rows] if parameters.spans else []
            spans = spans_of(queries, tenant, trace_ids)
        data = [trace_of(row, spans.get(row["trace_id"], [])) for row in rows]
        return TraceList(data=data, pagination=Pagination(total=total, limit=limit, offset=offset))

    def spans_of(queries: SessionQueries, tenant: str, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
        narrow = but_deleted(queries, tenant, queries.narrow_spans(tenant, trace_ids))
        rows = shown(judged(narrow, context.prices), trace_ids)
        details = queries.span_details(tenant, rows)
        known = [details.get((row["trace_id"], row["span_id"])) for row in rows]
        said = contents([found["attributes"] if found else {} for found in known], context.contents)
        by_trace: dict[str, list[Span]] = defaultdict(list)
        for row, found, words in zip(rows, known, said.iter_rows(named=True), strict=True):
            by_trace[row["trace_id"]].append(span_of(row, found, words))
        return by_trace

    @router.get("/v1/traces/{trace_id}/spans")
    def trace_spans(tenant: Tenant, trace_id: TraceId, parameters: Annotated[SpanParameters, Query()]) -> SpanList:
        """The spans of a trace over all its sessions, as they started, without what they say in words."""
        page = parameters.limit, parameters.offset
        with pool.reader() as queries:
            rows, total = page_of_trace(queries, tenant, trace_id, context.prices, *page)
            details = queries.span_details(tenant, rows, with_attributes=False)
        data = [span_of(row, details.get((trace_id, row["span_id"]))) for row in rows]
        return SpanList(data=data, pagination=Pagination(total=total, limit=page[0], offset=page[1]))

    @router.get("/v1/traces/{trace_id}/spans/{span_id}")
    def get_span(tenant: Tenant, trace_id: TraceId, span_id: SpanId) -> SpanItem:
        """One span, whole."""
        with pool.reader() as queries:
            row = one_span(queries, tenant, trace_id, span_id, context.prices)
            if row is None:
                raise NotFound("Span not found")
            whole = queries.whole_span(tenant, row)
        said = contents([whole["attributes"] if whole else {}], context.contents)
        return SpanItem(data=span_detail_of(row, whole, said.row(0, named=True)))

    return router
