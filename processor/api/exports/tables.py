"""What exports have for columns: those of the items of the same list in JSON, in the same order.

Column in, column out: blocks of the store become Arrow, typed. Times are microseconds in UTC, money is decimal dollars.
Source: the models of `models`, `stats`, `traces` and `logs`, which a test holds them against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from processor.api.traces import status_of
from processor.api.units import millis
from processor.store.queries import STATUS_OF_END, Block

TIME: Final = pa.timestamp("us", "UTC")
MONEY: Final = pa.decimal128(20, 9)
TEXTS: Final = pa.list_(pa.string())
MAP: Final = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in JSON, its type, and how it is made of a block."""

    name: str
    kind: pa.DataType
    made: Callable[[Block], list[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """One list. Its name names the file."""

    name: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """Of the batches."""
        return pa.schema([(column.name, column.kind) for column in self.columns])

    def batch(self, block: Block) -> pa.RecordBatch:
        """The rows of a block."""
        arrays = [pa.array(column.made(block), column.kind) for column in self.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _same(kind: pa.DataType, *names: str) -> tuple[Column, ...]:
    return tuple(_from(name, kind, name) for name in names)


def _from(name: str, kind: pa.DataType, source: str) -> Column:
    if kind == MAP:
        return Column(name, kind, lambda block: [list(each.items()) for each in block[source]])
    return Column(name, kind, lambda block: block[source])


def _text(*names: str) -> tuple[Column, ...]:
    return _same(pa.string(), *names)


def _count(*names: str) -> tuple[Column, ...]:
    return _same(pa.int64(), *names)


def _number(*names: str) -> tuple[Column, ...]:
    return _same(pa.float64(), *names)


def _time(name: str, source: str) -> Column:
    return Column(name, TIME, lambda block: [ns // 1_000 for ns in block[source]])


def _status_of_end(block: Block) -> list[str]:
    return [STATUS_OF_END.get(end, "UNSET") for end in block["end_state"]]


def _end_state(block: Block) -> list[str]:
    return [end or "unknown" for end in block["end_state"]]


def _trace_status(block: Block) -> list[str]:
    return [status_of(code) for code in block["status_code"]]


def _trace_latency_ms(block: Block) -> list[float]:
    return [millis(start, end) for start, end in zip(block["start_ns"], block["end_ns"], strict=True)]


def _trace_cost(block: Block) -> list[Any]:
    return [Decimal(nanos).scaleb(-9) for nanos in block["cost_nano_usd"]]


_USAGE: Final = (
    *_count("call_count", "error_count", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens"),
    *_count("cache_write_tokens", "reasoning_tokens"),
    *_same(MONEY, "cost", "input_cost", "output_cost"),
    *_count("unpriced_count"),
)

SESSIONS: Final = Table(
    "sessions",
    (
        _from("id", pa.string(), "session_id"),
        *_text("name"),
        _time("start", "start_ns"),
        _time("end", "end_ns"),
        *_count("trace_count"),
        *_same(MONEY, "total_cost"),
        *_count("total_tokens"),
        _from("latency_ms", pa.float64(), "duration_ms"),
        *_same(TEXTS, "tags"),
        *_text("user_id", "thread_id"),
        Column("status", pa.string(), _status_of_end),
        Column("end_state", pa.string(), _end_state),
        *_text("end_reason"),
        *_count("span_count", "error_count", "llm_call_count", "tool_call_count", "input_tokens", "output_tokens"),
        *_count("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
        *_same(MONEY, "input_cost", "output_cost"),
        *_count("unpriced_span_count"),
        *_number("active_ms", "llm_ms", "ttft_ms"),
        *_same(TEXTS, "models", "providers", "services"),
        *_text("environment"),
        *_same(MAP, "metadata"),
        *_text("input_preview", "output_preview"),
    ),
)

THREADS: Final = Table(
    "threads",
    (
        _from("id", pa.string(), "thread_id"),
        *_text("status"),
        *_count("session_count", "trace_count", "error_count"),
        *_same(TEXTS, "user_ids", "tags"),
        _time("first_seen", "start_ns"),
        _time("last_seen", "end_ns"),
        *_count("input_tokens", "output_tokens", "total_tokens"),
        *_same(MONEY, "total_cost", "input_cost", "output_cost"),
    ),
)

USERS: Final = Table(
    "users",
    (
        _from("id", pa.string(), "user_id"),
        *_count("session_count", "trace_count", "span_count", "error_count", "error_session_count"),
        *_count("input_tokens", "output_tokens", "total_tokens"),
        *_same(MONEY, "total_cost"),
        _time("first_seen", "start_ns"),
        _time("last_seen", "end_ns"),
    ),
)

MODELS: Final = Table("models", (*_USAGE, *_text("model", "provider")))

TRACES: Final = Table(
    "traces",
    (
        _from("id", pa.string(), "trace_id"),
        *_text("name"),
        Column("status", pa.string(), _trace_status),
        _time("start", "start_ns"),
        _time("end", "end_ns"),
        Column("latency_ms", pa.float64(), _trace_latency_ms),
        Column("cost", MONEY, _trace_cost),
        _from("tokens", pa.int64(), "total_tokens"),
        *_count("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "span_count"),
        *_count("error_count"),
        *_same(TEXTS, "tags"),
    ),
)

LOGS: Final = Table(
    "logs",
    (
        _time("timestamp", "time_ns"),
        _time("observed", "observed_ns"),
        *_text("trace_id", "span_id"),
        _from("severity", pa.string(), "severity_text"),
        *_count("severity_number"),
        _from("service_name", pa.string(), "service"),
        *_text("scope", "event_name", "body"),
        *_same(MAP, "attributes"),
        Column("own_session", pa.bool_(), lambda block: [bool(own) for own in block["own_session"]]),
    ),
)
