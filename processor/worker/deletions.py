"""What a worker knows of deleted sessions, and what it makes of traces that they take part in.

A worker looks after it has stored its spans and before it writes rows, and once more when it has written them: a
session that is deleted in between is found by the second look, and one that is deleted later by the purge (ADR 0015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from processor.model import TRACE_SESSIONS
from processor.pricing.prices import Prices
from processor.rollup.deleted import IS_PLACE, Judged, judge, marks
from processor.rollup.rows import TraceRows, typed
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY
from processor.rollup.traces import trace_rows
from processor.row_versions import is_of_more, of_deleted_from
from processor.store.base import Store
from processor.store.deleted import DUE, SESSIONS, TRACES, DeletionsState


class KnownDeletions:
    """The sessions that were deleted when last looked. Empty before the first look."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state = DeletionsState(0, 0)
        self.sessions = pl.DataFrame(schema=SESSIONS)

    def look(self) -> bool:
        """Look; whether there are others than before. Errors: those of the store."""
        state = self._store.deletions_state()
        changed = state.sessions != self._state.sessions
        if changed:
            self.sessions = self._store.deleted_sessions() if state.sessions else self.sessions.clear()
        self._state = state
        return changed

    def __bool__(self) -> bool:
        return any(self._state)

    def among(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Those of the sessions that are deleted. Shape: `tenant, session_id`."""
        return sessions.join(self.sessions, on=SESSION_KEY, how="semi")

    def concern(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The traces that a deleted session takes part in, or has. Shape: in, whole traces; out, `tenant, trace_id`."""
        naming = rows.join(self.sessions, on=SESSION_KEY, how="semi").select(TRACE_KEY)
        return pl.concat([naming, self.with_places(rows.select(TRACE_KEY).unique())]).unique()

    def late_logs(self, subjects: pl.DataFrame) -> pl.DataFrame:
        """What of this is deleted, for `Store.ask_purge`. Shape: `tenant, session_id, trace_id`, one id empty."""
        named = subjects.join(self.sessions, on=SESSION_KEY, how="semi")
        traced = subjects.filter((pl.col("session_id") == "") & (pl.col("trace_id") != ""))
        lost = self.with_places(traced.select(TRACE_KEY))
        return pl.concat([named, traced.join(lost, on=TRACE_KEY, how="semi")]).select(*DUE)

    def with_places(self, traces: pl.DataFrame) -> pl.DataFrame:
        """Those of the traces that have lost spans. Shape: `tenant, trace_id`."""
        if not self._state.places:
            return pl.DataFrame(schema=TRACES)
        return self._store.read_deleted_spans(traces).select(TRACE_KEY).unique()


@dataclass(frozen=True, slots=True)
class JudgedTraces:
    """`rows` to write, and what is to be removed."""

    rows: TraceRows
    judged: Judged


def judged_traces(
    store: Store, traces: pl.DataFrame, prices: Prices, revision: int, known: KnownDeletions
) -> JudgedTraces:
    """Roll traces up that deleted sessions take part in. Shape: `tenant, trace_id`.

    They are marked first, and what was judged to be deleted gets its place, both for good: what is written of these
    traces from here on beats what was written without knowing.
    Errors: those of the store.
    """
    members = store.read_members(traces)  # before the places: a purge writes these and then removes the others
    places = store.read_deleted_spans(traces)
    judged = judge(traces, members, places, known.sessions)
    marked = marks(traces.join(places, on=TRACE_KEY, how="anti"))
    store.write_deleted_spans(
        pl.concat([marked, judged.places])
    )  # before the rows, whose version says how many there are
    places_of = pl.col(IS_PLACE).sum().cast(pl.Int64)
    sizes = judged.rows.group_by(TRACE_KEY).agg(size=pl.len().cast(pl.Int64), places=places_of)
    stored = fuller(store, traces, sizes)
    rows = without(stored, trace_rows(judged.rows, prices, revision))
    others = _without_sessions(stored, known.sessions)
    kept = TraceRows(rows.session_traces, pl.concat([rows.trace_sessions, others]))
    empty = judged.empty.join(others, on=TRACE_KEY, how="anti")
    return JudgedTraces(kept, replace(judged, empty=empty))


def judged_rows(store: Store, traces: pl.DataFrame, prices: Prices, revision: int, known: KnownDeletions) -> TraceRows:
    """The same rows, and nothing is written. Shape: `tenant, trace_id`. Errors: those of the store."""
    members = store.read_members(traces)
    judged = judge(traces, members, store.read_deleted_spans(traces), known.sessions)
    return trace_rows(judged.rows, prices, revision)


def fuller(store: Store, traces: pl.DataFrame, sizes: pl.DataFrame) -> pl.DataFrame:
    """What the store says of traces that have lost spans to retention: it is made of more, and stays.

    Shape: `traces`, `tenant, trace_id`, distinct; `sizes`, the same and `size` and `places` of what is left of them;
    out, `model.TRACE_SESSIONS`, a row a trace.
    """
    stored = store.read_trace_sessions(traces).sort("version").unique(TRACE_KEY, keep="last", maintain_order=True)
    joined = stored.join(sizes, on=TRACE_KEY, how="left", maintain_order="left")
    size, places = (pl.col(name).fill_null(0) for name in ("size", "places"))
    return joined.filter(is_of_more(pl.col("version"), size, places)).drop("size", "places")


def without(stored: pl.DataFrame, rows: TraceRows) -> TraceRows:
    """The rows of other traces than those of `stored`."""
    return TraceRows(
        rows.session_traces.join(stored, on=TRACE_KEY, how="anti"),
        rows.trace_sessions.join(stored, on=TRACE_KEY, how="anti"),
    )


def _without_sessions(stored: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """The rows of traces without deleted sessions, as far as others are left. Shape: `model.TRACE_SESSIONS`."""
    each = stored.explode("session_ids").rename({"session_ids": "session_id"})
    left = each.join(sessions, on=SESSION_KEY, how="anti").drop_nulls("session_id")
    lists = left.group_by(TRACE_KEY).agg(session_ids=pl.col("session_id").sort())
    rows = stored.drop("session_ids").join(lists, on=TRACE_KEY)
    return typed(rows.with_columns(version=of_deleted_from(pl.col("version"))), TRACE_SESSIONS)


def late_traces(judged: Judged) -> pl.DataFrame:
    """The traces of which a purge has something to remove. Shape: for `Store.ask_purge`."""
    traces = pl.concat([judged.gone.select(TRACE_KEY), judged.empty.select(TRACE_KEY)]).unique()
    return traces.select("tenant", pl.lit("").alias("session_id"), "trace_id").cast(DUE)


def late_sessions(sessions: pl.DataFrame) -> pl.DataFrame:
    """The same for sessions whose rows have been written all the same. Shape: in, `tenant, session_id`."""
    return sessions.select(*SESSION_KEY, pl.lit("").alias("trace_id")).cast(DUE)
