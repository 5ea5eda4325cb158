"""What counters add up to, as a trace row of its own in each session: the last resort. Pure.

Such a row has no spans. Its tokens and its cost are its session's only where neither spans nor log records report any;
`store.rollup_sql` decides that, over all rows of the session.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from processor.model import COSTS, SESSION_TRACES, TOKENS, TRACE_SESSIONS, USAGE_KEY, Source
from processor.pricing.calls import Calls
from processor.pricing.prices import Prices
from processor.pricing.split import Stated, split
from processor.rollup.breakdown import breakdown
from processor.rollup.rows import TraceRows, typed
from processor.rollup.runs import Runs
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY
from processor.row_versions import versions

_KEY: Final = (*SESSION_KEY, "trace_id")


def metric_rows(markers: pl.DataFrame, usage: pl.DataFrame, prices: Prices, revision: int = 0) -> TraceRows:
    """Roll the counters of each session up.

    Shape: `markers` as `model.SESSION_SPANS`, of source METRIC: all of each session that occurs, any order, duplicates
    allowed; `usage` as `metric_model.METRIC_USAGE`, at least of every point that the markers stand for.
    Units: Unix nanoseconds, nano-dollars.
    """
    if markers.is_empty():
        return TraceRows(pl.DataFrame(schema=SESSION_TRACES), pl.DataFrame(schema=TRACE_SESSIONS))
    sizes = markers.group_by(_KEY).agg(size=pl.col("span_id").n_unique().cast(pl.Int64))
    rows = usage.join(sizes, on=SESSION_KEY, how="inner").sort(*_KEY, *USAGE_KEY)
    begins = (rows["trace_id"] != rows["trace_id"].shift(1)) | (rows["tenant"] != rows["tenant"].shift(1))
    runs = Runs.of(begins.fill_null(True).to_numpy())
    first = rows[runs.starts]
    amounts, unpriced = _amounts(rows, prices)
    none = np.zeros(len(rows), np.int64)
    session_traces = first.select(_KEY).with_columns(
        version=pl.Series(versions(first["size"].to_numpy(), revision), dtype=pl.UInt64),
        source=pl.lit(Source.METRIC, pl.UInt8),
        user_id=pl.Series(_smallest(rows["user_id"], runs)),
        start_ns=pl.Series(runs.min(rows["start_ns"].to_numpy())),
        end_ns=pl.Series(runs.max(rows["end_ns"].to_numpy())),
        unpriced_span_count=pl.Series(runs.sum(unpriced)),
        models=runs.distinct(rows["model"]),
        providers=runs.distinct(rows["provider"]),
        services=runs.distinct(rows["service"]),
        **{name: pl.Series(runs.sum(amount)) for name, amount in amounts.items()},
        **breakdown(
            rows,
            amounts | {"call_count": none, "error_count": none, "unpriced_count": unpriced},
            runs.group,
            len(runs),
        ),
    )
    return TraceRows(typed(session_traces, SESSION_TRACES).sort(_KEY), _traces(session_traces))


def _amounts(rows: pl.DataFrame, prices: Prices) -> tuple[dict[str, Any], Any]:
    number = {name: rows[name].to_numpy() for name in (*TOKENS, "start_ns", "cost_nano_usd")}
    none = np.zeros(len(rows), np.int64)
    calls = Calls(
        provider=rows["provider"],
        model=rows["model"],
        request_model=rows["model"],
        cache_write_1h_tokens=none,
        **{name: number[name] for name in (*TOKENS, "start_ns") if name != "total_tokens"},
    )
    stated = Stated(number["cost_nano_usd"], none, none)
    cost = split(stated, prices.price(calls), calls.input_tokens, calls.output_tokens)
    return {name: number[name] for name in TOKENS} | {name: getattr(cost, name) for name in COSTS}, cost.unpriced


def _smallest(texts: pl.Series, runs: Runs) -> list[str]:
    return [min((text for text in texts[begin:end] if text), default="") for begin, end in _ranges(runs, len(texts))]


def _ranges(runs: Runs, size: int) -> zip[tuple[int, int]]:
    return zip(runs.starts.tolist(), [*runs.starts[1:].tolist(), size], strict=True)


def _traces(session_traces: pl.DataFrame) -> pl.DataFrame:
    rows = session_traces.select(*TRACE_KEY, "version", "end_ns", session_ids=pl.concat_list("session_id"))
    return typed(rows, TRACE_SESSIONS).sort(TRACE_KEY)
