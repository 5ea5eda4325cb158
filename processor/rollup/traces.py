"""Spans of whole traces to trace rows: one a session that a trace takes part in, and one a trace. Pure.

The version of a trace's rows is the size of its span set, so a row computed from more spans always wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from processor.model import SESSION_TRACES, TRACE_SESSIONS
from processor.rollup.binding import bound_sessions
from processor.rollup.counting import counting
from processor.rollup.lineage import lineage
from processor.rollup.shaping import distinct_texts, filled, first_stated
from processor.rollup.span_set import TRACE_KEY, span_set

_ROW_KEY: Final = (*TRACE_KEY, "session_id")


@dataclass(frozen=True, slots=True)
class TraceRows:
    """What a set of traces writes."""

    session_traces: pl.DataFrame
    trace_sessions: pl.DataFrame


def trace_rows(rows: pl.DataFrame) -> TraceRows:
    """Roll the spans of each trace up into one row per (tenant, session, trace).

    Shape: `model.SESSION_SPANS`, all spans of each trace that occurs, any order, duplicates allowed; the result is
    sorted by key. A session that some span names but no span belongs to gets an empty row: an earlier, smaller set may
    have written it.
    Units: Unix nanoseconds, nano-dollars.
    Errors: none; a span whose end lies before its start counts with zero length.
    Source: attributes.yaml, "counting"; DESIGN, "Binding a trace to its session", "What counts".
    """
    if rows.is_empty():
        return TraceRows(pl.DataFrame(schema=SESSION_TRACES), pl.DataFrame(schema=TRACE_SESSIONS))
    whole = span_set(rows)
    spans = whole.spans
    shape = lineage(spans)
    counts = counting(spans, shape.parent)
    roots = spans.select("name", "status_code")[shape.root]
    judged = spans.with_columns(
        bound_sessions(spans, shape).alias("session_id"),
        pl.max_horizontal("start_ns", "end_ns").alias("end_ns"),
        usage=counts.usage,
        llm_call=counts.llm_call,
        tool_call=counts.tool_call,
        error=counts.error,
    )
    live = _live_rows(judged.lazy())
    per_trace = pl.concat([whole.sizes, roots], how="horizontal").lazy()
    gone = whole.claims.lazy().join(live, on=_ROW_KEY, how="anti")
    session_traces = (
        pl.concat([live, gone], how="diagonal")
        .join(per_trace, on=TRACE_KEY, how="left")
        .sort("tenant", "session_id", "trace_id")
    )
    trace_sessions = _trace_sessions(judged.lazy(), live, whole.sizes.lazy())
    return TraceRows(*pl.collect_all([filled(session_traces, SESSION_TRACES), trace_sessions]))


def _live_rows(judged: pl.LazyFrame) -> pl.LazyFrame:
    """One row a (tenant, trace, session) with at least one span. Shape: spans in `SpanSet` order, judged."""
    bound = judged.filter(pl.col("session_id") != "")
    used, call = pl.col("usage"), pl.col("llm_call")
    totals = bound.group_by(_ROW_KEY).agg(
        pl.col("start_ns").min(),
        pl.col("end_ns").max(),
        llm_ns=((pl.col("end_ns") - pl.col("start_ns")) * call).sum(),
        span_count=pl.len(),
        error_count=pl.col("error").sum(),
        llm_call_count=call.sum(),
        tool_call_count=pl.col("tool_call").sum(),
        input_tokens=(pl.col("input_tokens") * used).sum(),
        output_tokens=(pl.col("output_tokens") * used).sum(),
        total_tokens=(pl.col("total_tokens") * used).sum(),
        cost_nano_usd=(pl.col("cost_nano_usd") * used).sum(),
        unpriced_span_count=(used & (pl.col("cost_nano_usd") == 0)).sum(),
        services=pl.col("service").unique(),
    )
    by_rank = bound.filter(pl.col("session_name") != "").sort("session_name_rank", maintain_order=True)
    named = first_stated(by_rank, _ROW_KEY, "session_name", "session_name_rank")
    calls = bound.filter(used | call)
    lists = calls.group_by(_ROW_KEY).agg(models=pl.col("model").unique(), providers=pl.col("provider").unique())
    result = totals
    for part in (named, first_stated(bound, _ROW_KEY, "user_id"), first_stated(bound, _ROW_KEY, "thread_id"), lists):
        result = result.join(part, on=_ROW_KEY, how="left")
    return result.with_columns(distinct_texts("services"), distinct_texts("models"), distinct_texts("providers"))


def _trace_sessions(judged: pl.LazyFrame, live: pl.LazyFrame, sizes: pl.LazyFrame) -> pl.LazyFrame:
    spans = judged.group_by(TRACE_KEY).agg(span_count=pl.len(), unbound_span_count=(pl.col("session_id") == "").sum())
    sessions = live.group_by(TRACE_KEY).agg(session_ids=pl.col("session_id").sort())
    joined = sizes.join(spans, on=TRACE_KEY, how="left").join(sessions, on=TRACE_KEY, how="left")
    return filled(joined, TRACE_SESSIONS)
