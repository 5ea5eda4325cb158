"""Roll-ups made again with the prices in use: what history costs by today's price table.

Only traces and sessions are written anew, from the spans as they are stored, under a revision of their own (see
`row_versions`); so this may run beside workers, be stopped anywhere, and be run again. Workers that roll up later
write under the same revision: they look for it after they have stored their spans, this reads spans after it has said
it, so whoever comes second has seen the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from processor.pricing.prices import Prices
from processor.rollup.span_set import SESSION_KEY
from processor.store.base import Store
from processor.worker.deletions import KnownDeletions, late_sessions
from processor.worker.rolling_up import rolled_up


@dataclass(frozen=True, slots=True)
class Repriced:
    """How much was rolled up again."""

    traces: int = 0
    sessions: int = 0


def reprice(store: Store, prices: Prices, since_ns: int, progress: Callable[[int, int], None]) -> Repriced:
    """Roll up every trace again that has a span which starts at `since_ns` or later, and the sessions of these traces.

    `progress` gets the traces and sessions done so far, after each step.
    Errors: those of the store; what is written is right, the rest keeps its cost. Run it again.
    """
    revision = store.begin_revision(f"reprice: {prices.revision}")
    known = KnownDeletions(store)
    traces = sessions = 0
    for keys in store.traces_from(since_ns):
        known.look()
        written = rolled_up(store, store.read_spans(keys), prices, revision, known).rows
        store.write_traces(written.session_traces, written.trace_sessions)
        _left_out(store, known, written.session_traces)
        traces += len(keys)
        progress(traces, sessions)
    for keys in store.sessions_from(revision):
        store.write_sessions(store.read_session_rollups(keys))
        _left_out(store, known, keys)
        sessions += len(keys)
        progress(traces, sessions)
    return Repriced(traces, sessions)


def _left_out(store: Store, known: KnownDeletions, written: pl.DataFrame) -> None:
    """Look once more: a session that was deleted meanwhile is purged again."""
    known.look()
    late = known.among(written.select(SESSION_KEY).unique())
    store.ask_purge(late_sessions(late))
