"""The JSON of sessions, threads and models, and how rows become it.

A client written for AgentMark's sessions API works unchanged: its fields stand first, ours follow. Times are ISO 8601
in UTC with microseconds and a `Z` (AgentMark's schema takes no offset), costs are numbers in US dollars.
Source: SESSIONS_API; names and shapes of AgentMark `api-schemas`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from processor.api.units import iso_utc
from processor.store.queries import STATUS_OF_END, Row, SessionStatus, ThreadStatus

EndState = Literal["success", "error", "unknown"]


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
    tags: list[str] = Field(description="All tags of its spans, sorted.")
    user_id: str
    thread_id: str
    status: SessionStatus = Field(
        description="How it ended, as `end_state` in the words of traces; errors on the way are `error_count`."
    )
    end_state: EndState = Field(description="As a span states it, else how its last trace ended.")
    end_reason: str = Field(description="As stated, else the message of a failed last trace; empty for none.")
    span_count: int
    error_count: int
    llm_call_count: int
    tool_call_count: int
    input_tokens: int = Field(description="Cached ones included.")
    output_tokens: int = Field(description="Reasoning included.")
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    input_cost: float
    output_cost: float
    unpriced_span_count: int = Field(description="Spans whose tokens have no known price; not free.")
    active_ms: float = Field(description="Union of the traces' intervals.")
    llm_ms: float = Field(description="Sum of the durations of model calls.")
    ttft_ms: float | None = Field(description="Mean time to the first token of the calls that state it.")
    models: list[str]
    providers: list[str]
    services: list[str]
    environment: str
    metadata: dict[str, str] = Field(description="Of each key the earliest value.")
    input_preview: str = Field(description="Beginning of the first input; empty for none.")
    output_preview: str = Field(description="Beginning of the last output; empty for none.")


class Usage(BaseModel):
    """What counts of some calls."""

    call_count: int
    error_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost: float
    input_cost: float
    output_cost: float
    unpriced_count: int = Field(description="Calls whose tokens have no known price; not free.")


class NamedUsage(Usage):
    """Of one model, provider or service."""

    name: str


class Breakdown(BaseModel):
    """Where a session's usage comes from; each list adds up to the session, but for errors outside of model calls,
    which only services have. The most expensive first, then by name.
    """

    models: list[NamedUsage]
    providers: list[NamedUsage]
    services: list[NamedUsage]


class SessionDetail(Session):
    """One session, with its breakdown."""

    breakdown: Breakdown


class ModelUsage(Usage):
    """Of one model at one provider, over all sessions."""

    model: str
    provider: str


class Thread(BaseModel):
    """One thread: all sessions that name it, together."""

    id: str
    status: ThreadStatus = Field(description="Whether its last span is no older than `threads.idle_after_s`.")
    session_count: int
    trace_count: int
    error_count: int
    user_ids: list[str]
    tags: list[str]
    first_seen: str
    last_seen: str
    input_tokens: int
    output_tokens: int
    total_tokens: int
    total_cost: float
    input_cost: float
    output_cost: float


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

    data: SessionDetail


class ModelList(BaseModel):
    """One page of models."""

    data: list[ModelUsage]
    pagination: Pagination


class ThreadList(BaseModel):
    """One page of threads."""

    data: list[Thread]
    pagination: Pagination


class ThreadItem(BaseModel):
    """One thread."""

    data: Thread


def session_of(row: Row) -> Session:
    """A row of `list_sessions` as JSON model."""
    return Session(
        id=row["session_id"],
        start=iso_utc(row["start_ns"]),
        end=iso_utc(row["end_ns"]),
        latency_ms=row["duration_ms"],
        status=STATUS_OF_END.get(row["end_state"], "UNSET"),
        **_of(Session, row) | {"end_state": row["end_state"] or "unknown"},
    )


def session_detail_of(row: Row, breakdown: dict[str, list[Row]]) -> SessionDetail:
    """A row of `get_session` and its `session_breakdown` as JSON model."""
    parts = {part: [NamedUsage(**_of(NamedUsage, row)) for row in rows] for part, rows in breakdown.items()}
    return SessionDetail(**dict(session_of(row)), breakdown=Breakdown(**parts))


def model_usage_of(row: Row) -> ModelUsage:
    """A row of `list_models` as JSON model."""
    return ModelUsage(**row)


def thread_of(row: Row) -> Thread:
    """A row of `list_threads` as JSON model."""
    return Thread(
        id=row["thread_id"],
        first_seen=iso_utc(row["start_ns"]),
        last_seen=iso_utc(row["end_ns"]),
        **_of(Thread, row),
    )


def _of(shape: type[BaseModel], row: Row) -> Row:
    return {name: row[name] for name in shape.model_fields.keys() & row.keys()}
