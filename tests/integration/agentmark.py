"""The answers that a client of AgentMark's sessions API parses, as strict as its schemas are.

Unknown keys are left alone, as zod does; types are not converted, and a time ends with a `Z`.
Source: agentmark packages/api-schemas, schemas/sessions.ts, traces.ts, spans.ts, common.ts.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$")]
Count = Annotated[int, Field(ge=0)]
Number = int | float
Status = Literal["UNSET", "OK", "ERROR"]
T = TypeVar("T")


class Strict(BaseModel):
    """Nothing is converted."""

    model_config = ConfigDict(strict=True)


class SessionResponse(Strict):
    id: str
    name: str
    start: Time
    end: Time
    trace_count: Count
    total_cost: Number
    total_tokens: Count
    latency_ms: Number
    tags: list[str] = []


class SpanInTrace(Strict):
    id: str
    trace_id: str
    parent_id: str | None
    name: str
    status: Status
    status_message: str | None = None
    duration_ms: Number
    timestamp: Time
    type: str
    model: str | None
    input_tokens: Count
    output_tokens: Count
    tokens: Count
    reasoning_tokens: Count = 0
    cost: Number
    input: str | None = None
    output: str | None = None
    output_object: str | None = None
    tool_calls: str | None = None
    prompt_name: str | None = None
    props: str | None = None
    finish_reason: str | None = None
    settings: str | None = None
    metadata: dict[str, str] = {}
    span_kind: str = ""
    service_name: str = ""


class SessionTrace(Strict):
    id: str
    name: str
    status: Status
    start: Time
    end: Time
    latency_ms: Number
    cost: Number
    tokens: Count
    spans: list[SpanInTrace]


class TraceResponse(Strict):
    id: str
    name: str
    status: Status
    start: Time
    end: Time
    latency_ms: Number
    cost: Number
    tokens: Count
    span_count: Count
    tags: list[str] = []


class TraceSpan(Strict):
    id: str
    trace_id: str
    parent_id: str | None
    name: str
    status: Status
    status_message: str
    duration_ms: Number
    timestamp: Time
    type: str
    model: str | None
    input_tokens: Count
    output_tokens: Count
    tokens: Count
    cost: Number
    span_kind: str
    service_name: str
    prompt_name: str | None
    metadata: dict[str, str]


class SpanIO(Strict):
    input: str
    output: str
    output_object: str | None
    tool_calls: str | None
    metadata: dict[str, str]


class Pagination(Strict):
    total: Count
    limit: Count
    offset: Count


class Listed(Strict, Generic[T]):
    data: list[T]
    pagination: Pagination


class Item(Strict, Generic[T]):
    data: T


class ErrorInfo(Strict):
    code: str
    message: str


class ErrorResponse(Strict):
    error: ErrorInfo
