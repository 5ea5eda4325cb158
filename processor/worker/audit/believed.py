"""The rows of some sessions as they should be: recomputed from the spans, but for what spans can't tell any more. Pure.

Three things are taken as they are stored, and said to be:
- traces that have lost spans to retention: what was made of more spans stays;
- what depends on prices, in rows that may have been made by another price table than the one in use;
- revisions: a deliberate rewrite changes versions, not what rows say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from processor.model import SESSION_TRACES
from processor.rollup.rows import TraceRows, typed
from processor.rollup.sessions import session_rows
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY
from processor.row_versions import is_of_more, revision_of, without_revision
from processor.worker.audit.differences import PRICED

_ROW: Final = (*SESSION_KEY, "trace_id")


@dataclass(frozen=True, slots=True)
class Horizons:
    """Times before which retention removes spans, and roll-ups. Unix nanoseconds; None keeps them for ever."""

    spans_ns: int | None = None
    rollups_ns: int | None = None


@dataclass(frozen=True, slots=True)
class StoredRows:
    """The newest rows of some sessions, and of all their traces. Shapes: those of `model`."""

    session_traces: pl.DataFrame
    trace_sessions: pl.DataFrame
    session_rollups: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Believed:
    """Rows as they should be, `version` as far as it says of what set a row was made.

    `trimmed` are traces that retention has a hand in, as stored. Shape: `tenant, trace_id`. `unpriced`: some costs
    were taken as they are stored.
    """

    rows: StoredRows
    trimmed: pl.DataFrame
    unpriced: bool


def believed(stored: StoredRows, made: TraceRows, horizons: Horizons, priced_from: int | None) -> Believed:
    """Shape: `made`, the rows of all traces of the sessions, and of no other session.

    `priced_from`: the least revision of rows that were made by the prices in use; None if no row need have been.
    """
    session_traces = made.session_traces.sort("version").unique(_ROW, keep="last")
    trimmed = _trimmed(stored, made.trace_sessions, horizons)
    kept = stored.session_traces.join(trimmed, on=TRACE_KEY, how="semi")
    session_traces = pl.concat([session_traces.join(trimmed, on=TRACE_KEY, how="anti"), kept])
    unsure = _unsure(stored.session_traces, priced_from)
    session_traces = _with_costs(session_traces, unsure)
    trace_sessions = pl.concat(
        [
            made.trace_sessions.join(trimmed, on=TRACE_KEY, how="anti"),
            stored.trace_sessions.join(trimmed, on=TRACE_KEY, how="semi"),
        ]
    )
    versions = stored.session_traces.group_by(SESSION_KEY).agg(sum_of_versions=pl.col("version").sum())
    rollups = session_rows(session_traces).join(versions, on=SESSION_KEY, how="left")
    rollups = rollups.with_columns(version=pl.coalesce("sum_of_versions", "version")).drop("sum_of_versions")
    return Believed(
        StoredRows(comparable(session_traces), comparable(trace_sessions), rollups),
        trimmed,
        len(unsure.join(session_traces, on=_ROW, how="semi")) > 0,
    )


def comparable(rows: pl.DataFrame) -> pl.DataFrame:
    """Trace rows without the revision that they were made under."""
    return rows.with_columns(version=without_revision(pl.col("version")).cast(pl.UInt64))


def _trimmed(stored: StoredRows, made: pl.DataFrame, horizons: Horizons) -> pl.DataFrame:
    """Traces that retention may have taken spans or rows from. Shape: `made` as `model.TRACE_SESSIONS`."""
    found = [stored.trace_sessions.select(TRACE_KEY).clear()]
    if horizons.spans_ns is not None:
        begins = stored.session_traces.group_by(TRACE_KEY).agg(pl.col("start_ns").min())
        old = begins.filter(pl.col("start_ns") < horizons.spans_ns).select(TRACE_KEY)
        sizes = made.select(*TRACE_KEY, size=without_revision(pl.col("version")).cast(pl.Int64))
        both = stored.trace_sessions.join(old, on=TRACE_KEY, how="semi").join(sizes, on=TRACE_KEY, how="left")
        # Places count twice in a version; a trace that has lost any is old enough to be let be.
        fuller = both.filter(is_of_more(pl.col("version"), pl.col("size").fill_null(0), pl.lit(0, pl.Int64)))
        found.append(fuller.select(TRACE_KEY))
        found.append(old.join(made, on=TRACE_KEY, how="anti").select(TRACE_KEY))
    if horizons.rollups_ns is not None:
        found.append(made.filter(pl.col("end_ns") < horizons.rollups_ns).select(TRACE_KEY))
    return pl.concat(found).unique()


def _unsure(stored: pl.DataFrame, priced_from: int | None) -> pl.DataFrame:
    """Stored rows whose costs may be those of another price table. Shape: `model.SESSION_TRACES`."""
    if priced_from is None:
        return stored.clear()
    return stored.filter(revision_of(pl.col("version")) < priced_from)


def _with_costs(rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    if stored.is_empty():
        return rows
    # Of a breakdown that lists other models there is nothing to take: that differs anyway.
    costs = [name for name in rows.columns if name in PRICED]
    known = stored.select(*_ROW, *(pl.col(name).alias(f"stored {name}") for name in costs))
    joined = rows.join(known, on=_ROW, how="left")
    taken = joined.with_columns(pl.coalesce(f"stored {name}", name).alias(name) for name in costs)
    return typed(taken.select(rows.columns), SESSION_TRACES)
