"""Rows as the worker would have written them, straight into the tables."""

from __future__ import annotations

from typing import Any

import polars as pl

from processor.model import (
    DEFAULT_TENANT,
    SESSION_ROLLUPS,
    SESSION_SPANS,
    SESSION_TRACES,
    USAGE_KEY,
    USAGE_SUMMED,
)

S = 1_000_000_000
T0 = 1_764_000_000 * S  # 2025-11-24T16:00:00Z

_SECOND = {"start_ns": T0, "end_ns": T0 + S}


def insert(client: Any, database: str, table: str, *rows: dict[str, Any]) -> None:
    """Insert rows of one table; every row must have the same columns."""
    names = list(rows[0])
    client.insert(f"{database}.{table}", [[row[name] for name in names] for row in rows], column_names=names)


def nothing(schema: pl.Schema) -> dict[str, Any]:
    """A row of a schema that says nothing: every column empty, or 0."""
    return {name: [] if isinstance(dtype, pl.List) else dtype.to_python()() for name, dtype in schema.items()}


def session(session_id: str, **values: Any) -> dict[str, Any]:
    """A row of `session_rollups`."""
    plain = {"tenant": DEFAULT_TENANT, "session_id": session_id, "version": 1, "row_count": 1, "trace_count": 1}
    return nothing(SESSION_ROLLUPS) | plain | _SECOND | {"span_count": 1} | values


def trace(session_id: str, trace_id: str, **values: Any) -> dict[str, Any]:
    """A row of `session_traces`."""
    plain = {"tenant": DEFAULT_TENANT, "session_id": session_id, "trace_id": trace_id, "version": 1}
    return nothing(SESSION_TRACES) | plain | _SECOND | {"span_count": 1} | values


def usage(*entries: dict[str, Any]) -> dict[str, Any]:
    """The breakdown of a row of `session_traces`, an entry a model, provider and service; left out is nothing."""
    empty: dict[str, Any] = dict.fromkeys(USAGE_KEY, "") | dict.fromkeys(USAGE_SUMMED, 0)
    full = [empty | entry for entry in entries]
    return {f"usage.{name}": [entry[name] for entry in full] for name in empty}


def narrow_span(trace_id: str, span_id: str, **values: Any) -> dict[str, Any]:
    """A row of `session_spans`."""
    plain = {"tenant": DEFAULT_TENANT, "trace_id": trace_id, "span_id": span_id, "service": "svc"}
    return nothing(SESSION_SPANS) | plain | _SECOND | {"name": "step", "kind": "other"} | values


def wide_span(narrow: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The row of `otel_traces` that belongs to a narrow row; `values` in the wide table's names."""
    return {
        "Tenant": narrow["tenant"],
        "Timestamp": narrow["start_ns"],
        "TraceId": narrow["trace_id"],
        "SpanId": narrow["span_id"],
        "ParentSpanId": narrow["parent_span_id"],
        "SpanName": narrow["name"],
        "SpanKind": "Internal",
        "ServiceName": narrow["service"],
        "Duration": narrow["end_ns"] - narrow["start_ns"],
        "StatusCode": ("Unset", "Ok", "Error")[narrow["status_code"]],
        "StatusMessage": "",
        "SpanAttributes": {},
    } | values
