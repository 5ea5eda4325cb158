"""Rows of `session_traces`, `trace_sessions` and `session_rollups`, summed up with loops.

Source: DESIGN, "What counts"; processor/model.py for the columns. `version` is left out: it says how much a writer
knew, not what is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.oracle.binding import bind, earliest, find_root
from tests.oracle.counting import Counted, count
from tests.oracle.spans import Row

SUMS = (
    "llm_ns",
    "span_count",
    "error_count",
    "llm_call_count",
    "tool_call_count",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost_nano_usd",
    "unpriced_span_count",
)
LISTS = ("models", "providers", "services")


def roll_up_trace(trace: list[Row]) -> tuple[Row, list[Row]]:
    """The `trace_sessions` row of a trace and one `session_traces` row for each of its sessions."""
    sessions = bind(trace)
    session_ids = sorted(set(sessions.values()) - {""})
    counted = count(trace)
    root = find_root(trace)
    key = {"tenant": trace[0]["tenant"], "trace_id": trace[0]["trace_id"]}
    trace_session = {
        **key,
        "session_ids": session_ids,
        "span_count": len(trace),
        "unbound_span_count": sum(session_id == "" for session_id in sessions.values()),
    }
    session_traces = [
        {
            **key,
            "session_id": session_id,
            "name": root["name"],
            "status_code": root["status_code"],
            **_sum_up([row for row in trace if sessions[row["span_id"]] == session_id], counted),
        }
        for session_id in session_ids
    ]
    return trace_session, session_traces


def _sum_up(rows: list[Row], counted: Counted) -> Row:
    """What the spans of one trace add to one session."""
    usage = [row for row in rows if row["span_id"] in counted.usage]
    llm_calls = [row for row in rows if row["span_id"] in counted.llm_calls]
    named = [row for row in rows if row["session_name"]]
    best_named = min(named, key=lambda row: (row["session_name_rank"], row["start_ns"], row["span_id"]), default=None)
    return {
        "session_name": best_named["session_name"] if best_named else "",
        "session_name_rank": best_named["session_name_rank"] if best_named else 0,
        "user_id": _of_earliest(rows, "user_id"),
        "thread_id": _of_earliest(rows, "thread_id"),
        "start_ns": min(row["start_ns"] for row in rows),
        "end_ns": max(_end_ns(row) for row in rows),
        "llm_ns": sum(_end_ns(row) - row["start_ns"] for row in llm_calls),
        "span_count": len(rows),
        "error_count": sum(row["span_id"] in counted.errors for row in rows),
        "llm_call_count": len(llm_calls),
        "tool_call_count": sum(row["kind"] == "tool" for row in rows),
        "input_tokens": sum(row["input_tokens"] for row in usage),
        "output_tokens": sum(row["output_tokens"] for row in usage),
        "total_tokens": sum(row["total_tokens"] for row in usage),
        "cost_nano_usd": sum(row["cost_nano_usd"] for row in usage),
        "unpriced_span_count": sum(row["cost_nano_usd"] == 0 for row in usage),
        "models": _distinct(row["model"] for row in (*usage, *llm_calls)),
        "providers": _distinct(row["provider"] for row in (*usage, *llm_calls)),
        "services": _distinct(row["service"] for row in rows),
    }


def _end_ns(row: Row) -> int:
    """A span that ends before it starts has no length."""
    return max(row["start_ns"], row["end_ns"])


def _of_earliest(rows: list[Row], column: str) -> str:
    row = earliest(row for row in rows if row[column])
    return row[column] if row else ""


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values) - {""})


def roll_up_session(trace_rows: list[Row]) -> Row:
    """The `session_rollups` row of a session from its `session_traces` rows, in any order."""
    rows = sorted(trace_rows, key=lambda row: (row["start_ns"], row["trace_id"]))
    named = [row for row in rows if row["session_name"]]
    best_named = min(named, key=lambda row: row["session_name_rank"], default=None)  # the first of equals
    return {
        "tenant": rows[0]["tenant"],
        "session_id": rows[0]["session_id"],
        "name": best_named["session_name"] if best_named else "",
        "user_id": _first(rows, lambda row: row["user_id"]),
        "thread_id": _first(rows, lambda row: row["thread_id"]),
        "trace_count": len(rows),
        "active_ns": union_length([(row["start_ns"], row["end_ns"]) for row in rows]),
        "start_ns": min(row["start_ns"] for row in rows),
        "end_ns": max(row["end_ns"] for row in rows),
        **{column: sum(row[column] for row in rows) for column in SUMS},
        **{column: _distinct(value for row in rows for value in row[column]) for column in LISTS},
    }


def _first(rows: list[Row], value: Callable[[Row], str]) -> str:
    return next((value(row) for row in rows if value(row)), "")


def union_length(intervals: Iterable[tuple[int, int]]) -> int:
    """How much of the time line the intervals cover together."""
    length = 0
    covered_to: int | None = None
    for start, end in sorted(intervals):
        begin = start if covered_to is None else max(start, covered_to)
        length += max(0, end - begin)
        covered_to = end if covered_to is None else max(end, covered_to)
    return length
