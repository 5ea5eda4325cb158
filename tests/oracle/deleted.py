"""What the tables must hold when sessions are deleted: the oracle's rows of all spans, without the deleted sessions.

A deleted span keeps its place in its trace: who is whose parent, who is bound to whom and what counts is judged as if
it were there. It says nothing: what another session's row would have of its words is empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from tests.oracle import Expected
from tests.oracle.binding import bind, winning_rows
from tests.oracle.costs import Price
from tests.oracle.rollups import roll_up_trace
from tests.oracle.sessions import roll_up_session
from tests.oracle.spans import Row

Session = tuple[str, str]


def expected_but_deleted(rows: Iterable[Row], deleted: Collection[Session], price: Price) -> Expected:
    """The rows by key, as `expected_of_rows` has them. Shape: `deleted`, (tenant, session id)."""
    trace_sessions: dict[tuple[str, str], Row] = {}
    session_traces: dict[tuple[str, str, str], Row] = {}
    by_session: defaultdict[Session, list[Row]] = defaultdict(list)
    for (tenant, trace_id), trace in _traces(rows).items():
        gone = _deleted_spans(trace, deleted)
        told, trace_rows = roll_up_trace([_silent(row) if row["span_id"] in gone else row for row in trace], price)
        for row in trace_rows:
            if row["span_count"] and (tenant, row["session_id"]) not in deleted:
                session_traces[tenant, row["session_id"], trace_id] = row
                by_session[tenant, row["session_id"]].append(row)
        if len(gone) < len(trace):
            left = [session for session in told["session_ids"] if (tenant, session) not in deleted]
            trace_sessions[tenant, trace_id] = told | {"session_ids": left, "span_count": len(trace) - len(gone)}
    return Expected({key: roll_up_session(rows) for key, rows in by_session.items()}, session_traces, trace_sessions)


def spans_that_stay(rows: Iterable[Row], deleted: Collection[Session]) -> set[tuple[str, str, str]]:
    """Tenant, trace and span ids of what must still be stored."""
    return {
        (tenant, trace_id, row["span_id"])
        for (tenant, trace_id), trace in _traces(rows).items()
        for row in trace
        if row["span_id"] not in _deleted_spans(trace, deleted)
    }


def _traces(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    traces: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in winning_rows(rows):
        traces[row["tenant"], row["trace_id"]].append(row)
    return traces


def _deleted_spans(trace: list[Row], deleted: Collection[Session]) -> set[str]:
    tenant = trace[0]["tenant"]
    return {span_id for span_id, session in bind(trace).items() if (tenant, session) in deleted}


def _silent(row: Row) -> Row:
    return row | {"name": "", "status_message": ""}
