"""What a session's counters add up to: the usage that counts where neither its spans nor its log records report any.

A pure function of the *set* of data points: duplicates and order change nothing. Delta points add up; of a cumulative
series the largest value of each start counts, so a process that began anew adds to what the one before it had.

Source: `metric_rules`; opentelemetry-proto `metrics.proto`, "AggregationTemporality".
"""

from __future__ import annotations

from typing import Final

import polars as pl

from processor.conventions.metric_rules import CACHE_READ, CACHE_WRITE, COST, INPUT, OUTPUT, REASONING, RULES
from processor.decode.metrics import CUMULATIVE
from processor.metric_model import METRIC_USAGE, SESSION_METRICS

_KEY: Final = ("tenant", "session_id", "service", "model", "provider")
_SERIES: Final = ("tenant", "session_id", "metric", "series", "start_ns")
_COLUMNS: Final = {
    "input_tokens": INPUT,
    "output_tokens": OUTPUT,
    "cache_read_tokens": CACHE_READ,
    "cache_write_tokens": CACHE_WRITE,
    "reasoning_tokens": REASONING,
    "cost_nano_usd": COST,
}


def metric_usage(points: pl.DataFrame) -> pl.DataFrame:
    """Add points up.

    Shape: in, `SESSION_METRICS`, any order, duplicates allowed; out, `METRIC_USAGE`.
    Units: Unix nanoseconds, nano-dollars.
    Errors: none. Two points of one series and interval with different amounts count as the larger one.
    """
    # One point a series and interval, then one a start of a cumulative series.
    ids = [*_SERIES, "time_ns"]
    points = points.sort("amount", *SESSION_METRICS.names()).unique(ids, keep="last", maintain_order=True)
    grows = points["temporality"] == CUMULATIVE
    largest = points.filter(grows).sort("amount", "time_ns").unique(_SERIES, keep="last", maintain_order=True)
    points = pl.concat([points.filter(~grows), largest])
    begins = pl.when(pl.col("start_ns") > 0).then("start_ns").otherwise("time_ns")
    rows = points.group_by(_KEY).agg(
        user_id=pl.col("user_id").filter(pl.col("user_id") != "").min().fill_null(""),
        start_ns=begins.min(),
        end_ns=pl.col("time_ns").max(),
        **{name: _sum(measure) for name, measure in _COLUMNS.items()},
    )
    rows = rows.with_columns(total_tokens=pl.col("input_tokens") + pl.col("output_tokens"))
    return rows.select(METRIC_USAGE.names()).cast(METRIC_USAGE).sort(_KEY)


def _sum(measure: str) -> pl.Expr:
    adds = [
        (pl.col("metric") == name) & (pl.col("measure") == (word or COST))
        for name, rule in RULES.items()
        for word, measures in rule.measures.items()
        if measure in measures
    ]
    return pl.col("amount").cast(pl.Int64).filter(pl.any_horizontal(adds)).sum()
