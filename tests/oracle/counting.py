"""Which spans of a trace count: as usage, as a model call, as an error. Judged over the whole trace.

Source: attributes.yaml, `counting` and `error`; DESIGN, "What counts".

A descendant is reached by walking up parent ids inside the trace; a span that is its own ancestor has no parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.oracle.binding import parents
from tests.oracle.spans import Row

MODEL_CALL_KINDS = {"llm", "embedding"}
NEVER_USAGE_KINDS = {"tool", "retrieval"}
OWN_WORK_KINDS = {"tool", "agent"}  # what a model call starts below itself is another piece of work


@dataclass(frozen=True)
class Counted:
    """Span ids of one trace."""

    usage: frozenset[str]
    llm_calls: frozenset[str]
    errors: frozenset[str]


def count(trace: list[Row]) -> Counted:
    """Decide for every span of the trace what it counts as."""
    covered: set[str] = set()
    llm_wrappers: set[str] = set()
    error_passers: set[str] = set()
    for below in trace:
        for above, between in _ancestors(below, trace):
            same_work = all(row["kind"] not in OWN_WORK_KINDS for row in (*between, below))
            if is_usage_bearing(below) and (above["kind"] not in MODEL_CALL_KINDS or same_work):
                covered.add(above["span_id"])
            if below["kind"] == "llm" and same_work:
                llm_wrappers.add(above["span_id"])
            if below["is_error"]:
                error_passers.add(above["span_id"])
    return Counted(
        usage=frozenset(row["span_id"] for row in trace if is_usage_bearing(row)) - covered,
        llm_calls=frozenset(
            row["span_id"] for row in trace if row["kind"] == "llm" and (is_usage_bearing(row) or not row["is_error"])
        )
        - llm_wrappers,
        errors=frozenset(row["span_id"] for row in trace if row["is_error"]) - error_passers,
    )


def is_usage_bearing(row: Row) -> bool:
    """Whether the span states tokens: input or output, or a total where it has neither."""
    return row["total_tokens"] > 0 and row["kind"] not in NEVER_USAGE_KINDS


def _ancestors(below: Row, trace: list[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """Each ancestor, nearest first, with the spans strictly between."""
    parent = parents(trace)
    between: list[Row] = []
    above = parent.get(below["span_id"])
    while above is not None:
        yield above, list(between)
        between.append(above)
        above = parent.get(above["span_id"])
