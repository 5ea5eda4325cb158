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

LABELS_MAX: Final = 256
"""Tags, and keys of metadata, of a trace and of a session: the first in their order."""

NANOS_PER_SECOND: Final = 1_000_000_000
NANOS_PER_MILLI: Final = 1_000_000


class Strength(IntEnum):
    """How much a span's own session id means. Only the strongest ids of a trace take part in binding.

    Source: DESIGN, "Binding a trace to its session"; attributes.yaml, `session_id`.
    """

    NONE = 0
    DERIVED = 1  # made of the trace id, for emitters whose session is the trace
    RESOURCE = 2  # `session.id` on the resource: the lowest attribute source
    WEAK = 3  # conversation and thread fallbacks
    STRONG = 4  # keys that mean a session


class Source(IntEnum):
    """What a narrow row was made of."""

    SPAN = 0
    LOG = 1  # a log record that reports a model call
    METRIC = 2  # token and cost counters: what a session has if nothing else reports usage


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


CALL_TRACE: Final = "call:"
"""What stands before a call's id in the trace id of a model call that a log record reports outside of any trace."""

METRICS_TRACE: Final = "metrics:"
"""What stands before a session's id in the trace id of what its counters add up to."""


MODEL_CALLS: Final = (LLM, EMBEDDING)

END_STATES: Final = ("success", "error", "unknown")

SESSION_SPANS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "trace_id": pl.String,
        "span_id": pl.String,
        "parent_span_id": pl.String,  # '' for none
        "source": pl.UInt8,  # a Source
        "turn_id": pl.String,  # of a log record without a trace: what it belongs to instead; '' else
        "scope": pl.String,  # of the instrumentation
        "service": pl.String,
        "name": pl.String,
        "kind": pl.String,  # one of KINDS
        "start_ns": pl.Int64,
        "end_ns": pl.Int64,
        "status_code": pl.UInt8,
        "is_error": pl.Boolean,
        "status_message": pl.String,  # of an error, bounded
        "session_id": pl.String,  # the span's own, '' for none
        "session_strength": pl.UInt8,
        "session_name": pl.String,
        "session_name_rank": pl.UInt8,  # place in the precedence list: smaller is better; meaningless for ''
        "user_id": pl.String,
        "thread_id": pl.String,
        "environment": pl.String,
        "end_state": pl.String,  # one of END_STATES where the span states it, else ''
        "end_reason": pl.String,
        "tags": pl.String,  # a JSON array, sorted; '' for none
        "metadata": pl.String,  # a JSON object of strings, keys sorted; '' for none
        "model": pl.String,
        "request_model": pl.String,  # '' where it is the same
        "provider": pl.String,
        "response_id": pl.String,  # of the model call, as the API gave it
        "also_logged": pl.Boolean,  # its emitter reports the call as a log record without trace context too
        "input_tokens": pl.Int64,  # cached tokens included
        "output_tokens": pl.Int64,  # reasoning included
        "total_tokens": pl.Int64,  # input + output, or the stated total where both are missing
        "cache_read_tokens": pl.Int64,
        "cache_write_tokens": pl.Int64,  # those with a life of an hour included
        "cache_write_1h_tokens": pl.Int64,
        "reasoning_tokens": pl.Int64,
        "cost_nano_usd": pl.Int64,  # stated by the emitter; 0 is "not stated"
        "input_cost_nano_usd": pl.Int64,
        "output_cost_nano_usd": pl.Int64,
        "ttft_ns": pl.Int64,  # time to the first token; 0 is "not stated"
        "input_preview": pl.String,
        "output_preview": pl.String,
    }
)
"""A span, narrow: what rollups need. Two rows may share a span id when an emitter sent the span twice with different
content; both are kept, and `rollup` picks one by a rule that does not depend on order."""

STORED_SPANS: Final = pl.Schema([*SESSION_SPANS.items(), ("content_hash", pl.UInt64())])
"""A span, narrow, with the hash by which the store tells the versions of a span apart."""

TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
COSTS: Final = ("cost_nano_usd", "input_cost_nano_usd", "output_cost_nano_usd")

SUMMED: Final = (
    "llm_ns",  # sum of the durations of model calls
    "ttft_ns",  # sum of the times to the first token
    "ttft_count",  # of the model calls that state one
    "span_count",
    "error_count",
    "llm_call_count",
    "tool_call_count",
    *TOKENS,
    *COSTS,  # stated or priced; the cost is the sum of the other two
    "unpriced_span_count",
)
"""The columns of a trace row that add up to those of its session."""

_TOTALS: Final[dict[str, Any]] = {
    "start_ns": pl.Int64,
    "end_ns": pl.Int64,
    **dict.fromkeys(SUMMED, pl.Int64),
    "models": _STRINGS,
    "providers": _STRINGS,
    "services": _STRINGS,
    "tags": _STRINGS,
}

USAGE_KEY: Final = ("model", "provider", "service")
USAGE_SUMMED: Final = ("call_count", "error_count", *TOKENS, *COSTS, "unpriced_count")
USAGE: Final[dict[str, Any]] = {
    **{f"usage.{name}": _STRINGS for name in USAGE_KEY},
    **{f"usage.{name}": pl.List(pl.Int64) for name in USAGE_SUMMED},
}
"""The breakdown of what counts: parallel lists, sorted by key."""

_DESCRIBED: Final[dict[str, Any]] = {
    "user_id": pl.String,
    "thread_id": pl.String,
    "environment": pl.String,
    "end_state": pl.String,  # one of END_STATES, '' where no span states it
    "end_reason": pl.String,
    "input_preview": pl.String,  # of the first that has one
    "output_preview": pl.String,  # of the last
}

SESSION_TRACES: Final = pl.Schema(
    {
        "tenant": pl.String,
        "session_id": pl.String,
        "trace_id": pl.String,
        "version": pl.UInt64,  # size of the trace's span set, over all its sessions; see `row_versions`
        "source": pl.UInt8,  # SPAN if any span is among it
        "turn_id": pl.String,
        "name": pl.String,  # of the trace's root span
        "status_code": pl.UInt8,  # of the trace's root span
        "session_name": pl.String,
        "session_name_rank": pl.UInt8,
        **_DESCRIBED,
        "metadata": pl.String,  # a JSON object of strings
        **_TOTALS,
        **USAGE,
    }
)
"""One trace's rollup inside one session. `span_count = 0` says that the trace no longer belongs to the session; its end
is the trace's then."""

TRACE_SESSIONS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "trace_id": pl.String,
        "version": pl.UInt64,
        "session_ids": _STRINGS,  # sessions with at least one span of the trace, sorted
        "span_count": pl.Int64,
        "unbound_span_count": pl.Int64,  # spans that no session claims: kept, countable, bound when an id arrives
        "end_ns": pl.Int64,  # of its last span
    }
)
"""Which sessions a trace belongs to; also the list of all traces ever seen."""

SESSION_ROLLUPS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "session_id": pl.String,
        "version": pl.UInt64,  # sum of the versions of its trace rows, vanished ones included
        "row_count": pl.Int64,  # live trace rows of any source
        "name": pl.String,
        **_DESCRIBED,
        "metadata": pl.String,
        "trace_count": pl.Int64,
        "active_ns": pl.Int64,  # union of the traces' intervals
        **_TOTALS,
    }
)
"""One session's rollup. `row_count = 0` says that all its traces moved away."""

DELETED_SPANS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "trace_id": pl.String,
        "span_id": pl.String,  # '' in a mark: the trace has lost spans, or is about to
        "content_hash": pl.UInt64,  # of the narrow row: a redelivered span is its own place again
        "session_hash": pl.String,  # of the deleted session that it belonged to
        "names_session": pl.Boolean,  # it named that session itself
        "is_beaten": pl.Boolean,  # another version spoke for the span
        "parent_span_id": pl.String,
        "source": pl.UInt8,
        "kind": pl.String,
        "start_ns": pl.Int64,
        "end_ns": pl.Int64,
        "status_code": pl.UInt8,
        "is_error": pl.Boolean,
        "session_strength": pl.UInt8,
        "scope": pl.String,  # a hash: all that counts is which are equal
        "response_id": pl.String,  # the same
        **dict.fromkeys(TOKENS, pl.Int64),
        "cost_nano_usd": pl.Int64,
    }
)
"""The place of a span that was deleted with its session: what binding and counting need of it, and no text."""
