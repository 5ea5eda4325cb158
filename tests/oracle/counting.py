"""Which rows of a trace count: as usage, as a model call, as an error, as a span. Judged over the whole trace.

Source: attributes.yaml, `counting` and `error`; DESIGN, "What counts".

A descendant is reached by walking up parent ids inside the trace; a span that is its own ancestor has no parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from processor.model import Source
from tests.oracle.binding import parents
from tests.oracle.repeats import repeated_calls
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
    spans: frozenset[str]


def count(trace: list[Row]) -> Counted:
    """Decide for every row of the trace what it counts as."""
    ancestors = {row["span_id"]: list(_ancestors(row, trace)) for row in trace}
    echoes = {row["span_id"] for row in trace if _is_log_of_a_span(row, ancestors[row["span_id"]])}
    own = [row for row in trace if row["span_id"] not in echoes]

    covered: set[str] = set()
    llm_wrappers: set[str] = set()
    for below in own:
        for above, between in ancestors[below["span_id"]]:
            same_work = all(row["kind"] not in OWN_WORK_KINDS for row in (*between, below))
            if is_usage_bearing(below) and (above["kind"] not in MODEL_CALL_KINDS or same_work):
                covered.add(above["span_id"])
            if below["kind"] == "llm" and same_work:
                llm_wrappers.add(above["span_id"])
    usage = {row["span_id"] for row in own if is_usage_bearing(row)} - covered
    llm_calls = {row["span_id"] for row in own if row["kind"] == "llm"} - llm_wrappers

    repeats = repeated_calls(
        [row for row in own if row["kind"] in MODEL_CALL_KINDS and row["span_id"] in usage | llm_calls], parents(trace)
    )
    usage -= repeats
    llm_calls -= repeats

    unanswered = {row["span_id"] for row in own if row["is_error"] and not is_usage_bearing(row)}
    if llm_calls - unanswered:
        llm_calls -= unanswered

    own_spans = {row["span_id"] for row in own if row["source"] == Source.SPAN or row["span_id"] not in repeats}
    errors = {row["span_id"] for row in own if row["is_error"] and row["span_id"] in own_spans}
    passed_on = {above["span_id"] for span_id in errors for above, _ in ancestors[span_id]}
    return Counted(
        usage=frozenset(usage),
        llm_calls=frozenset(llm_calls),
        errors=frozenset(errors - passed_on),
        spans=frozenset(own_spans),
    )


def is_usage_bearing(row: Row) -> bool:
    """Whether the span states tokens: input or output, or a total where it has neither."""
    return row["total_tokens"] > 0 and row["kind"] not in NEVER_USAGE_KINDS


def _is_log_of_a_span(row: Row, ancestors: list[tuple[Row, list[Row]]]) -> bool:
    """Whether a log record only repeats what the model call that it was written in says."""
    if row["source"] != Source.LOG:
        return False
    for above, _ in ancestors:
        if above["kind"] in OWN_WORK_KINDS:
            return False
        if above["source"] == Source.SPAN and above["kind"] in MODEL_CALL_KINDS and is_usage_bearing(above):
            return True
    return False


def _ancestors(below: Row, trace: list[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """Each ancestor, nearest first, with the spans strictly between."""
    parent = parents(trace)
    between: list[Row] = []
    above = parent.get(below["span_id"])
    while above is not None:
        yield above, list(between)
        between.append(above)
        above = parent.get(above["span_id"])
