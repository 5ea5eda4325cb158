"""Roll-ups made again from the spans as they are stored: what mends rows that are wrong, however they came to be.

All rows are written under a revision of their own (`row_versions`), so a wrong row loses whatever its version, also
where it is the right row's; beside running workers, as a repricing is (`worker.reprice`). What no revision beats, and
rows that no span stands behind, are removed or emptied. How far it has come is kept in the store after each step, so it
may be ended anywhere, and goes on there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from processor.errors import Permanent
from processor.model import SESSION_TRACES, TRACE_SESSIONS
from processor.pricing.prices import Prices
from processor.rollup.rows import typed
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY
from processor.row_versions import REVISION_MAX, revision_of, versions_from
from processor.store.auditing import Scope
from processor.store.rebuilding import DONE, SESSIONS_PHASE, TRACES_PHASE, UNTIL_EVER, Progress, RebuildStore
from processor.worker.deletions import KnownDeletions, late_sessions
from processor.worker.rolling_up import rolled_up

TRACES_AT_ONCE: Final = 1_000
SESSIONS_AT_ONCE: Final = 1_000
_REVISIONS_AHEAD: Final = 64  # that others may begin while this runs


@dataclass(frozen=True, slots=True)
class Rebuild:
    """`rollups_expire`: the store removes roll-ups after some time, so a session row may know more than trace rows do.

    `progress` gets how far it has come after each step; what it raises ends the rebuild, which may be gone on with.
    """

    store: RebuildStore
    prices: Prices
    rollups_expire: bool
    progress: Callable[[Progress], None]
    traces_at_once: int = TRACES_AT_ONCE

    def run(self, scope: Scope) -> Progress:
        """Every trace with a span that starts in the range, and the sessions of these traces, and all that overlap it.

        Errors: those of the store; run it again, and it goes on where it was.
        """
        at = self._begin(scope)
        known = KnownDeletions(self.store)
        while at.phase != DONE:
            known.look()
            at = self._traces(at, known) if at.phase == TRACES_PHASE else self._sessions(at, known)
            at = replace(at, step=at.step + 1)
            self.store.note_progress(at)
            self.progress(at)
        return at

    def _begin(self, scope: Scope) -> Progress:
        since_ns = 0 if scope.since_ns is None else scope.since_ns
        until_ns = UNTIL_EVER if scope.until_ns is None else scope.until_ns
        what = self.prices.revision
        at = self.store.unfinished(scope.tenant, since_ns, until_ns, what)
        if at is not None:
            return at
        begun = self.store.revision()
        above = self.store.highest_revision(begun + _REVISIONS_AHEAD)
        if max(begun, above) >= REVISION_MAX - _REVISIONS_AHEAD:
            raise Permanent(f"roll-ups were rewritten {begun} times; there is no revision left for another")
        revision = self.store.begin_revision(f"rebuild: {what}", above)
        self.store.remove_from_revision(revision + _REVISIONS_AHEAD)
        at = Progress(scope.tenant, since_ns, until_ns, revision, what)
        self.store.note_progress(at)
        return at

    def _traces(self, at: Progress, known: KnownDeletions) -> Progress:
        keys = self.store.traces_after(at, self.traces_at_once)
        if keys.is_empty():
            return replace(at, phase=SESSIONS_PHASE, at_tenant="", at_id="")
        done = rolled_up(self.store, self.store.read_spans(keys), self.prices, at.revision, known)
        self.store.write_traces(done.rows.session_traces, done.rows.trace_sessions)
        if done.late is not None:
            self.store.ask_purge(done.late)
        self._left_out(known, done.rows.session_traces)
        tenant, last = keys.row(-1)
        return replace(at, at_tenant=tenant, at_id=last, traces=at.traces + len(keys))

    def _sessions(self, at: Progress, known: KnownDeletions) -> Progress:
        keys = self.store.sessions_after(at, SESSIONS_AT_ONCE)
        if keys.is_empty():
            return replace(at, phase=DONE)
        tenant, last = keys.row(-1)
        keys = keys.join(known.sessions, on=SESSION_KEY, how="anti")
        self._answer_calls(keys, at.revision, known)
        self.store.write_traces(self._emptied(keys, at.revision), pl.DataFrame(schema=TRACE_SESSIONS))
        self._write(keys)
        self._left_out(known, keys)
        return replace(at, at_tenant=tenant, at_id=last, sessions=at.sessions + len(keys))

    def _answer_calls(self, sessions: pl.DataFrame, revision: int, known: KnownDeletions) -> None:
        """Let log records count again that no span counts for, whatever a row says that nothing beats.

        Where retention takes spans, their word is what is left of them.
        """
        if self.store.loses_spans:
            return
        said = self.store.rows_over_all(sessions, revision)
        if said.is_empty():
            return
        wrong = said.join(self.store.calls_of_spans(sessions), on=said.columns, how="anti")
        if wrong.is_empty():
            return
        self.store.remove_trace_rows(wrong)
        # A span of the call may have come meanwhile, and its row may have been removed too.
        late = self.store.calls_of_spans(sessions).join(wrong, on=said.columns, how="semi")
        late = late.select("tenant", trace_id="span_trace_id")
        spans = self.store.read_spans(pl.concat([wrong.select(TRACE_KEY), late]).unique())
        if len(spans):
            done = rolled_up(self.store, spans, self.prices, revision, known)
            self.store.write_traces(done.rows.session_traces, done.rows.trace_sessions)

    def _emptied(self, sessions: pl.DataFrame, revision: int) -> pl.DataFrame:
        """Rows that say no more what the sessions' trace rows say of traces which no span of theirs stands behind.

        A trace that was rolled up under the revision has written rows for all sessions that any span of it names: an
        older row is of none of them. One without any span is of nothing, unless retention took its spans.
        """
        behind = self.store.left_behind(sessions, versions_from(revision))
        traces = behind.select(TRACE_KEY).unique()
        newest = self.store.stored_trace_sessions(traces)
        rolled = newest.filter(revision_of(pl.col("version")) >= revision).select(TRACE_KEY)
        gone = [rolled] if self.store.loses_spans else [rolled, self.store.without_spans(traces)]
        none = behind.join(pl.concat(gone), on=TRACE_KEY, how="semi").select(*SESSION_KEY, "trace_id", "end_ns")
        # The version of the trace: a span that comes makes it larger, and may name the session.
        versions = newest.select(*TRACE_KEY, pl.col("version").clip(lower_bound=versions_from(revision)))
        joined = none.join(versions, on=TRACE_KEY, how="left")
        least = pl.lit(versions_from(revision), pl.UInt64)
        return typed(joined.with_columns(pl.coalesce("version", least).alias("version")), SESSION_TRACES)

    def _write(self, sessions: pl.DataFrame) -> None:
        """The rows of sessions; what would beat them, or has no trace at all, is removed first."""
        newest = self.store.stored_session_rollups(sessions)
        rows = self.store.read_session_rollups(sessions)  # after them: what workers write meanwhile is no larger
        if not self.rollups_expire:
            beside = newest.join(rows.select(*SESSION_KEY, right="version"), on=SESSION_KEY, how="left")
            wrong = beside.filter(pl.col("version") > pl.col("right").fill_null(0)).select(SESSION_KEY)
            if len(wrong):
                self.store.remove_session_rows(wrong)
                # A worker may have written a row meanwhile, and it may have been removed: this one is of what is there.
                rows = self.store.read_session_rollups(sessions)
        self.store.write_sessions(rows)

    def _left_out(self, known: KnownDeletions, written: pl.DataFrame) -> None:
        """Look once more: a session that was deleted meanwhile is purged again."""
        known.look()
        late = known.among(written.select(SESSION_KEY).unique())
        self.store.ask_purge(late_sessions(late))
