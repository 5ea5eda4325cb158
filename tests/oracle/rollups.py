"""Rows of `trace_sessions` and `session_traces`, summed up with loops.

Source: DESIGN, "What counts"; processor/model.py for the columns. `version` is left out: it says how much a writer
knew, not what is true.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import orjson

from tests.oracle.binding import bind, earliest, find_root
from tests.oracle.costs import Cost, Price, cost_of
from tests.oracle.counting import Counted, count
from tests.oracle.spans import Row

TOKENS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)


def roll_up_trace(trace: list[Row], price: Price) -> tuple[Row, list[Row]]:
    """The `trace_sessions` row of a trace and one `session_traces` row for each of its sessions, empty ones too."""
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
        "end_ns": max(_end_ns(row) for row in trace),
    }
    session_traces = []
    for session_id in session_ids:
        rows = [row for row in trace if sessions[row["span_id"]] == session_id]
        usage = {row["span_id"]: cost_of(row, price) for row in rows if row["span_id"] in counted.usage}
        session_traces.append(
            {
                **key,
                "session_id": session_id,
                "name": root["name"],
                "status_code": root["status_code"],
                **_describe(rows, root),
                **_sum_up(rows, counted, usage),
                **_break_down(rows, counted, usage),
            }
        )
    return trace_session, session_traces


def _describe(rows: list[Row], root: Row) -> Row:
    """What the spans of one trace tell about one session."""
    named = [row for row in rows if row["session_name"]]
    best_named = min(named, key=lambda row: (row["session_name_rank"], row["start_ns"], row["span_id"]), default=None)
    return {
        "source": min(row["source"] for row in rows),
        "turn_id": _of_earliest(rows, "turn_id"),
        "session_name": best_named["session_name"] if best_named else "",
        "session_name_rank": best_named["session_name_rank"] if best_named else 0,
        "user_id": _of_earliest(rows, "user_id"),
        "thread_id": _of_earliest(rows, "thread_id"),
        "environment": _of_earliest(rows, "environment"),
        "end_state": _of_last(rows, "end_state"),
        "end_reason": _of_last(rows, "end_reason") or root["status_message"],
        "input_preview": _of_earliest(rows, "input_preview"),
        "output_preview": _of_last(rows, "output_preview"),
        "tags": _distinct(tag for row in rows if row["tags"] for tag in orjson.loads(row["tags"])),
        "metadata": merge_metadata(row["metadata"] for row in sorted(rows, key=_place)),
    }


def _sum_up(rows: list[Row], counted: Counted, usage: dict[str, Cost]) -> Row:
    """What the spans of one trace add to one session. `usage`: what costs what, by span id."""
    bearing = [row for row in rows if row["span_id"] in usage]
    llm_calls = [row for row in rows if row["span_id"] in counted.llm_calls]
    return {
        "start_ns": min(row["start_ns"] for row in rows),
        "end_ns": max(_end_ns(row) for row in rows),
        "llm_ns": sum(_end_ns(row) - row["start_ns"] for row in llm_calls),
        "ttft_ns": sum(row["ttft_ns"] for row in llm_calls),
        "ttft_count": sum(row["ttft_ns"] > 0 for row in llm_calls),
        "span_count": sum(row["span_id"] in counted.spans for row in rows),
        "error_count": sum(row["span_id"] in counted.errors for row in rows),
        "llm_call_count": len(llm_calls),
        "tool_call_count": sum(row["kind"] == "tool" for row in rows),
        **{column: sum(row[column] for row in bearing) for column in TOKENS},
        **_sum_costs(usage.values()),
        "unpriced_span_count": sum(cost.unpriced for cost in usage.values()),
        "models": _distinct(row["model"] for row in (*bearing, *llm_calls)),
        "providers": _distinct(row["provider"] for row in (*bearing, *llm_calls)),
        "services": _distinct(row["service"] for row in rows),
    }


def _break_down(rows: list[Row], counted: Counted, usage: dict[str, Cost]) -> Row:
    """The same by model, provider and service, as parallel lists."""
    groups: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["span_id"] in counted.usage | counted.llm_calls | counted.errors:
            groups[row["model"], row["provider"], row["service"]].append(row)
    lines = []
    for (model, provider, service), group in sorted(groups.items()):
        bearing = [row for row in group if row["span_id"] in usage]
        costs = [usage[row["span_id"]] for row in bearing]
        lines.append(
            {
                "model": model,
                "provider": provider,
                "service": service,
                "call_count": sum(row["span_id"] in counted.llm_calls for row in group),
                "error_count": sum(row["span_id"] in counted.errors for row in group),
                **{column: sum(row[column] for row in bearing) for column in TOKENS},
                **_sum_costs(costs),
                "unpriced_count": sum(cost.unpriced for cost in costs),
            }
        )
    columns = ("model", "provider", "service", "call_count", "error_count", *TOKENS, *_sum_costs(()), "unpriced_count")
    return {f"usage.{column}": [line[column] for line in lines] for column in columns}


def _sum_costs(costs: Iterable[Cost]) -> Row:
    costs = list(costs)
    return {
        "cost_nano_usd": sum(cost.total_nano_usd for cost in costs),
        "input_cost_nano_usd": sum(cost.input_nano_usd for cost in costs),
        "output_cost_nano_usd": sum(cost.output_nano_usd for cost in costs),
    }


def merge_metadata(texts: Iterable[str]) -> str:
    """JSON objects into one: the first to state a key wins."""
    merged: dict[str, str] = {}
    for text in texts:
        for key, value in (orjson.loads(text) if text else {}).items():
            merged.setdefault(key, value)
    return orjson.dumps(merged, option=orjson.OPT_SORT_KEYS).decode() if merged else ""


def _end_ns(row: Row) -> int:
    """A span that ends before it starts has no length."""
    return max(row["start_ns"], row["end_ns"])


def _place(row: Row) -> tuple[int, str]:
    return row["start_ns"], row["span_id"]


def _of_earliest(rows: list[Row], column: str) -> str:
    row = earliest(row for row in rows if row[column])
    return row[column] if row else ""


def _of_last(rows: list[Row], column: str) -> str:
    """Of the row that ends last; of those that end together the one that starts last."""
    stating = [row for row in rows if row[column]]
    return max(stating, key=lambda row: (_end_ns(row), *_place(row)))[column] if stating else ""


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values) - {""})
