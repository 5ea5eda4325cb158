"""Which spans make up a trace, and which session each of them belongs to.

Source: DESIGN, "Binding a trace to its session". A row here is a narrow row of `spans`; a trace is the list of the
rows that count, one a span id.
"""

from __future__ import annotations

from collections.abc import Iterable

from processor.model import SESSION_SPANS, Source
from tests.oracle.spans import Row

KEY = ("tenant", "trace_id", "span_id")
TIE_BREAKERS = [column for column in SESSION_SPANS.names() if column not in (*KEY, "end_ns")]


def winning_rows(rows: Iterable[Row]) -> list[Row]:
    """One row a span: of its variants the one that ends last, ties to the largest of the other columns."""
    winners: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(row[column] for column in KEY)
        if key not in winners or _seniority(row) > _seniority(winners[key]):
            winners[key] = row
    return list(winners.values())


def _seniority(row: Row) -> tuple[object, ...]:
    return (row["end_ns"], *(row[column] for column in TIE_BREAKERS))


def earliest(rows: Iterable[Row]) -> Row | None:
    """The first by start, then by span id."""
    return min(rows, key=lambda row: (row["start_ns"], row["span_id"]), default=None)


def parents(trace: list[Row]) -> dict[str, Row]:
    """Span id to its parent's row, for the spans whose parent is in the trace.

    A span that is its own ancestor is taken to have no parent: a cycle says nothing about who called whom.
    """
    by_id = {row["span_id"]: row for row in trace}
    found: dict[str, Row] = {}
    for span_id, row in by_id.items():
        seen: set[str] = set()
        above = row["parent_span_id"]
        while above in by_id and above not in seen:
            seen.add(above)
            above = by_id[above]["parent_span_id"]
        if row["parent_span_id"] in by_id and span_id not in seen:
            found[span_id] = by_id[row["parent_span_id"]]
    return found


def find_root(trace: list[Row]) -> Row:
    """The earliest span without a parent in the trace; a log record only where no such span is."""
    has_parent = parents(trace)
    local_roots = [row for row in trace if row["span_id"] not in has_parent]
    root = earliest(row for row in local_roots if row["source"] == Source.SPAN) or earliest(local_roots)
    assert root is not None, "cycles are cut, so some span has no parent"
    return root


def bind(trace: list[Row]) -> dict[str, str]:
    """Span id to session id, '' for a span that no session claims."""
    strength = max(row["session_strength"] for row in trace)
    own = {
        row["span_id"]: row["session_id"] for row in trace if row["session_id"] and row["session_strength"] == strength
    }
    if not own:
        return {row["span_id"]: "" for row in trace}
    root = find_root(trace)
    if root["span_id"] in own:
        inherited = own[root["span_id"]]
    else:
        first = earliest(row for row in trace if row["span_id"] in own)
        assert first is not None, "some span has an id"
        inherited = own[first["span_id"]]
    return {row["span_id"]: own.get(row["span_id"], inherited) for row in trace}
