"""The JSON of traces and their spans, and how rows become it.

Times and money as in `models`. A span's tokens are what it states, its cost is what it adds to its session.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field

from processor.api.models import Pagination, StatusName
from processor.api.units import dollars, iso_utc, millis
from processor.model import MODEL_CALLS, NANOS_PER_MILLI, StatusCode
from processor.store.queries import Row

_STATUS: Final[dict[int, StatusName]] = {StatusCode.OK: "OK", StatusCode.ERROR: "ERROR"}
_NO_DETAILS: Final[Row] = {"span_kind": "", "status_message": "", "attributes": {}}


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
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    counts: bool = Field(description="Its tokens count in its session: no other span stands for the same call.")
    cost: float = Field(description="What it adds to its session: as stated, else by its price; 0 where it does not.")
    input_cost: float
    output_cost: float
    ttft_ms: float | None = Field(description="Time to the first token, where stated.")
    session_id: str = Field(description="The session it belongs to; a trace may lie in several.")
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
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    span_count: int
    error_count: int
    tags: list[str]
    spans: list[Span]


class TraceList(BaseModel):
    """One page of a session's traces."""

    data: list[Trace]
    pagination: Pagination


def trace_of(row: Row, spans: list[Span]) -> Trace:
    """A row of `session_traces` as JSON model."""
    return Trace(
        id=row["trace_id"],
        name=row["name"],
        status=_status(row["status_code"]),
        start=iso_utc(row["start_ns"]),
        end=iso_utc(row["end_ns"]),
        latency_ms=millis(row["start_ns"], row["end_ns"]),
        cost=dollars(row["cost_nano_usd"]),
        tokens=row["total_tokens"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cache_read_tokens=row["cache_read_tokens"],
        cache_write_tokens=row["cache_write_tokens"],
        span_count=row["span_count"],
        error_count=row["error_count"],
        tags=row["tags"],
        spans=spans,
    )


def span_of(row: Row, details: Row | None) -> Span:
    """A row of `spans.shown` as JSON model, and of `span_details` where the wide table still has the span."""
    details = details or _NO_DETAILS
    return Span(
        id=row["span_id"],
        trace_id=row["trace_id"],
        parent_id=row["parent_span_id"] or None,
        name=row["name"],
        status=_status(row["status_code"]),
        status_message=details["status_message"] or row["status_message"],
        duration_ms=millis(row["start_ns"], row["end_ns"]),
        timestamp=iso_utc(row["start_ns"]),
        type="GENERATION" if row["kind"] in MODEL_CALLS else "SPAN",
        kind=row["kind"],
        model=row["model"] or None,
        provider=row["provider"] or None,
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        tokens=row["total_tokens"],
        cache_read_tokens=row["cache_read_tokens"],
        cache_write_tokens=row["cache_write_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        counts=row["counts"],
        cost=dollars(row["cost_nano_usd"]),
        input_cost=dollars(row["input_cost_nano_usd"]),
        output_cost=dollars(row["output_cost_nano_usd"]),
        ttft_ms=row["ttft_ns"] / NANOS_PER_MILLI if row["ttft_ns"] else None,
        session_id=row["session_id"],
        metadata=details["attributes"],
        span_kind=details["span_kind"],
        service_name=row["service"],
    )


def _status(code: int) -> StatusName:
    return _STATUS.get(code, "UNSET")
