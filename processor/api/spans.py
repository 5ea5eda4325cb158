"""The spans of a page of traces, or of one trace, and what each of them adds to its session.

Judged as rollups judge them, by the same functions and over whole traces, so that the costs of the spans that count add
up to that of the trace. Where they may not: among many traces, one of which only the earliest `READ_PER_TRACE_MAX` rows
were read; by itself, one of more than `TRACE_READ_MAX` rows, whose pages are judged each by itself; and a trace whose
row was written with other prices than those in use now, until `otel-sessions reprice`.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from processor.model import COSTS
from processor.pricing.prices import Prices
from processor.rollup.binding import bound_sessions
from processor.rollup.costs import costs
from processor.rollup.counting import counting
from processor.rollup.lineage import lineage
from processor.rollup.span_set import span_set
from processor.store.queries import SPANS_MAX, SPANS_PER_TRACE_MAX, TRACE_READ_MAX, Row, SessionQueries


def judged(rows: pl.DataFrame, prices: Prices) -> pl.DataFrame:
    """The spans that narrow rows of one tenant stand for, those of one trace in the order of their start.

    Shape: `model.SESSION_SPANS` in; out, one row a span with `counts` (its usage is not repeated by another span) and
    with other meanings of two kinds of columns: the costs are what counts, stated or else priced, 0 where nothing does;
    `session_id` is the session that the span belongs to.
    Units: nano-dollars.
    """
    if rows.is_empty():
        return rows.with_columns(counts=pl.lit(False))
    spans = span_set(rows).spans
    shape = lineage(spans)
    used = counting(spans, shape).usage
    amounts = costs(spans, used, prices).amounts
    return spans.with_columns(
        bound_sessions(spans, shape).alias("session_id"),
        pl.Series("counts", used),
        *(pl.Series(name, amounts[name]) for name in COSTS),
    )


def shown(spans: pl.DataFrame, trace_ids: Sequence[str]) -> list[Row]:
    """As many of judged `spans` as an answer shows: the earliest of each trace, traces in the order of `trace_ids`."""
    order = pl.DataFrame({"trace_id": pl.Series(trace_ids, dtype=pl.String)})
    earliest = spans.filter(pl.int_range(pl.len()).over("trace_id") < SPANS_PER_TRACE_MAX)
    placed = order.join(earliest, on="trace_id", how="inner", maintain_order="left_right")
    return placed.head(SPANS_MAX).to_dicts()


def page_of_trace(
    queries: SessionQueries, tenant: str, trace_id: str, prices: Prices, limit: int, offset: int
) -> tuple[list[Row], int]:
    """One page of a trace's judged spans, and how many it has; none for a trace that does not exist."""
    rows = queries.trace_rows(tenant, trace_id)
    if len(rows) < TRACE_READ_MAX:
        spans = judged(rows, prices)
        return spans.slice(min(offset, len(spans)), limit).to_dicts(), len(spans)
    rows, total = queries.page_of_trace(tenant, trace_id, limit, offset)
    return judged(rows, prices).to_dicts(), total


def one_span(queries: SessionQueries, tenant: str, trace_id: str, span_id: str, prices: Prices) -> Row | None:
    """One judged span of a trace; None where there is none."""
    rows = queries.trace_rows(tenant, trace_id)
    found = judged(rows, prices).filter(pl.col("span_id") == span_id)
    if found.is_empty() and len(rows) >= TRACE_READ_MAX:
        found = judged(queries.span_rows(tenant, trace_id, span_id), prices)
    return found.to_dicts()[0] if len(found) else None
