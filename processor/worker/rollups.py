"""Keeps trace and session rows current: one `tick` rolls up what was stored since the last, and what waits.

Every trace row comes from `processor.rollup`, out of a *whole* trace: from memory where memory provably has all of it,
else read back from the store. Every session row is the store's own roll-up of its trace rows. So ticks decide how fresh
a row is, never what it says.

Beside other workers memory proves nothing of a trace that some worker got spans of which nobody placed. Such a worker
stores them, notes the trace as shared, and reads it back, in this order; the others store, look for notes, and only
then trust their memory: whoever comes second sees the first (ADR 0012).

Single-threaded: the worker runs ticks one after the other in a thread; what may be called from others says so.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import polars as pl
from prometheus_client import Gauge

from processor.clock import monotonic_s
from processor.pricing.prices import Prices
from processor.rollup.labels import full_labels
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY
from processor.signals import Signal
from processor.store.base import Store
from processor.telemetry.metrics import Metrics
from processor.worker.deletions import KnownDeletions, late_sessions
from processor.worker.dirty import DirtyMap, DirtySessions, Key, Mark
from processor.worker.numbers import BatchNumbers
from processor.worker.recent import RecentSpans
from processor.worker.rolling_up import rolled_up
from processor.worker.seen import SeenKeys

_SPANS_AT_ONCE: Final = 50_000  # in memory as copies while they are rolled up
_COUNT_INTERVAL_S: Final = 2.0
_COUNT_QUICK_S: Final = 0.05  # beyond it the next number waits for another tick
_COUNT_PAUSE: Final = 50  # times as long as the count took
_WRITING_S_MAX: Final = 3600  # between the time that a row bears and the moment when all can read it; clocks may differ


@dataclass(frozen=True, slots=True)
class RollupConfig:
    """How often, and how much at once. None of it changes a total."""

    interval_s: float = field(
        default=1.0, metadata={"help": "Seconds between two ticks when there is little to do.", "min": 0.01, "max": 60}
    )
    time_share_max: float = field(
        default=0.7,
        metadata={
            "help": "Share of the time that ticks may take; under load they come less often.",
            "min": 0.05,
            "max": 1,
        },
    )
    waiting_spans_max: int = field(
        default=200_000,
        metadata={
            "help": "Stored spans that may wait for a tick; beyond it nothing is taken from the queue: it fills "
            "up and pushes back.",
            "min": 1_000,
            "max": 100_000_000,
        },
    )
    waiting_traces_max: int = field(
        default=1_000_000,
        metadata={
            "help": "Traces that may wait to be read back, and sessions to be recomputed, about 300 bytes each; beyond "
            "it nothing is taken from the queue.",
            "min": 1_000,
            "max": 100_000_000,
        },
    )
    recent_spans_max: int = field(
        default=150_000,
        metadata={"help": "Spans kept in memory for rollups, about 600 bytes each.", "min": 1_000, "max": 100_000_000},
    )
    seen_filter_bytes: int = field(
        default=32 * 1024 * 1024,
        metadata={"help": "Memory of the filter of known traces: 2 bytes a trace are plenty.", "min": 1024},
    )
    read_back_traces_max: int = field(
        default=5_000, metadata={"help": "Traces read back from the store in one tick.", "min": 1, "max": 100_000}
    )
    read_back_rows_max: int = field(
        default=200_000,
        metadata={
            "help": "Trace rows read back for sessions in one tick, 1 kB each; a larger session is read alone.",
            "min": 1_000,
            "max": 50_000_000,
        },
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: pl.DataFrame
    mark: Mark
    whole: bool


class Rollups:
    """The state between ticks: recent spans, known traces, and what is dirty."""

    def __init__(
        self,
        store: Store,
        config: RollupConfig,
        metrics: Metrics,
        prices: Prices | None = None,
        numbers: BatchNumbers | None = None,
        watch: Callable[[pl.DataFrame], None] | None = None,
    ) -> None:
        """`numbers` are those of the batches on their way to `add`; without, every batch is there in its turn. `watch`
        is told of session rows that were written, and again if it fails.
        """
        self._watch = watch
        self._numbers = numbers
        self._store = store
        self._prices = prices or Prices()
        self._revision = 0
        self._config = config
        self._metrics = metrics
        self._recent = RecentSpans(config.recent_spans_max)
        self._seen = SeenKeys(config.seen_filter_bytes)
        self._seen_sessions = SeenKeys(config.seen_filter_bytes // 4)
        self._learned_at_s = 0  # by the store's clock
        self._unsure = DirtyMap()  # traces with spans that are not in memory
        self._sessions = DirtySessions()
        self._deleted = KnownDeletions(store)
        self._written: list[pl.DataFrame] = []  # sessions whose rows were written since the last look for deletions
        self._lock = threading.Lock()
        self._log_subjects: list[pl.DataFrame] = []
        self._arrived: list[_Batch] = []
        self._doubtful: list[_Batch] = []
        self._last_batch_seq = 0
        self._rolled_up_to = 0
        self._alone = False  # no other process writes to this store
        self._waiting_since_s: float | None = None  # of what the last tick left
        self._counts: deque[tuple[Gauge, Callable[[], int]]] = deque(
            [(metrics.unbound_spans, store.unbound_span_count), (metrics.unpriced_spans, store.unpriced_span_count)]
        )
        self._stale_counts = len(self._counts)
        self._next_count_s = 0.0
        self._tick_s = 0.0  # how long the last tick took

    def resume(self, now_s: float) -> int:
        """Mark what was stored but not rolled up, and keep a checkpoint of it in the store from here on.

        For a log that does not give out again what it has given out once, and is this process's own: nobody else writes
        to the store. The last batch number comes back.
        """
        self._alone = True
        self._rolled_up_to = self._store.checkpoint()
        # A batch without narrow rows leaves its number in the checkpoint only; it must not be given out again.
        self._last_batch_seq = max(self._store.last_batch_seq(), self._rolled_up_to)
        left = self._store.traces_since(self._rolled_up_to)
        self._unsure.add(_keys(left), Mark(now_s, self._rolled_up_to + 1))
        self._seen.add(left.select(TRACE_KEY))
        return self._last_batch_seq

    def learn(self) -> None:
        """Learn which traces the store knows, and trust nothing else: others may have written meanwhile.

        All of them the first time, and from then on what was written since the last time, by whomever.
        """
        self._recent = RecentSpans(self._config.recent_spans_max)
        began_s = self._store.now_s()
        for keys in self._store.trace_keys(max(self._learned_at_s - _WRITING_S_MAX, 0)):
            self._seen.add(keys.select(TRACE_KEY))
        if not self._learned_at_s:
            for keys in self._store.session_keys():
                self._seen_sessions.add(keys.select(SESSION_KEY))
        self._learned_at_s = began_s

    def add(self, rows: pl.DataFrame, batch_seq: int, now_s: float, whole: bool = True) -> None:
        """Spans that are in the store now; `whole` when they were placed: no other worker gets placed spans of their
        traces. Any thread.
        """
        with self._lock:
            self._arrived.append(_Batch(rows, Mark(now_s, batch_seq), whole))

    def doubt(self, rows: pl.DataFrame, batch_seq: int, now_s: float) -> None:
        """Spans whose write failed: they may be in the store or not, so their traces must be read back. Any thread."""
        with self._lock:
            self._doubtful.append(_Batch(rows.select(TRACE_KEY).unique(), Mark(now_s, batch_seq), False))

    @property
    def knows_deletions(self) -> bool:
        """Whether some session was deleted when last looked. Any thread."""
        return bool(self._deleted)

    def add_log_subjects(self, subjects: pl.DataFrame) -> None:
        """What stored log records are about, most of which no roll-up sees: a deleted session's must go. Any thread.

        Shape: `tenant, session_id, trace_id`, one of the two ids empty.
        """
        with self._lock:
            self._log_subjects.append(subjects)

    @property
    def rolled_up_to(self) -> int:
        """The batch number up to which every batch is in its sessions' rows. Any thread."""
        return self._rolled_up_to

    @property
    def is_full(self) -> bool:
        """Whether as much waits for ticks as may. Any thread."""
        with self._lock:
            spans = sum(len(batch.rows) for batch in self._arrived)
        keys = max(len(self._unsure), len(self._sessions))
        return spans > self._config.waiting_spans_max or keys > self._config.waiting_traces_max

    @property
    def is_current(self) -> bool:
        """Whether every stored span is in its session's row, and `rolled_up_to` says so."""
        settled = self._numbers.settled_up_to if self._numbers else self._last_batch_seq
        unsaid = min(self._last_batch_seq, settled) > self._rolled_up_to
        return not (unsaid or self._arrived or self._doubtful or len(self._unsure) or len(self._sessions))

    def tick(self, now_s: float, force: bool = False) -> None:
        """Roll up: traces, then the sessions they touched, then the checkpoint. `force` ignores delays, not bounds.

        Errors: those of the store; whatever was not written stays dirty and is written by a later tick.
        """
        began_s = monotonic_s()
        with self._lock:
            doubtful, self._doubtful = self._doubtful, []
            waiting = len(self._arrived)
        self._revision = self._store.revision()  # after the spans above were stored: see `worker.reprice`
        self._look_for_deletions()
        for batch in doubtful:
            self._look_up(batch.rows, batch.mark)
        changed = waiting > 0 or len(self._unsure) > 0
        while waiting > 0:
            waiting -= self._roll_up_arrived(waiting)
        self._roll_up_unsure()
        self._write_sessions(now_s, force)
        if self._written:
            self._look_for_deletions()
        self._write_checkpoint()
        self._observe()
        self._count_spans(now_s, changed)
        self._tick_s = monotonic_s() - began_s

    def _look_for_deletions(self) -> None:
        """Before rows are written, so that those of deleted sessions are not; and after, for the ones that were."""
        if self._deleted.look():
            self._recent.forget_sessions(self._deleted.sessions)
        if self._written and self._deleted:
            self._store.ask_purge(late_sessions(self._deleted.among(pl.concat(self._written).unique())))
        self._written.clear()
        with self._lock:
            subjects, self._log_subjects = self._log_subjects, []
        if subjects:
            self._store.ask_purge(self._deleted.late_logs(pl.concat(subjects).unique()))

    def _roll_up_arrived(self, waiting: int) -> int:
        """Trace rows of the oldest of the waiting batches, some spans at a time. How many batches that were."""
        with self._lock:
            batches = self._arrived[:1]
            spans = len(batches[0].rows)
            for batch in self._arrived[1:waiting]:
                spans += len(batch.rows)
                if spans > _SPANS_AT_ONCE or batch.whole != batches[0].whole:
                    break
                batches.append(batch)
        mark = _first_of([batch.mark for batch in batches])
        fresh = pl.concat([batch.rows for batch in batches])
        if batches[0].whole:
            self._write_traces(self._in_memory(fresh, mark), mark)
        else:
            traces = fresh.select(TRACE_KEY).unique()
            self._store.share_traces(traces)
            self._look_up(traces, mark)
        with self._lock:
            del self._arrived[: len(batches)]
        self._last_batch_seq = max(self._last_batch_seq, *(batch.mark.batch_seq for batch in batches))
        return len(batches)

    def _roll_up_unsure(self) -> None:
        """Trace rows of the oldest traces that are not whole in memory, as many as one tick reads back."""
        keys = list(self._unsure.marks)[: self._config.read_back_traces_max]
        if not keys:
            return
        mark = _oldest([self._unsure.marks[key] for key in keys])
        self._write_traces(self._from_store(keys), mark)
        self._unsure.take(keys)

    def _look_up(self, traces: pl.DataFrame, mark: Mark) -> None:
        """Traces of which the store may know more than memory."""
        self._recent.forget(traces)
        self._seen.add(traces)
        self._unsure.add(_keys(traces), mark)

    def _in_memory(self, fresh: pl.DataFrame, mark: Mark) -> pl.DataFrame:
        """All spans of the fresh spans' traces, as far as these are whole in memory; the others become unsure."""
        keys = fresh.select(TRACE_KEY).unique()
        distinct = len(keys)
        if not self._alone:
            shared = self._store.shared_among(keys)
            self._look_up(shared, mark)
            keys = keys.join(shared, on=TRACE_KEY, how="anti")
        held = self._recent.held(keys)
        others = keys.join(held, on=TRACE_KEY, how="anti")
        known = pl.Series(self._seen.may_have(others))
        self._seen.add(others)
        self._unsure.add(_keys(others.filter(known)), mark)
        whole = pl.concat([held, others.filter(~known)])
        # Nearly always all of them: then there is nothing to copy.
        arrived = fresh if len(whole) == distinct else fresh.join(whole, on=TRACE_KEY, how="semi")
        rows = pl.concat([arrived, self._recent.rows_of(held)])
        self._recent.remember(arrived)
        return rows

    def _from_store(self, read_back: list[Key]) -> pl.DataFrame:
        """All stored spans of traces; from here on they are whole in memory."""
        rows = self._store.read_spans(pl.DataFrame(read_back, schema=list(TRACE_KEY), orient="row"))
        self._recent.remember(rows)
        return rows

    def _write_traces(self, rows: pl.DataFrame, mark: Mark) -> None:
        if rows.is_empty():
            return
        done = rolled_up(self._store, rows, self._prices, self._revision, self._deleted)
        if done.concerned is not None and done.late is not None:
            self._recent.forget(done.concerned)
            self._store.ask_purge(done.late)
        written = done.rows
        touched = written.session_traces.select(SESSION_KEY).unique(maintain_order=True)
        self._written.append(touched)
        self._store.write_traces(written.session_traces, written.trace_sessions)
        self._learn_sizes(touched)
        self._sessions.add(_keys(touched), mark)
        self._metrics.limited.labels(Signal.TRACES.value, "trace_labels").inc(full_labels(written.session_traces))
        self._metrics.stored_rows.labels("session_traces").inc(len(written.session_traces))
        self._metrics.stored_rows.labels("trace_sessions").inc(len(written.trace_sessions))

    def _learn_sizes(self, sessions: pl.DataFrame) -> None:
        """Ask the store how large the sessions are that an earlier process has written."""
        old = sessions.filter(pl.Series(self._seen_sessions.may_have(sessions)))
        self._seen_sessions.add(sessions)
        unsized = self._sessions.unsized(_keys(old))
        if unsized:
            sizes = self._store.read_session_sizes(pl.DataFrame(unsized, schema=list(SESSION_KEY), orient="row"))
            self._sessions.note_sizes(dict.fromkeys(unsized, 1).items())
            self._sessions.note_sizes(((tenant, session), size) for tenant, session, size in sizes.iter_rows())

    def _write_sessions(self, now_s: float, force: bool) -> None:
        due = self._sessions.due(now_s, self._config.read_back_rows_max, self._tick_s, force=force)
        if not due:
            return
        keys = pl.DataFrame(due, schema=list(SESSION_KEY), orient="row")
        if self._deleted:
            keys = keys.join(self._deleted.sessions, on=SESSION_KEY, how="anti")
        self._written.append(keys)
        rows = self._store.read_session_rollups(keys)
        self._store.write_sessions(rows)
        if self._watch is not None:
            self._watch(rows)
        self._metrics.limited.labels(Signal.TRACES.value, "session_labels").inc(full_labels(rows))
        self._sessions.take(due)
        self._sessions.note_sizes(
            ((tenant, session), size) for tenant, session, size in rows.select(*SESSION_KEY, "trace_count").iter_rows()
        )
        self._metrics.stored_rows.labels("session_rollups").inc(len(rows))

    def _write_checkpoint(self) -> None:
        # In this order: a batch has arrived before its number is settled.
        bounds = [self._last_batch_seq, *([self._numbers.settled_up_to] if self._numbers else [])]
        with self._lock:
            bounds += [batch.mark.batch_seq - 1 for batch in (*self._arrived, *self._doubtful)]
        bounds += [mark.batch_seq - 1 for mark in (self._unsure.oldest(), self._sessions.oldest()) if mark]
        batch_seq = min(bounds)
        if batch_seq <= self._rolled_up_to:
            return
        if self._alone:
            self._store.write_checkpoint(batch_seq)
        self._rolled_up_to = batch_seq

    def _observe(self) -> None:
        marks = [*self._unsure.marks.values(), *self._sessions.marks.values()]
        self._waiting_since_s = min((mark.since_s for mark in marks), default=None)
        self._metrics.dirty_traces.set(len(self._unsure))
        self._metrics.dirty_sessions.set(len(self._sessions))
        self._metrics.remembered_spans.set(len(self._recent))

    def _count_spans(self, now_s: float, changed: bool) -> None:
        """Ask the store for one number after the other, when a trace has changed, a fiftieth of the time at most."""
        if changed:
            self._stale_counts = len(self._counts)
        started_s = monotonic_s()
        while self._stale_counts and now_s >= self._next_count_s:
            gauge, count = self._counts[0]
            gauge.set(count())
            self._counts.rotate(-1)
            self._stale_counts -= 1
            took_s = monotonic_s() - started_s
            if took_s > _COUNT_QUICK_S or not self._stale_counts:
                self._next_count_s = now_s + max(_COUNT_INTERVAL_S, _COUNT_PAUSE * took_s)

    def lag_s(self, now_s: float) -> float:
        """Age of the oldest stored span that its session does not show yet. Any thread."""
        with self._lock:
            since_s = [batch.mark.since_s for batch in self._arrived]
        if self._waiting_since_s is not None:
            since_s.append(self._waiting_since_s)
        return max(now_s - min(since_s), 0.0) if since_s else 0.0


def _oldest(marks: list[Mark]) -> Mark:
    return min(marks, key=lambda mark: mark.batch_seq)


def _first_of(marks: list[Mark]) -> Mark:
    """Of batches that arrived in this order: the age of the first, and the smallest number."""
    return Mark(marks[0].since_s, _oldest(marks).batch_seq)


def _keys(frame: pl.DataFrame) -> list[Key]:
    return list(frame.iter_rows())
