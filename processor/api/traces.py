"""The JSON of traces and their spans, and how rows become it.

Times and money as in `models`. A span's tokens are what it states, its cost is what it adds to its session.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field

from processor.api.models import Pagination
from processor.api.units import dollars, iso_utc, millis
from processor.model import MODEL_CALLS, NANOS_PER_MILLI, StatusCode
from processor.store.queries import Row, SessionStatus

_STATUS: Final[dict[int, SessionStatus]] = {StatusCode.OK: "OK", StatusCode.ERROR: "ERROR"}
_NO_DETAILS: Final[Row] = {"span_kind": "", "status_message": "", "attributes": {}}
_DROPPED: Final = ("dropped_attributes_count", "dropped_events_count", "dropped_links_count")
_LISTED: Final = ("trace_ids", "span_ids", "trace_states", "attributes")
_NOTHING_WHOLE: Final[Row] = {
    **_NO_DETAILS,
    "resource_attributes": {},
    "scope_attributes": {},
    **dict.fromkeys(("resource_schema_url", "scope_name", "scope_version", "scope_schema_url", "trace_state"), ""),
    **dict.fromkeys(_DROPPED, 0),
    **dict.fromkeys(("event_times_ns", "event_names", "event_attributes"), ()),
    **dict.fromkeys((f"link_{name}" for name in _LISTED), ()),
}
"""Of a span that the wide table does not have (any more)."""


class Span(BaseModel):
    """One span of a trace; `metadata` holds its attributes, each cut at 8192 characters."""

    id: str
    trace_id: str
    parent_id: str | None
    name: str
    status: SessionStatus
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
    input: str | None = Field(default=None, description="As its emitter wrote it, often JSON.")
    output: str | None = Field(default=None, description="The same.")
    output_object: str | None = Field(default=None, description="The object that a model was asked to answer with.")
    tool_calls: str | None = Field(default=None, description="A JSON array of the calls that a model asked for.")
    finish_reason: str | None = None
    prompt_name: str | None = None


class Resource(BaseModel):
    """What a span came from."""

    attributes: dict[str, str]
    schema_url: str


class SpanScope(BaseModel):
    """The instrumentation that made a span."""

    name: str
    version: str
    attributes: dict[str, str]
    schema_url: str


class Event(BaseModel):
    """Something that happened during a span."""

    timestamp: str
    name: str
    attributes: dict[str, str]


class Link(BaseModel):
    """Another span that a span points to."""

    trace_id: str
    span_id: str
    trace_state: str
    attributes: dict[str, str]


class SpanDetail(Span):
    """One span, whole: attributes are not cut here. Input and output are empty for none, as AgentMark has them."""

    input: str
    output: str
    resource: Resource
    scope: SpanScope
    events: list[Event]
    links: list[Link]
    trace_state: str
    dropped_attributes_count: int
    dropped_events_count: int
    dropped_links_count: int


class SpanItem(BaseModel):
    """One span."""

    data: SpanDetail


class SpanList(BaseModel):
    """One page of a trace's spans."""

    data: list[Span]
    pagination: Pagination


class Trace(BaseModel):
    """One trace of a session: totals of the session's own spans, and all spans of the trace up to a limit."""

    id: str
    name: str
    status: SessionStatus
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
        status=status_of(row["status_code"]),
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


def span_of(row: Row, details: Row | None, said: Row | None = None) -> Span:
    """A row of `spans.judged` as JSON model, and of `span_details` where the wide table still has the span.

    `said` is what `conventions.contents` makes of its attributes.
    """
    details = details or _NO_DETAILS
    return Span(
        id=row["span_id"],
        trace_id=row["trace_id"],
        parent_id=row["parent_span_id"] or None,
        name=row["name"],
        status=status_of(row["status_code"]),
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
        **(said or {}),
    )


def span_detail_of(row: Row, whole: Row | None, said: Row) -> SpanDetail:
    """The same for one span and its row of `whole_span`."""
    whole = whole or _NOTHING_WHOLE
    times = map(iso_utc, whole["event_times_ns"])
    events = zip(times, whole["event_names"], whole["event_attributes"], strict=True)
    links = (whole[f"link_{name}"] for name in _LISTED)
    return SpanDetail(
        **dict(span_of(row, whole, said)) | {name: said[name] or "" for name in ("input", "output")},
        resource=Resource(attributes=whole["resource_attributes"], schema_url=whole["resource_schema_url"]),
        scope=SpanScope(**{name: whole[f"scope_{name}"] for name in SpanScope.model_fields}),
        events=[Event(timestamp=time, name=name, attributes=attributes) for time, name, attributes in events],
        links=[
            Link(trace_id=trace_id, span_id=span_id, trace_state=state, attributes=attributes)
            for trace_id, span_id, state, attributes in zip(*links, strict=True)
        ],
        **{name: whole[name] for name in ("trace_state", *_DROPPED)},
    )


def status_of(code: int) -> SessionStatus:
    """The name of an OTLP status code."""
    return _STATUS.get(code, "UNSET")
