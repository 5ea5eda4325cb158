"""Removes deleted sessions from every table, some hundred traces at a time, and releases their ids when it is time.

Every step may be repeated, and done by two workers at once: places are rows of a key, removals are of what has a place,
and what leads to other rows is removed after them. So whatever a purge leaves undone, the next one finds (ADR 0015).
Blocking; runs in a thread of its own, on a store of its own. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from processor.pricing.prices import Prices
from processor.rollup.deleted import IS_PLACE, session_hash
from processor.rollup.rows import TraceRows
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY
from processor.store.purging import TRACES_PAGE, Pending, PurgeStore
from processor.store.removal import Removal, Rewritten
from processor.telemetry.metrics import Metrics
from processor.worker.deletions import KnownDeletions, judged_traces, late_sessions

_KEYS_MAX: Final = 20_000  # in one removal: more are removed in several, each of which writes parts anew


@dataclass(frozen=True, slots=True)
class Round:
    """What one purge is about. Shape: `purged` and `released` as `Pending.tombstones`, `due` as `Pending.due`."""

    purged: pl.DataFrame
    released: pl.DataFrame
    due: pl.DataFrame


class Purge:
    """`begin`, wait until nothing is `under_way`, `finish`; and again."""

    def __init__(self, store: PurgeStore, prices: Prices, metrics: Metrics) -> None:
        self._store = store
        self._prices = prices
        self._metrics = metrics
        self._known = KnownDeletions(store)

    def begin(self, now_ms: int, is_given_up: Callable[[], bool] = lambda: False) -> Round | None:
        """Have everything removed that is to be removed now; None where there is nothing, or when it is given up.

        Units: Unix milliseconds. Errors: those of the store; call it again.
        """
        pending = self._store.pending()
        todo = _todo(pending, now_ms)
        self._metrics.deleted_sessions.set(pending.tombstones.select(SESSION_KEY).n_unique())
        self._metrics.pending_deletions.set(len(todo.purged) + len(todo.due))
        if not any(len(part) for part in (todo.purged, todo.released, todo.due)):
            return None
        self._known.look()  # after the tombstones were read: it has all of them
        targets = pl.concat([part.select(SESSION_KEY) for part in (todo.purged, todo.released, todo.due)]).unique()
        sessions = self._known.among(targets)
        removal = Removal.nothing()
        for traces in self._traces(sessions, todo):
            if is_given_up():
                return None
            removal += self._empty(traces)
            if removal.size > _KEYS_MAX:
                self._store.remove(removal, sessions.clear(), sessions.clear())
                removal = Removal.nothing()
        self._store.remove(removal, sessions, self._known.among(todo.released.select(SESSION_KEY).unique()))
        self._store.remove_sessions(sessions)
        return todo

    def under_way(self) -> int:
        """How many removals are. Errors: those of the store."""
        return self._store.removing()

    def finish(self, done: Round) -> None:
        """Say that nothing is left of what `begin` has found. Errors: those of the store; `begin` again."""
        self._store.set_purged(done.purged)
        self._store.remove_notes(done.due)
        if len(done.released):
            self._store.release_places(_hashes(done.released))
            self._store.remove_tombstones(done.released)
        self._metrics.purged_sessions.inc(len(done.purged))

    def _traces(self, sessions: pl.DataFrame, todo: Round) -> Iterator[pl.DataFrame]:
        yield from self._store.traces_of(sessions)
        if len(todo.released):  # log records may have come without any span
            yield from self._store.traces_with_places(_hashes(todo.released))
        noted = todo.due.select(TRACE_KEY).filter(pl.col("trace_id") != "").unique()
        yield from noted.iter_slices(TRACES_PAGE)

    def _empty(self, traces: pl.DataFrame) -> Removal:
        """Write what stays of traces, and the places of what goes; what goes comes back."""
        revision = self._store.revision()
        done = judged_traces(self._store, traces, self._prices, revision, self._known)
        rewritten = self._write(done.rows)
        places = done.judged.rows.filter(pl.col(IS_PLACE))
        self._metrics.purged_spans.inc(len(done.judged.gone))
        return Removal.of(done.judged.gone, done.judged.empty, places, rewritten)

    def _write(self, rows: TraceRows) -> Rewritten:
        """As a tick does: trace rows, session rows, and then a look at what was deleted meanwhile."""
        self._store.write_traces(rows.session_traces, rows.trace_sessions)
        touched = rows.session_traces.select(SESSION_KEY).unique()
        sessions = self._store.read_session_rollups(touched)
        self._store.write_sessions(sessions)
        if len(touched) and self._known.look():
            self._store.ask_purge(late_sessions(self._known.among(touched)))
        return Rewritten.of(rows.session_traces, rows.trace_sessions, sessions)


def _hashes(tombstones: pl.DataFrame) -> list[str]:
    return [session_hash(*key) for key in tombstones.select(SESSION_KEY).unique().iter_rows()]


def _todo(pending: Pending, now_ms: int) -> Round:
    """Shape: `released` are all tombstones of sessions of which none blocks any more and each is purged."""
    tombstones = pending.tombstones
    open_ = tombstones.filter((pl.col("purged") == 0) | (pl.col("blocked_until_ms") > now_ms)).select(SESSION_KEY)
    return Round(
        purged=tombstones.filter(pl.col("purged") == 0),
        released=tombstones.join(open_, on=SESSION_KEY, how="anti"),
        due=pending.due,
    )
