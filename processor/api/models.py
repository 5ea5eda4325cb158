"""The JSON of the sessions API, and how rows become it.

A client written for AgentMark's sessions API works unchanged: its fields stand first, ours follow. Times are ISO 8601
in UTC with microseconds and a `Z` (AgentMark's schema takes no offset), costs are numbers in US dollars.
Source: SESSIONS_API; names and shapes of AgentMark `api-schemas`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from processor.model import MODEL_CALLS, NANOS_PER_MILLI, StatusCode
from processor.store.queries import Row

StatusName = Literal["UNSET", "OK", "ERROR"]

_NANOS_PER_DOLLAR = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUS: dict[int, StatusName] = {StatusCode.UNSET: "UNSET", StatusCode.OK: "OK", StatusCode.ERROR: "ERROR"}


class Session(BaseModel):
    """One session, whole."""

    id: str
    name: str
    start: str
    end: str
    trace_count: int
    total_cost: float
    total_tokens: int
    latency_ms: float
    tags: list[str]
    user_id: str
    thread_id: str
    span_count: int
    error_count: int
    llm_call_count: int
    tool_call_count: int
    input_tokens: int
    output_tokens: int
    unpriced_span_count: int
    active_ms: float
    llm_ms: float
    models: list[str]
    providers: list[str]
    services: list[str]


class Span(BaseModel):
    """One span of a trace; `metadata` holds its attributes, each cut at 8192 characters."""

    id: str
    trace_id: str
    parent_id: str | None
    name: str
    status: StatusName
    status_message: str
    duration_ms: float
    timestamp: str
    type: Literal["GENERATION", "SPAN"]
    kind: str
    model: str | None
    provider: str | None
    input_tokens: int
    output_tokens: int
    tokens: int
    cost: float
    metadata: dict[str, str]
    span_kind: str
    service_name: str


class Trace(BaseModel):
    """One trace of a session: totals of the session's own spans, and all spans of the trace up to a limit."""

    id: str
    name: str
    status: StatusName
    start: str
    end: str
    latency_ms: float
    cost: float
    tokens: int
    span_count: int
    error_count: int
    tags: list[str]
    spans: list[Span]


class Pagination(BaseModel):
    """Where in the whole list a page lies."""

    total: int
    limit: int
    offset: int


class SessionList(BaseModel):
    """One page of sessions."""

    data: list[Session]
    pagination: Pagination


class SessionItem(BaseModel):
    """One session."""

    data: Session


class TraceList(BaseModel):
    """One page of a session's traces."""

    data: list[Trace]
    pagination: Pagination


def session_of(row: Row) -> Session:
    """A row of `list_sessions` as JSON model."""
    same_name = Session.model_fields.keys() & row.keys()
    return Session(
        id=row["session_id"],
        start=iso_utc(row["start_ns"]),
        end=iso_utc(row["end_ns"]),
        latency_ms=row["duration_ms"],
        tags=[],
        **{name: row[name] for name in same_name},
    )


def trace_of(row: Row) -> Trace:
    """A row of `session_traces` as JSON model."""
    return Trace(
        id=row["trace_id"],
        name=row["name"],
        status=_status(row["status_code"]),
        start=iso_utc(row["start_ns"]),
        end=iso_utc(row["end_ns"]),
        latency_ms=_duration_ms(row),
        cost=_dollars(row["cost_nano_usd"]),
        tokens=row["total_tokens"],
        span_count=row["span_count"],
        error_count=row["error_count"],
        tags=[],
        spans=[_span_of(span) for span in row["spans"]],
    )


def _span_of(row: Row) -> Span:
    return Span(
        id=row["span_id"],
        trace_id=row["trace_id"],
        parent_id=row["parent_span_id"] or None,
        name=row["name"],
        status=_status(row["status_code"]),
        status_message=row["status_message"],
        duration_ms=_duration_ms(row),
        timestamp=iso_utc(row["start_ns"]),
        type="GENERATION" if row["kind"] in MODEL_CALLS else "SPAN",
        kind=row["kind"],
        model=row["model"] or None,
        provider=row["provider"] or None,
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        tokens=row["total_tokens"],
        cost=_dollars(row["cost_nano_usd"]),
        metadata=row["attributes"],
        span_kind=row["span_kind"],
        service_name=row["service"],
    )


def iso_utc(ns: int) -> str:
    """Unix nanoseconds as `2026-11-20T10:00:00.123456Z`, cut to microseconds."""
    moment = _EPOCH + timedelta(microseconds=ns // 1_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _status(code: int) -> StatusName:
    return _STATUS.get(code, "UNSET")


def _duration_ms(row: Row) -> float:
    # A span that ends before it starts counts with zero length, as in the rollups.
    duration_ns: int = max(0, row["end_ns"] - row["start_ns"])
    return duration_ns / NANOS_PER_MILLI


def _dollars(nano_usd: int) -> float:
    return nano_usd / _NANOS_PER_DOLLAR
