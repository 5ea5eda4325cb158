"""Rows of `session_rollups` from the live rows of `session_traces`.

Source: DESIGN, "What counts"; processor/model.py for the columns.
"""

from __future__ import annotations

from collections.abc import Iterable

from processor.model import Source
from tests.oracle.rollups import TOKENS, merge_metadata
from tests.oracle.spans import Row

SUMS = (
    "llm_ns",
    "ttft_ns",
    "ttft_count",
    "span_count",
    "error_count",
    "llm_call_count",
    "tool_call_count",
    *TOKENS,
    "cost_nano_usd",
    "input_cost_nano_usd",
    "output_cost_nano_usd",
    "unpriced_span_count",
)
LISTS = ("models", "providers", "services", "tags")

END_STATE_BY_STATUS = {0: "unknown", 1: "success", 2: "error"}


def roll_up_session(trace_rows: list[Row]) -> Row:
    """The `session_rollups` row of a session from its live `session_traces` rows, in any order."""
    rows = sorted(trace_rows, key=lambda row: (row["start_ns"], row["trace_id"]))
    by_end = sorted(rows, key=lambda row: (row["end_ns"], row["start_ns"], row["trace_id"]), reverse=True)
    named = [row for row in rows if row["session_name"]]
    best_named = min(named, key=lambda row: row["session_name_rank"], default=None)  # the first of equals
    return {
        "tenant": rows[0]["tenant"],
        "session_id": rows[0]["session_id"],
        "row_count": len(rows),
        "name": best_named["session_name"] if best_named else _first(rows, "name"),
        "user_id": _first(rows, "user_id"),
        "thread_id": _first(rows, "thread_id"),
        "environment": _first(rows, "environment"),
        "end_state": _first(by_end, "end_state") or END_STATE_BY_STATUS[by_end[0]["status_code"]],
        "end_reason": _first(by_end, "end_reason"),
        "input_preview": _first(rows, "input_preview"),
        "output_preview": _first(by_end, "output_preview"),
        "metadata": merge_metadata(row["metadata"] for row in rows),
        "trace_count": count_traces(rows),
        "active_ns": union_length([(row["start_ns"], row["end_ns"]) for row in rows]),
        "start_ns": min(row["start_ns"] for row in rows),
        "end_ns": max(row["end_ns"] for row in rows),
        **{column: sum(row[column] for row in rows) for column in SUMS},
        **{column: sorted({value for row in rows for value in row[column]}) for column in LISTS},
    }


def count_traces(rows: Iterable[Row]) -> int:
    """Traces of spans, and the turns of log records, which have no trace."""
    rows = list(rows)
    turns = {row["turn_id"] or row["trace_id"] for row in rows if row["source"] == Source.LOG}
    return sum(row["source"] == Source.SPAN for row in rows) + len(turns)


def _first(rows: Iterable[Row], column: str) -> str:
    """Of the first row that states it."""
    return next((row[column] for row in rows if row[column]), "")


def union_length(intervals: Iterable[tuple[int, int]]) -> int:
    """How much of the time line the intervals cover together."""
    length = 0
    covered_to: int | None = None
    for start, end in sorted(intervals):
        begin = start if covered_to is None else max(start, covered_to)
        length += max(0, end - begin)
        covered_to = end if covered_to is None else max(end, covered_to)
    return length
