"""The rows that travel through the processor, as Polars schemas named after the tables they are written to.

The law: every stored row is a pure function of the set of spans, and is written under a key that makes writing it
again harmless. So nothing here counts arrivals, and nothing carries the time of processing.

Units: times are Unix nanoseconds (`_ns`), money is integer nano-dollars (`_nano_usd`: a sum must not depend on order),
ids are lowercase hex as in `otel_traces`, so that every table joins with every other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import polars as pl

DEFAULT_TENANT: Final = "default"

NANOS_PER_SECOND: Final = 1_000_000_000
NANOS_PER_MILLI: Final = 1_000_000


class Strength(IntEnum):
    """How much a span's own session id means. Only the strongest ids of a trace take part in binding.

    Source: DESIGN, "Binding a trace to its session"; attributes.yaml, `session_id`.
    """

    NONE = 0
    RESOURCE = 1  # `session.id` on the resource: the lowest attribute source
    WEAK = 2  # conversation and thread fallbacks
    STRONG = 3  # keys that mean a session


class StatusCode(IntEnum):
    """OTLP `Status.StatusCode`."""

    UNSET = 0
    OK = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request: spans taken, spans refused for good, and why (OTLP `partial_success`)."""

    accepted_spans: int = 0
    rejected_spans: int = 0
    message: str = ""


LLM: Final = "llm"
EMBEDDING: Final = "embedding"
AGENT: Final = "agent"
TOOL: Final = "tool"
RETRIEVAL: Final = "retrieval"
CHAIN: Final = "chain"
SESSION: Final = "session"
OTHER: Final = "other"
KINDS: Final = (LLM, EMBEDDING, AGENT, TOOL, RETRIEVAL, CHAIN, SESSION, OTHER)

_STRINGS: Final[Any] = pl.List(pl.String)

MODEL_CALLS: Final = (LLM, EMBEDDING)

SESSION_SPANS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "trace_id": pl.String,
        "span_id": pl.String,
        "parent_span_id": pl.String,  # '' for none
        "service": pl.String,
        "name": pl.String,
        "kind": pl.String,  # one of KINDS
        "start_ns": pl.Int64,
        "end_ns": pl.Int64,
        "status_code": pl.UInt8,
        "is_error": pl.Boolean,
        "session_id": pl.String,  # the span's own, '' for none
        "session_strength": pl.UInt8,
        "session_name": pl.String,
        "session_name_rank": pl.UInt8,  # place in the precedence list: smaller is better; meaningless for ''
        "user_id": pl.String,
        "thread_id": pl.String,
        "model": pl.String,
        "provider": pl.String,
        "input_tokens": pl.Int64,
        "output_tokens": pl.Int64,
        "total_tokens": pl.Int64,  # input + output, or the stated total where both are missing
        "cost_nano_usd": pl.Int64,  # stated by the emitter; 0 is "not stated"
    }
)
"""A span, narrow: what rollups need. Two rows may share a span id when an emitter sent the span twice with different
content; both are kept, and `rollup` picks one by a rule that does not depend on order."""

_TOTALS: Final[dict[str, Any]] = {
    "start_ns": pl.Int64,
    "end_ns": pl.Int64,
    "llm_ns": pl.Int64,  # sum of the durations of model calls
    "span_count": pl.Int64,
    "error_count": pl.Int64,
    "llm_call_count": pl.Int64,
    "tool_call_count": pl.Int64,
    "input_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "total_tokens": pl.Int64,
    "cost_nano_usd": pl.Int64,
    "unpriced_span_count": pl.Int64,
    "models": _STRINGS,
    "providers": _STRINGS,
    "services": _STRINGS,
}

SESSION_TRACES: Final = pl.Schema(
    {
        "tenant": pl.String,
        "session_id": pl.String,
        "trace_id": pl.String,
        "version": pl.UInt64,  # size of the trace's span set, over all its sessions
        "name": pl.String,  # of the trace's root span
        "status_code": pl.UInt8,  # of the trace's root span
        "session_name": pl.String,
        "session_name_rank": pl.UInt8,
        "user_id": pl.String,
        "thread_id": pl.String,
        **_TOTALS,
    }
)
"""One trace's rollup inside one session. `span_count = 0` says that the trace no longer belongs to the session."""

TRACE_SESSIONS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "trace_id": pl.String,
        "version": pl.UInt64,
        "session_ids": _STRINGS,  # sessions with at least one span of the trace, sorted
        "span_count": pl.Int64,
        "unbound_span_count": pl.Int64,  # spans that no session claims: kept, countable, bound when an id arrives
    }
)
"""Which sessions a trace belongs to; also the list of all traces ever seen."""

SESSION_ROLLUPS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "session_id": pl.String,
        "version": pl.UInt64,  # sum of the versions of its trace rows, vanished ones included
        "name": pl.String,
        "user_id": pl.String,
        "thread_id": pl.String,
        "trace_count": pl.Int64,
        "active_ns": pl.Int64,  # union of the traces' intervals
        **_TOTALS,
    }
)
"""One session's rollup. `trace_count = 0` says that all its traces moved away."""
