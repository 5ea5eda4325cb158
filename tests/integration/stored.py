"""Rows as the worker would have written them, straight into the tables."""

from __future__ import annotations

from typing import Any

from processor.model import DEFAULT_TENANT

S = 1_000_000_000
T0 = 1_764_000_000 * S  # 2025-11-24T16:00:00Z


def insert(client: Any, database: str, table: str, *rows: dict[str, Any]) -> None:
    """Insert rows of one table; every row must have the same columns."""
    names = list(rows[0])
    client.insert(f"{database}.{table}", [[row[name] for name in names] for row in rows], column_names=names)


def totals(**values: Any) -> dict[str, Any]:
    """The columns that trace and session rollups share."""
    return {
        "start_ns": T0,
        "end_ns": T0 + S,
        "llm_ns": 0,
        "span_count": 1,
        "error_count": 0,
        "llm_call_count": 0,
        "tool_call_count": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "total_tokens": 0,
        "cost_nano_usd": 0,
        "unpriced_span_count": 0,
        "models": [],
        "providers": [],
        "services": [],
    } | values


def session(session_id: str, **values: Any) -> dict[str, Any]:
    """A row of `session_rollups`."""
    return {
        "tenant": DEFAULT_TENANT,
        "session_id": session_id,
        "version": 1,
        "name": "",
        "user_id": "",
        "thread_id": "",
        "trace_count": 1,
        "active_ns": 0,
    } | totals(**values)


def trace(session_id: str, trace_id: str, **values: Any) -> dict[str, Any]:
    """A row of `session_traces`."""
    return {
        "tenant": DEFAULT_TENANT,
        "session_id": session_id,
        "trace_id": trace_id,
        "version": 1,
        "name": "",
        "status_code": 0,
        "session_name": "",
        "session_name_rank": 0,
        "user_id": "",
        "thread_id": "",
    } | totals(**values)


def narrow_span(trace_id: str, span_id: str, **values: Any) -> dict[str, Any]:
    """A row of `session_spans`."""
    return {
        "tenant": DEFAULT_TENANT,
        "trace_id": trace_id,
        "span_id": span_id,
        "parent_span_id": "",
        "service": "svc",
        "name": "step",
        "kind": "other",
        "start_ns": T0,
        "end_ns": T0 + S,
        "status_code": 0,
        "is_error": False,
        "session_id": "",
        "session_strength": 0,
        "session_name": "",
        "session_name_rank": 0,
        "user_id": "",
        "thread_id": "",
        "model": "",
        "provider": "",
        "input_tokens": 0,
        "output_tokens": 0,
        "total_tokens": 0,
        "cost_nano_usd": 0,
    } | values


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
