"""Spans of whole traces to trace rows: one a session that a trace takes part in, and one a trace. Pure.

Beside the rows of the sessions that take part in a trace, a row may be *gone*: empty, to replace what an earlier,
smaller set may have written under its key. Versions decide (`row_versions`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from processor.decode.columns import Bools, Ints
from processor.model import CALL_TRACE, SESSION_TRACES, TOKENS, TRACE_SESSIONS, USAGE_KEY, Source
from processor.pricing.prices import Prices
from processor.rollup.binding import bound_sessions
from processor.rollup.breakdown import breakdown
from processor.rollup.costs import costs
from processor.rollup.counting import Counting, counting
from processor.rollup.deleted import IS_PLACE, hidden, not_deleted
from processor.rollup.labels import merged_metadata, merged_tags
from processor.rollup.lineage import Lineage, lineage
from processor.rollup.rows import TraceRows, typed
from processor.rollup.runs import Runs, gathered, lists, mask, ordered
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY, SpanSet, span_set
from processor.row_versions import over_all, versions, versions_after_deletion


def trace_rows(rows: pl.DataFrame, prices: Prices, revision: int = 0) -> TraceRows:
    """Roll the spans of each trace up into one row per (tenant, session, trace).

    Shape: `model.SESSION_SPANS`, all spans of each trace that occurs, any order, duplicates allowed; the result is
    sorted by key. A session that some span names but no span belongs to gets an empty row: an earlier, smaller set may
    have written it. With the column `deleted.IS_PLACE` (see `deleted.judge`), deleted sessions have no rows, nor has a
    trace in which nothing else is left.
    Units: Unix nanoseconds, nano-dollars.
    Errors: none; a span whose end lies before its start counts with zero length.
    Source: attributes.yaml, "counting"; DESIGN, "Binding a trace to its session", "What counts".
    """
    if rows.is_empty():
        return TraceRows(pl.DataFrame(schema=SESSION_TRACES), pl.DataFrame(schema=TRACE_SESSIONS))
    whole = span_set(rows)
    shape = lineage(whole.spans)
    counts = counting(whole.spans, shape)
    session = bound_sessions(whole.spans, shape)
    deleted_from = IS_PLACE in rows.columns
    is_hidden = mask(hidden(whole.spans, session) != "") if deleted_from else np.zeros(len(session), np.bool_)
    session = session.set(pl.Series(is_hidden), "") if deleted_from else session
    by_session = np.flatnonzero(mask(session != ""))
    if not _stand_together(shape.trace[by_session], session.gather(by_session)):
        frame = pl.DataFrame({"trace": shape.trace[by_session], "session": session.gather(by_session)})
        order = frame.select(pl.arg_sort_by("trace", "session", maintain_order=True)).to_series().to_numpy()
        by_session = by_session[order]
    traces = _traces(whole, shape, revision)
    live = _live_rows(whole.spans, shape, session, counts, by_session, prices)
    per_session = live.hstack(traces[live["trace"]].drop("end_ns")).drop("trace")
    gone = _gone(whole, session, per_session, traces)
    session_traces = pl.concat([per_session, gone, _logged_too(whole, revision)], how="diagonal")
    trace_sessions = _trace_sessions(traces, shape, session, live, is_hidden)
    if deleted_from:
        session_traces = not_deleted(session_traces)
        trace_sessions = trace_sessions.filter(pl.col("span_count") > 0)
    return TraceRows(
        typed(session_traces, SESSION_TRACES).sort(*SESSION_KEY, "trace_id"),
        typed(trace_sessions, TRACE_SESSIONS).sort(TRACE_KEY),
    )


def _stand_together(trace: Ints, session: pl.Series) -> bool:
    """Whether each trace's spans of one session already follow one another: it has one session, as nearly all do."""
    changes = mask((session != session.shift(1)).fill_null(True))
    return not (changes[1:] & (trace[1:] == trace[:-1])).any()


def _traces(whole: SpanSet, shape: Lineage, revision: int) -> pl.DataFrame:
    """What is the same in all rows of a trace. Shape: one row a trace, in the order of `Lineage.trace`."""
    first = np.searchsorted(shape.trace, np.arange(shape.traces))
    traces = whole.spans.select(TRACE_KEY)[first]
    sizes = np.bincount(shape.trace, minlength=shape.traces)
    if len(whole.beaten):
        sizes = sizes + _rows_of(traces, whole.beaten)
    made = versions(sizes, revision)
    if IS_PLACE in whole.spans.columns:
        places = [rows.filter(pl.col(IS_PLACE)) for rows in (whole.spans, whole.beaten)]
        made = versions_after_deletion(sizes, _rows_of(traces, *places), revision)
    ends = np.full(shape.traces, np.iinfo(np.int64).min)
    np.maximum.at(ends, shape.trace, np.maximum(whole.spans["start_ns"].to_numpy(), whole.spans["end_ns"].to_numpy()))
    traces = traces.with_columns(version=pl.Series(made, dtype=pl.UInt64), end_ns=pl.Series(ends))
    return traces.hstack(whole.spans.select("name", "status_code")[shape.root])


def _rows_of(traces: pl.DataFrame, *parts: pl.DataFrame) -> Ints:
    """How many rows each of the traces has."""
    counts = pl.concat([rows.select(TRACE_KEY) for rows in parts]).group_by(TRACE_KEY).agg(rows=pl.len().cast(pl.Int64))
    joined = traces.join(counts, on=TRACE_KEY, how="left", maintain_order="left")
    numbers: Ints = joined["rows"].fill_null(0).to_numpy()
    return numbers


def _live_rows(
    spans: pl.DataFrame, shape: Lineage, session: pl.Series, counts: Counting, by_session: Ints, prices: Prices
) -> pl.DataFrame:
    """One row a (trace, session) with at least one span.

    Shape: `by_session` are the bound spans, those of one trace and session together, each in the order of its start.
    """
    root_message = spans["status_message"].gather(shape.root)
    spans, session, trace = ordered(spans, by_session), session.gather(by_session), shape.trace[by_session]
    used, call, error = counts.usage[by_session], counts.llm_call[by_session], counts.error[by_session]
    runs = Runs.of(_begins(trace, session))
    start_ns = spans["start_ns"].to_numpy()
    end_ns = np.maximum(start_ns, spans["end_ns"].to_numpy())
    named_rank = spans["session_name_rank"].to_numpy()
    named = runs.first_stated(spans["session_name"], named_rank)
    cost = costs(spans, used, prices)
    ttft_ns = spans["ttft_ns"].to_numpy() * call
    amounts = {name: spans[name].to_numpy() * used for name in TOKENS} | cost.amounts
    counted = np.flatnonzero(used | call | error)
    by_model = {name: amount[counted] for name, amount in amounts.items()} | {
        "call_count": call[counted],
        "error_count": error[counted],
        "unpriced_count": cost.unpriced[counted],
    }
    reason = gathered(spans["end_reason"], runs.last_stated(spans["end_reason"], end_ns))
    of_root = root_message.gather(trace[runs.starts])
    return pl.DataFrame(
        {
            "trace": trace[runs.starts],
            "session_id": session.gather(runs.starts),
            "source": runs.min(spans["source"].to_numpy()).astype(np.uint8),
            "turn_id": gathered(spans["turn_id"], runs.first_stated(spans["turn_id"])),
            "session_name": gathered(spans["session_name"], named),
            "session_name_rank": np.where(named >= 0, named_rank[np.maximum(named, 0)] if len(named_rank) else 0, 0),
            **{name: gathered(spans[name], runs.first_stated(spans[name])) for name in FIRST_STATED},
            "end_state": gathered(spans["end_state"], runs.last_stated(spans["end_state"], end_ns)),
            "end_reason": reason.zip_with(reason != "", of_root),
            "output_preview": gathered(spans["output_preview"], runs.last_stated(spans["output_preview"], end_ns)),
            "metadata": merged_metadata(spans["metadata"], runs),
            "start_ns": runs.min(start_ns),
            "end_ns": runs.max(end_ns),
            "llm_ns": runs.sum((end_ns - start_ns) * call),
            "ttft_ns": runs.sum(ttft_ns),
            "ttft_count": runs.sum(ttft_ns > 0),
            "span_count": runs.sum(counts.itself[by_session]),
            "error_count": runs.sum(error),
            "llm_call_count": runs.sum(call),
            "tool_call_count": runs.sum(counts.tool_call[by_session]),
            **{name: runs.sum(amount) for name, amount in amounts.items()},
            "unpriced_span_count": runs.sum(cost.unpriced),
            "models": runs.distinct(spans["model"], used | call),
            "providers": runs.distinct(spans["provider"], used | call),
            "services": runs.distinct(spans["service"]),
            "tags": merged_tags(spans["tags"], runs),
            **breakdown(spans.select(USAGE_KEY)[counted], by_model, runs.group[counted], len(runs)),
        }
    )


FIRST_STATED: Final = ("user_id", "thread_id", "environment", "input_preview")
"""Texts of a trace row: those of the earliest span that has one."""


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


def _logged_too(whole: SpanSet, revision: int) -> pl.DataFrame:
    """The keys of calls that their emitter reports as a log record without a trace as well: they count here.

    Whatever the log record writes under its key loses against this row, whichever of the two comes first, and whichever
    of them a rewrite leaves out. A version of a span that does not speak for it has its say here too: an earlier,
    smaller set may have written its row.
    """
    calls = pl.concat([whole.spans, whole.beaten]).filter(
        pl.col("also_logged")
        & (pl.col("source") == Source.SPAN)
        & (pl.col("response_id") != "")
        & (pl.col("session_id") != "")
    )
    return (
        calls.group_by("tenant", "session_id", trace_id=CALL_TRACE + pl.col("response_id"))
        .agg(pl.max_horizontal("start_ns", "end_ns").max().alias("end_ns"))
        .with_columns(version=pl.lit(over_all(revision), pl.UInt64), source=pl.lit(Source.LOG, pl.UInt8))
    )


def _trace_sessions(
    traces: pl.DataFrame, shape: Lineage, session: pl.Series, live: pl.DataFrame, is_hidden: Bools
) -> pl.DataFrame:
    """Shape: `model.TRACE_SESSIONS`; `live` is sorted by trace and session."""
    unbound = shape.trace[mask(session == "") & ~is_hidden]
    return traces.with_columns(
        session_ids=lists(live["session_id"], np.bincount(live["trace"].to_numpy(), minlength=shape.traces)),
        span_count=np.bincount(shape.trace[~is_hidden], minlength=shape.traces),
        unbound_span_count=np.bincount(unbound, minlength=shape.traces),
    )
