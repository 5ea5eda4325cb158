"""From rows as they came, any order, duplicates and versions among them, to the set of spans they stand for.

A redelivered row is equal to the first and counts once. An emitter that sends a span twice with different content
leaves two rows of one key: both belong to the set (so its size only grows), and one of them speaks for the span, chosen
by the content alone. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from processor.model import SESSION_SPANS

TRACE_KEY: Final = ("tenant", "trace_id")
_SPAN_KEY: Final = (*TRACE_KEY, "span_id")
_CONTENT: Final = [name for name in SESSION_SPANS.names() if name not in _SPAN_KEY]


@dataclass(frozen=True, slots=True)
class SpanSet:
    """The spans of some traces, whole.

    `spans` has one row a span, sorted by trace, then start, then span id. `sizes` has the version of each trace, in the
    same order: the number of distinct rows in its set. `claims` are all (tenant, trace_id, session_id) that any row of
    the set names, losing versions included: the keys under which any earlier subset may have written a row.
    """

    spans: pl.DataFrame
    sizes: pl.DataFrame
    claims: pl.DataFrame


def span_set(rows: pl.DataFrame) -> SpanSet:
    """The set that `rows` stand for.

    Shape: `model.SESSION_SPANS`. The row that speaks for a span is the one that ends last; ties go to the largest
    content, column by column.
    """
    duplicated = rows.select(_SPAN_KEY).is_duplicated()
    if duplicated.any():
        once = rows.filter(~duplicated)
        versions = rows.filter(duplicated).unique()
        distinct = pl.concat([once, versions])
        order = ["end_ns", *(name for name in _CONTENT if name != "end_ns")]
        winners = versions.sort(order).unique(_SPAN_KEY, keep="last", maintain_order=True)
        spans = pl.concat([once, winners])
    else:
        distinct = spans = rows
    all_rows = distinct.lazy()
    return SpanSet(
        *pl.collect_all(
            [
                spans.lazy().sort(*TRACE_KEY, "start_ns", "span_id"),
                all_rows.group_by(TRACE_KEY).agg(version=pl.len().cast(pl.UInt64)).sort(TRACE_KEY),
                all_rows.filter(pl.col("session_id") != "").select(*TRACE_KEY, "session_id").unique(),
            ]
        )
    )
