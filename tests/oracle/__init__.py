"""The oracle: what the tables must hold for a set of spans, in plain Python, slow and obvious on purpose.

Written from DESIGN and attributes.yaml, never from the product, and it must share no code with it except the columns'
names in `processor.model`: two readings of the same documents that agree are worth more than one.

    requests -> `spans` (narrow rows) -> `binding` (one row a span, its session) -> `counting`, `repeats`
             -> `rollups` (trace rows) -> `sessions`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.model import Source
from tests.oracle.binding import winning_rows
from tests.oracle.costs import Price, no_price
from tests.oracle.rollups import roll_up_trace
from tests.oracle.sessions import roll_up_session
from tests.oracle.spans import Row, read_request

__all__ = ["Expected", "Price", "Row", "expected", "expected_of_rows", "narrow_rows"]


@dataclass(frozen=True)
class Expected:
    """The rows by key; every column of `processor.model` except `version`.

    `session_traces` and `session_rollups` hold what is live: rows that only say that something moved away are absent.
    `session_name_rank` of a row without a session name is 0.
    """

    session_rollups: dict[tuple[str, str], Row]  # by tenant, session_id
    session_traces: dict[tuple[str, str, str], Row]  # by tenant, session_id, trace_id
    trace_sessions: dict[tuple[str, str], Row]  # by tenant, trace_id


def narrow_rows(requests: Sequence[tuple[str, ExportTraceServiceRequest | bytes]], now_ns: int) -> list[Row]:
    """The `SESSION_SPANS` rows of all accepted spans, in the order of arrival, duplicates and variants included."""
    return [row for tenant, request in requests for row in read_request(tenant, request, now_ns)]


def expected(
    requests: Sequence[tuple[str, ExportTraceServiceRequest | bytes]], now_ns: int, price: Price = no_price
) -> Expected:
    """The rows that these requests, each with its tenant, must lead to, whatever the order they came in.

    Units: `now_ns` is Unix nanoseconds, the time against which absurd times are judged.
    Errors: `DecodeError` for bytes that are no request.
    """
    return expected_of_rows(narrow_rows(requests, now_ns), price)


def expected_of_rows(rows: Iterable[Row], price: Price = no_price) -> Expected:
    """The same for narrow rows, those of log records among them."""
    winners = winning_rows(rows)
    traces: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in winners:
        traces[row["tenant"], row["trace_id"]].append(row)

    reported_by_spans = _calls_reported_by_spans(winners)
    trace_sessions: dict[tuple[str, str], Row] = {}
    session_traces: dict[tuple[str, str, str], Row] = {}
    by_session: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for (tenant, trace_id), trace in traces.items():
        trace_sessions[tenant, trace_id], trace_rows = roll_up_trace(trace, price)
        for row in trace_rows:
            key = (tenant, row["session_id"], trace_id)
            if row["span_count"] and key not in reported_by_spans:
                session_traces[key] = row
                by_session[tenant, row["session_id"]].append(row)
    session_rollups = {key: roll_up_session(rows) for key, rows in by_session.items()}
    return Expected(session_rollups, session_traces, trace_sessions)


def _calls_reported_by_spans(rows: Iterable[Row]) -> set[tuple[str, str, str]]:
    """Keys of trace rows that are gone: the log record of a call, outside of any trace, whose span came too."""
    return {
        (row["tenant"], row["session_id"], "call:" + row["response_id"])
        for row in rows
        if row["also_logged"] and row["source"] == Source.SPAN and row["response_id"] and row["session_id"]
    }
