"""Whole traces, as the store or memory has them, to what is written of them."""

from __future__ import annotations

import polars as pl

from processor.conventions.metric_usage import metric_usage
from processor.model import Source
from processor.pricing.prices import Prices
from processor.rollup.metrics import metric_rows
from processor.rollup.rows import TraceRows
from processor.rollup.span_set import SESSION_KEY
from processor.rollup.traces import trace_rows
from processor.store.base import Store


def rolled_up(store: Store, rows: pl.DataFrame, prices: Prices, revision: int) -> TraceRows:
    """The trace rows of whole traces; what counters add up to is read from their data points.

    Shape: `rows` as `model.SESSION_SPANS`, all of each trace that occurs.
    Errors: those of the store.
    """
    is_metric = pl.col("source") == Source.METRIC
    markers = rows.filter(is_metric)
    if markers.is_empty():
        return trace_rows(rows, prices, revision)
    # After the markers: the points that they stand for were stored before them.
    usage = metric_usage(store.read_session_metrics(markers.select(SESSION_KEY).unique()))
    parts = [metric_rows(markers, usage, prices, revision), trace_rows(rows.filter(~is_metric), prices, revision)]
    return TraceRows(
        pl.concat([part.session_traces for part in parts]), pl.concat([part.trace_sessions for part in parts])
    )
