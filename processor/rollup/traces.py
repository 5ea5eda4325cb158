"""Spans of whole traces to trace rows: one a session that a trace takes part in, and one a trace. Pure.

The version of a trace's rows is the size of its span set, so a row computed from more spans always wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from processor.decode.columns import Bools, Ints
from processor.model import SESSION_TRACES, TRACE_SESSIONS
from processor.rollup.binding import bound_sessions
from processor.rollup.counting import Counting, counting
from processor.rollup.lineage import Lineage, lineage
from processor.rollup.runs import Runs, gathered, lists, mask
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY, SpanSet, span_set


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
    shape = lineage(whole.spans)
    session = bound_sessions(whole.spans, shape)
    by_session = np.flatnonzero(mask(session != ""))
    if not _stand_together(shape.trace[by_session], session.gather(by_session)):
        frame = pl.DataFrame({"trace": shape.trace[by_session], "session": session.gather(by_session)})
        order = frame.select(pl.arg_sort_by("trace", "session", maintain_order=True)).to_series().to_numpy()
        by_session = by_session[order]
    traces = _traces(whole, shape)
    live = _live_rows(whole.spans, shape, session, counting(whole.spans, shape.parent), by_session)
    per_session = live.hstack(traces[live["trace"]]).drop("trace")
    session_traces = pl.concat([per_session, _gone(whole, session, per_session, traces)], how="diagonal")
    return TraceRows(
        session_traces.select(_typed(SESSION_TRACES)).sort(*SESSION_KEY, "trace_id"),
        _trace_sessions(traces, shape, session, live).select(_typed(TRACE_SESSIONS)).sort(TRACE_KEY),
    )


def _stand_together(trace: Ints, session: pl.Series) -> bool:
    """Whether each trace's spans of one session already follow one another: it has one session, as nearly all do."""
    changes = mask((session != session.shift(1)).fill_null(True))
    return not (changes[1:] & (trace[1:] == trace[:-1])).any()


def _traces(whole: SpanSet, shape: Lineage) -> pl.DataFrame:
    """What is the same in all rows of a trace. Shape: one row a trace, in the order of `Lineage.trace`."""
    first = np.searchsorted(shape.trace, np.arange(shape.traces))
    sizes = np.bincount(shape.trace, minlength=shape.traces)
    traces = whole.spans.select(TRACE_KEY)[first].with_columns(version=pl.Series(sizes, dtype=pl.UInt64))
    if len(whole.beaten):
        beaten = whole.beaten.group_by(TRACE_KEY).agg(beaten=pl.len().cast(pl.UInt64))
        traces = traces.join(beaten, on=TRACE_KEY, how="left", maintain_order="left")
        traces = traces.with_columns(version=pl.col("version") + pl.col("beaten").fill_null(0)).drop("beaten")
    return traces.hstack(whole.spans.select("name", "status_code")[shape.root])


def _live_rows(
    spans: pl.DataFrame, shape: Lineage, session: pl.Series, counts: Counting, by_session: Ints
) -> pl.DataFrame:
    """One row a (trace, session) with at least one span.

    Shape: `by_session` are the bound spans, those of one trace and session together, each in the order of its start.
    """
    spans, session, trace = spans[by_session], session.gather(by_session), shape.trace[by_session]
    used, call = counts.usage[by_session], counts.llm_call[by_session]
    runs = Runs.of(_begins(trace, session))
    start_ns, cost = spans["start_ns"].to_numpy(), spans["cost_nano_usd"].to_numpy()
    end_ns = np.maximum(start_ns, spans["end_ns"].to_numpy())
    rank = spans["session_name_rank"].to_numpy()
    named = runs.first_stated(spans["session_name"], rank)
    return pl.DataFrame(
        {
            "trace": trace[runs.starts],
            "session_id": session.gather(runs.starts),
            "session_name": gathered(spans["session_name"], named),
            "session_name_rank": np.where(named >= 0, rank[np.maximum(named, 0)] if len(rank) else 0, 0),
            "user_id": gathered(spans["user_id"], runs.first_stated(spans["user_id"])),
            "thread_id": gathered(spans["thread_id"], runs.first_stated(spans["thread_id"])),
            "start_ns": runs.min(start_ns),
            "end_ns": runs.max(end_ns),
            "llm_ns": runs.sum((end_ns - start_ns) * call),
            "span_count": runs.sum(np.ones(len(trace), np.int64)),
            "error_count": runs.sum(counts.error[by_session]),
            "llm_call_count": runs.sum(call),
            "tool_call_count": runs.sum(counts.tool_call[by_session]),
            "input_tokens": runs.sum(spans["input_tokens"].to_numpy() * used),
            "output_tokens": runs.sum(spans["output_tokens"].to_numpy() * used),
            "total_tokens": runs.sum(spans["total_tokens"].to_numpy() * used),
            "cost_nano_usd": runs.sum(cost * used),
            "unpriced_span_count": runs.sum(used & (cost == 0)),
            "models": runs.distinct(spans["model"], used | call),
            "providers": runs.distinct(spans["provider"], used | call),
            "services": runs.distinct(spans["service"]),
        }
    )


def _begins(trace: Ints, session: pl.Series) -> Bools:
    begins = mask((session != session.shift(1)).fill_null(True))
    begins[1:] |= trace[1:] != trace[:-1]
    return begins


def _gone(whole: SpanSet, session: pl.Series, live: pl.DataFrame, traces: pl.DataFrame) -> pl.DataFrame:
    """The key and trace of rows that an earlier, smaller set may have written, and this one leaves empty."""
    own = pl.col("session_id")
    moved = whole.spans.select(*TRACE_KEY, own).filter((own != "") & (own != session))
    claims = pl.concat([moved, whole.beaten.select(*TRACE_KEY, own).filter(own != "")]).unique()
    return claims.join(live, on=[*TRACE_KEY, "session_id"], how="anti").join(traces, on=TRACE_KEY)


def _trace_sessions(traces: pl.DataFrame, shape: Lineage, session: pl.Series, live: pl.DataFrame) -> pl.DataFrame:
    """Shape: `model.TRACE_SESSIONS`; `live` is sorted by trace and session."""
    unbound = shape.trace[mask(session == "")]
    return traces.with_columns(
        session_ids=lists(live["session_id"], np.bincount(live["trace"].to_numpy(), minlength=shape.traces)),
        span_count=np.bincount(shape.trace, minlength=shape.traces),
        unbound_span_count=np.bincount(unbound, minlength=shape.traces),
    )


def _typed(schema: pl.Schema) -> list[pl.Expr]:
    """The columns of a schema in its types, with each type's nothing instead of null."""
    return [_nothing_for_null(name, dtype) for name, dtype in schema.items()]


def _nothing_for_null(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.List):
        return pl.col(name).cast(dtype).fill_null(pl.lit([], dtype))
    return pl.col(name).cast(dtype).fill_null("" if dtype == pl.String else 0)
