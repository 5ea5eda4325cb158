"""From the log of one signal into the store: decode the next batches while the store takes the last.

Order, for nothing to be lost: rows are in the store before their records are acknowledged. A batch that can't be
stored is answered with "retry" where its exporters still wait for the answer; where the log gives records out again, it
is tried until it works, because nothing behind it may be committed before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import polars as pl
import structlog

from processor.clock import monotonic_s
from processor.errors import OtelSessionsError, Permanent, Retryable
from processor.log.base import LogReader, Record
from processor.signals import Signal
from processor.store.base import Store
from processor.telemetry.faults import places
from processor.telemetry.metrics import Metrics
from processor.telemetry.traces import OwnTraces, Work
from processor.worker.batch import WIDE_TABLES, WrittenBatch
from processor.worker.config import WorkerConfig
from processor.worker.decoding import Decoding
from processor.worker.gate import Gate
from processor.worker.numbers import BatchNumbers
from processor.worker.pacing import Pacing
from processor.worker.rollups import Rollups
from processor.worker.threads import Threads, within

_EXPORTER: Final = "clickhouse"
_RETRY_S: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Some records of a poll, and what became of them: None when a stop came before they could be decoded."""

    records: Sequence[Record]
    batch_seq: int
    batch: WrittenBatch | None


_DecodeQueue: TypeAlias = "asyncio.Queue[tuple[int, Work, asyncio.Task[list[_Decoded]]] | None]"
"""A poll each: the first of its numbers, the span of it, and what becomes of it."""


class Ingest:
    """Polls until the log hands out nothing more."""

    def __init__(
        self,
        config: WorkerConfig,
        signal: Signal,
        log: LogReader,
        store: Store,
        rollups: Rollups,
        numbers: BatchNumbers,
        decoding: Decoding,
        threads: Threads,
        gate: Gate,
        metrics: Metrics,
        traces: OwnTraces | None = None,
    ) -> None:
        self._gate = gate
        self._config = config
        self._signal = signal
        self._table = WIDE_TABLES[signal]
        self._log = log
        self._store = store
        self._rollups = rollups
        self._decoding = decoding
        self._threads = threads
        self._metrics = metrics
        self._traces = traces or OwnTraces(None, metrics)
        self._polled_s: dict[int, float] = {}  # when, by first number, in their order: what is not written yet
        self._counted = metrics.of(signal)
        self._numbers = numbers
        self._pacing = Pacing(config.poll_linger_s, monotonic_s())
        self._uncommitted: deque[tuple[int, Sequence[Record]]] = deque()  # with the number of their batch
        self._give_up = asyncio.Event()  # nothing is tried again from here on
        self._left_behind = False  # a batch was given up: it and all after it are left to the next start
        self.failed = False
        """Whether the last attempt to decode or to store did."""

    async def run(self, room: Callable[[], Awaitable[None]]) -> None:
        """Poll and write side by side; if one fails, both end. `room` is awaited before a batch is decoded.

        Errors: those of `LogReader.poll`; whatever a fault of ours raises.
        """
        decoding: _DecodeQueue = asyncio.Queue(self._decoding.concurrency)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._poll(decoding, room))
                tasks.create_task(self._write(decoding))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def oldest_s(self, now_s: float) -> float:
        """Since when the oldest poll has waited to be stored; 0 for none. Seconds; `now_s` is monotonic."""
        return now_s - next(iter(self._polled_s.values()), now_s)

    def give_up(self) -> None:
        """Try nothing again: what fails from here on is left to the exporters, or to the next start."""
        self._give_up.set()

    def take_committable(self, rolled_up_to: int) -> list[Record]:
        """Records of the batches up to a number, stored all of them, each record once."""
        done: list[Record] = []
        while self._uncommitted and self._uncommitted[0][0] <= rolled_up_to:
            done += self._uncommitted.popleft()[1]
        return done

    async def _poll(self, decoding: _DecodeQueue, room: Callable[[], Awaitable[None]]) -> None:
        while records := await self._log.poll(self._config.poll_bytes_max, self._pacing.linger_s(monotonic_s())):
            await room()
            # Numbers in the order of writing, also where a poll has to be decoded record by record.
            first = self._numbers.take(1 + len(records))
            self._polled_s[first] = monotonic_s()
            work = self._traces.batch("batch", [record.value for record in records], signal=self._signal.value)
            await decoding.put((first, work, asyncio.create_task(self._decode(records, first, work))))
        await decoding.put(None)

    async def _write(self, decoding: _DecodeQueue) -> None:
        while polled := await decoding.get():
            first, work, decoded = polled
            with work:
                for batch in await decoded:
                    await self._store_batch(batch, work)
            self._pacing.took(monotonic_s() - self._polled_s.pop(first))
            if not self._left_behind:  # else it stays outstanding: no signal may commit past what comes again
                self._numbers.settle(first)

    async def _decode(self, records: Sequence[Record], batch_seq: int, work: Work) -> list[_Decoded]:
        """The records as batches: one, unless a record trips us over: it is refused, the rest is not."""
        while True:
            try:
                with self._metrics.batch_seconds.labels("decode").time(), work.step("decode"):
                    return [_Decoded(records, batch_seq, await self._decoding.batch(self._signal, records, batch_seq))]
            except Retryable as error:  # nothing is wrong with the records
                self.failed = True
                _log.error(
                    "decoding_failed",
                    signal=self._signal.value,
                    error=str(error),
                    action="it is tried again; see to room for temporary files, and to memory",
                )
                if not self._log.redelivers:
                    self._log.acknowledge(records, [error for _ in records])
                    return []
            except Exception as error:
                if len(records) > 1:
                    pieces = [await self._decode([record], batch_seq + 1 + i, work) for i, record in enumerate(records)]
                    return [decoded for piece in pieces for decoded in piece]
                _log.error(
                    "record_not_understood",
                    signal=self._signal.value,
                    bytes=len(records[0].value),
                    error=type(error).__name__,
                    places=places(error),
                    action="its exporter is told, or it is a dead letter; report it, this is a fault of ours",
                )
                self._log.acknowledge(
                    records, [Permanent(f"the {self._signal.value} request can't be processed; see the server's log")]
                )
                return []
            await within(self._give_up, _RETRY_S)
            if self._give_up.is_set():
                return [_Decoded(records, batch_seq, None)]

    async def _store_batch(self, decoded: _Decoded, work: Work) -> None:
        """Write one batch and answer its records."""
        batch = decoded.batch
        if batch is None:
            self._left_behind = True
            return
        try:
            if not self._left_behind:  # a commit of a later batch would say that what was left is rolled up
                await self._store_and_answer(decoded.records, decoded.batch_seq, batch, work)
        finally:
            batch.remove()

    async def _store_and_answer(
        self, records: Sequence[Record], batch_seq: int, batch: WrittenBatch, work: Work
    ) -> None:
        for reason, count in batch.rejected.items():
            self._counted.rejected.labels(reason).inc(count)
        for limit, count in batch.limited.items():
            self._metrics.limited.labels(self._signal.value, limit).inc(count)
        whole = all(record.has_whole_traces for record in records)
        stored = await self._is_stored(batch_seq, batch, whole, work)
        while not stored and self._log.redelivers and not self._give_up.is_set():
            await within(self._give_up, _RETRY_S)
            stored = await self._is_stored(batch_seq, batch, whole, work)
        if stored:
            self._log.acknowledge(records, batch.outcomes)
            if self._log.redelivers:
                positions = [replace(record, value=b"") for record in records]  # not the bytes
                self._uncommitted.append((batch_seq, positions))
        elif self._log.redelivers:
            self._left_behind = True
        else:
            self._log.acknowledge(
                records, [Retryable(f"the store did not take the {self._signal.item}s; retry") for _ in records]
            )

    async def _is_stored(self, batch_seq: int, batch: WrittenBatch, whole: bool, work: Work) -> bool:
        """Write one batch. False says that the store did not take it, or not all of it."""
        try:
            narrow = await self._threads.run("insert narrow", batch.read_narrow)
            step = work.step("insert", items=batch.items, rows=batch.wide_rows, session_spans=batch.session_spans)
            async with self._gate.passing():
                with step:
                    await self._insert(batch_seq, batch, narrow, whole)
        except Exception as error:
            self.failed = True
            self._counted.send_failed.labels(_EXPORTER).inc(batch.items)
            unexpected = not isinstance(error, OtelSessionsError)
            _log.error(
                "store_refused_batch",
                signal=self._signal.value,
                items=batch.items,
                error=str(error),
                action="it is tried again, or exporters are told to retry; look at the store",
                exc_info=unexpected,
            )
            return False
        self.failed = False
        self._counted.sent.labels(_EXPORTER).inc(batch.items)
        self._metrics.stored_rows.labels(self._table).inc(batch.wide_rows)
        self._metrics.stored_rows.labels("session_spans").inc(batch.session_spans)
        return True

    async def _insert(self, batch_seq: int, batch: WrittenBatch, narrow: pl.DataFrame, whole: bool) -> None:
        """Both tables at once, then the rollups' turn. Errors: those of the store, after both have ended."""
        inserts = []
        if batch.wide_rows:
            inserts.append(self._threads.run("insert wide", self._store.insert_wide, self._table, batch.wide))
        if batch.session_spans:
            inserts.append(self._threads.run("insert narrow", self._store.insert_session_spans, batch.narrow))
        with self._metrics.batch_seconds.labels("insert").time():
            results = await asyncio.gather(*inserts, return_exceptions=True)
        for error in results:
            if error is not None:
                self._rollups.doubt(narrow, batch_seq, monotonic_s())
                raise error
        # Rows that are none can't be read back for nothing, and go with any others.
        self._rollups.add(narrow, batch_seq, monotonic_s(), whole or narrow.is_empty())
        if self._signal is Signal.LOGS and self._rollups.knows_deletions:
            self._rollups.add_log_subjects(batch.read_log_subjects())
