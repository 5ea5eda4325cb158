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
from processor.row_versions import set_size
from processor.store.base import Store
from processor.worker.deletions import KnownDeletions, fuller, judged_traces, late_traces, without


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
        return RolledUp(_fullest(store, all_rows(store, rows, prices, revision), revision))
    rest = rows.join(concerned, on=TRACE_KEY, how="anti")
    others = _fullest(store, all_rows(store, rest, prices, revision), revision)
    judged = judged_traces(store, concerned, prices, revision, known)
    return RolledUp(joined(others, judged.rows), concerned, late_traces(judged.judged))


def all_rows(store: Store, rows: pl.DataFrame, prices: Prices, revision: int) -> TraceRows:
    """The trace rows of whole traces that no deleted session takes part in; otherwise as `rolled_up`."""
    is_metric = pl.col("source") == Source.METRIC
    markers = rows.filter(is_metric)
    if markers.is_empty():
        return trace_rows(rows, prices, revision)
    # After the markers: the points that they stand for were stored before them.
    usage = metric_usage(store.read_session_metrics(markers.select(SESSION_KEY).unique()))
    counted = metric_rows(markers, usage, prices, revision)
    return joined(counted, trace_rows(rows.filter(~is_metric), prices, revision))


def _fullest(store: Store, rows: TraceRows, revision: int) -> TraceRows:
    """The rows, without traces of which the store knows more: their spans were removed after some time.

    Versions say so by themselves, but for a revision, which counts for more than any size.
    """
    if not revision or not store.loses_spans:
        return rows
    size = set_size(pl.col("version"))
    sizes = rows.trace_sessions.select(*TRACE_KEY, size=size, places=pl.lit(0, pl.Int64))
    return without(fuller(store, sizes.select(TRACE_KEY), sizes), rows)


def joined(*parts: TraceRows) -> TraceRows:
    """All rows of several."""
    return TraceRows(
        pl.concat([part.session_traces for part in parts]), pl.concat([part.trace_sessions for part in parts])
    )
