"""Trace rows to session rows. Pure.

The version of a session's row is the sum of the versions of its trace rows, vanished ones included: every change of a
trace makes it larger, so a row computed from an older view always loses.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from processor.model import SESSION_ROLLUPS
from processor.rollup.shaping import filled, first_stated

SESSION_KEY: Final = ("tenant", "session_id")
_SUMMED: Final = (
    "llm_ns", "span_count", "error_count", "llm_call_count", "tool_call_count", "input_tokens", "output_tokens",
    "total_tokens", "cost_nano_usd", "unpriced_span_count",
)  # fmt: skip
_LISTS: Final = ("models", "providers", "services")


def session_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Roll the trace rows of each session up into one row per (tenant, session).

    Shape: `model.SESSION_TRACES`, all traces of each session that occurs, any order, duplicates and older versions
    allowed; the result has the columns of `model.SESSION_ROLLUPS`, sorted by key. A session without a live trace gets a
    row with `trace_count = 0`.
    Units: Unix nanoseconds, nano-dollars; `active_ns` is the length of the union of the traces' intervals.
    """
    if rows.is_empty():
        return pl.DataFrame(schema=SESSION_ROLLUPS)
    newest = rows.lazy().sort("version").unique([*SESSION_KEY, "trace_id"], keep="last", maintain_order=True)
    versions = newest.group_by(SESSION_KEY).agg(pl.col("version").sum())
    live = newest.filter(pl.col("span_count") > 0).sort("start_ns", "trace_id")
    before = pl.col("end_ns").cum_max().shift(1).over(SESSION_KEY)
    fresh_from = pl.max_horizontal("start_ns", before)  # null before the first trace is passed over
    totals = (
        live.with_columns(active_ns=pl.max_horizontal(pl.col("end_ns") - fresh_from, 0))
        .group_by(SESSION_KEY)
        .agg(
            pl.len().alias("trace_count"),
            pl.col("active_ns").sum(),
            pl.col("start_ns").min(),
            pl.col("end_ns").max(),
            pl.col(_SUMMED).sum(),
            *(pl.col(name).explode().drop_nulls().unique().sort() for name in _LISTS),
        )
    )
    named = first_stated(live.sort("session_name_rank", maintain_order=True), SESSION_KEY, "session_name")
    result = versions.join(totals, on=SESSION_KEY, how="left")
    for part in (
        named.rename({"session_name": "name"}),
        first_stated(live, SESSION_KEY, "user_id"),
        first_stated(live, SESSION_KEY, "thread_id"),
    ):
        result = result.join(part, on=SESSION_KEY, how="left")
    return filled(result, SESSION_ROLLUPS).sort(SESSION_KEY).collect()
