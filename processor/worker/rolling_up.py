"""Whole traces, as the store or memory has them, to what is written of them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from processor.conventions.metric_usage import metric_usage
from processor.model import Source
from processor.pricing.prices import Prices
from processor.rollup.metrics import metric_rows
from processor.rollup.rows import TraceRows
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY
from processor.rollup.traces import trace_rows
from processor.store.base import Store
from processor.worker.deletions import KnownDeletions, judged_traces, late_traces


@dataclass(frozen=True, slots=True)
class RolledUp:
    """`rows` to write. `concerned` are traces that a deleted session takes part in: memory may not have all of them.

    `late` is for a purge (`Store.ask_purge`).
    """

    rows: TraceRows
    concerned: pl.DataFrame | None = None
    late: pl.DataFrame | None = None


def rolled_up(store: Store, rows: pl.DataFrame, prices: Prices, revision: int, known: KnownDeletions) -> RolledUp:
    """The trace rows of whole traces; what counters add up to is read from their data points.

    Shape: `rows` as `model.SESSION_SPANS`, all of each trace that occurs. Traces that a deleted session takes part in
    are read again, with the places of their deleted spans.
    Errors: those of the store.
    """
    if not known or (concerned := known.concern(rows)).is_empty():
        return RolledUp(_all_rows(store, rows, prices, revision))
    others = _all_rows(store, rows.join(concerned, on=TRACE_KEY, how="anti"), prices, revision)
    judged = judged_traces(store, concerned, prices, revision, known)
    return RolledUp(_joined(others, judged.rows), concerned, late_traces(judged.judged))


def _all_rows(store: Store, rows: pl.DataFrame, prices: Prices, revision: int) -> TraceRows:
    is_metric = pl.col("source") == Source.METRIC
    markers = rows.filter(is_metric)
    if markers.is_empty():
        return trace_rows(rows, prices, revision)
    # After the markers: the points that they stand for were stored before them.
    usage = metric_usage(store.read_session_metrics(markers.select(SESSION_KEY).unique()))
    counted = metric_rows(markers, usage, prices, revision)
    return _joined(counted, trace_rows(rows.filter(~is_metric), prices, revision))


def _joined(*parts: TraceRows) -> TraceRows:
    return TraceRows(
        pl.concat([part.session_traces for part in parts]), pl.concat([part.trace_sessions for part in parts])
    )
