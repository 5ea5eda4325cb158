"""Trace rows to session rows, once more and without the engine: what an audit holds the stored rows against. Pure.

The roll-up that fills `session_rollups` is SQL (`store.rollup_sql`); this says the same in other words, so that a fault
of either shows. Must never be what is written: one of the two is enough to be wrong by.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import orjson
import polars as pl

from processor.model import COSTS, LABELS_MAX, SESSION_ROLLUPS, SUMMED, TOKENS, Source
from processor.rollup.rows import typed
from processor.rollup.span_set import SESSION_KEY

_FIRST_STATED: Final = ("user_id", "thread_id", "environment", "input_preview")
_LAST_STATED: Final = ("end_reason", "output_preview")
_LISTS: Final = ("models", "providers", "services")
_LAST_RESORT: Final = (*TOKENS, *COSTS, "unpriced_span_count")
_COUNTED: Final = pl.col("source") == Source.METRIC
_REPORTED: Final = pl.col("span_count") > 0
LIVE: Final = _REPORTED | _COUNTED
"""Of a trace row: whether it says anything of its session."""


def session_rows(traces: pl.DataFrame) -> pl.DataFrame:
    """Roll trace rows up into one row a session.

    Shape: in, `model.SESSION_TRACES`, one row a key, all of each session that occurs, in any order; out,
    `model.SESSION_ROLLUPS`, sorted by key. A session without a live trace gets a row with `row_count = 0`.
    Units: Unix nanoseconds, nano-dollars. Metadata is JSON, its keys sorted.
    """
    if traces.is_empty():
        return pl.DataFrame(schema=SESSION_ROLLUPS)
    by_start = traces.sort("start_ns", "trace_id")
    by_end = traces.sort("end_ns", "trace_id")
    rows = traces.group_by(SESSION_KEY).agg(*_amounts())
    for ordered in (_from_the_first(by_start), _from_the_last(by_end), _metadata(by_start), _active(by_start)):
        rows = rows.join(ordered, on=SESSION_KEY, how="left")
    return typed(rows, SESSION_ROLLUPS).sort(SESSION_KEY)


def _amounts() -> list[pl.Expr]:
    turns = pl.when(pl.col("turn_id") == "").then("trace_id").otherwise("turn_id")
    of_spans = (_REPORTED & (pl.col("source") == Source.SPAN)).sum().cast(pl.Int64)
    of_logs = turns.filter(_REPORTED & (pl.col("source") == Source.LOG)).n_unique().cast(pl.Int64)
    begins, ends = (pl.col(name).filter(_REPORTED) for name in ("start_ns", "end_ns"))
    counted_from, counted_to = (pl.col(name).filter(_COUNTED) for name in ("start_ns", "end_ns"))
    reports = (pl.col("total_tokens") + pl.col("cost_nano_usd")).filter(~_COUNTED).sum() > 0
    return [
        pl.col("version").sum(),
        LIVE.sum().cast(pl.Int64).alias("row_count"),
        (of_spans + of_logs).alias("trace_count"),
        pl.coalesce(begins.min(), counted_from.min()).alias("start_ns"),
        pl.coalesce(ends.max(), counted_to.max(), pl.col("end_ns").max()).alias("end_ns"),
        *(pl.col(name).sum() for name in SUMMED if name not in _LAST_RESORT),
        *(
            pl.when(reports).then(pl.col(name).filter(~_COUNTED).sum()).otherwise(pl.col(name).filter(_COUNTED).sum())
            for name in _LAST_RESORT
        ),
        *(pl.col(name).explode().drop_nulls().unique().sort() for name in _LISTS),
        pl.col("tags").explode().drop_nulls().unique().sort().head(LABELS_MAX),
    ]


def _from_the_first(by_start: pl.DataFrame) -> pl.DataFrame:
    named = pl.col("session_name").filter(LIVE & (pl.col("session_name") != ""))
    rank = pl.col("session_name_rank").filter(LIVE & (pl.col("session_name") != ""))
    best = named.sort_by(rank, maintain_order=True).first()
    return by_start.group_by(SESSION_KEY, maintain_order=True).agg(
        pl.coalesce(best, _stated("name").first()).alias("name"), *(_stated(name).first() for name in _FIRST_STATED)
    )


def _from_the_last(by_end: pl.DataFrame) -> pl.DataFrame:
    status = pl.col("status_code").filter(LIVE).last()
    ended = pl.when(status == 1).then(pl.lit("success")).when(status == 2).then(pl.lit("error"))
    return by_end.group_by(SESSION_KEY, maintain_order=True).agg(
        pl.coalesce(_stated("end_state").last(), ended, pl.lit("unknown")).alias("end_state"),
        *(_stated(name).last() for name in _LAST_STATED),
    )


def _stated(name: str) -> pl.Expr:
    return pl.col(name).filter(LIVE & (pl.col(name) != ""))


def _metadata(by_start: pl.DataFrame) -> pl.DataFrame:
    """Of each of the first keys the value of the earliest trace."""
    texts = by_start.filter(LIVE & (pl.col("metadata") != "")).group_by(SESSION_KEY).agg("metadata")
    merged = [_merged(of_session) for of_session in texts["metadata"].to_list()]
    return texts.select(SESSION_KEY).with_columns(metadata=pl.Series(merged, dtype=pl.String))


def _merged(texts: Iterable[str]) -> str:
    said: dict[str, str] = {}
    for text in texts:
        said = orjson.loads(text) | said
    said = {key: said[key] for key in sorted(said)[:LABELS_MAX]}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()


def _active(by_start: pl.DataFrame) -> pl.DataFrame:
    """The length of the union of the traces' intervals: what of each lies behind all that began before it."""
    reported = by_start.filter(_REPORTED)
    before = pl.col("end_ns").cum_max().shift(1).over(SESSION_KEY)
    begins = pl.max_horizontal("start_ns", before)
    lengths = reported.with_columns(active_ns=(pl.col("end_ns") - begins).clip(lower_bound=0))
    return lengths.group_by(SESSION_KEY).agg(pl.col("active_ns").sum())
