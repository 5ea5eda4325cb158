"""From the log into the store: decode the next batches while the store takes the last.

Order, for nothing to be lost: spans are in the store before their records are acknowledged. A batch that can't be
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
from processor.store.base import Store
from processor.telemetry.metrics import Metrics
from processor.worker.batch import WrittenBatch
from processor.worker.config import WorkerConfig
from processor.worker.decoding import Decoding
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


_DecodeQueue: TypeAlias = "asyncio.Queue[asyncio.Task[list[_Decoded]] | None]"


class Ingest:
    """Polls until the log hands out nothing more."""

    def __init__(
        self,
        config: WorkerConfig,
        log: LogReader,
        store: Store,
        rollups: Rollups,
        decoding: Decoding,
        threads: Threads,
        metrics: Metrics,
    ) -> None:
        self._config = config
        self._log = log
        self._store = store
        self._rollups = rollups
        self._decoding = decoding
        self._threads = threads
        self._metrics = metrics
        self._batch_seq = 0
        self._uncommitted: deque[tuple[int, Sequence[Record]]] = deque()  # with the number of their batch
        self._give_up = asyncio.Event()  # nothing is tried again from here on
        self._left_behind = False  # a batch was given up: it and all after it are left to the next start
        self.failed = False
        """Whether the last attempt to decode or to store did."""

    async def run(self, last_batch_seq: int, room: Callable[[], Awaitable[None]]) -> None:
        """Poll and write side by side; if one fails, both end.

        `last_batch_seq` is the last number that was given to a batch; `room` is awaited before a batch is decoded.
        Errors: those of `LogReader.poll`; whatever a fault of ours raises.
        """
        self._batch_seq = last_batch_seq
        decoding: _DecodeQueue = asyncio.Queue(self._decoding.concurrency)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._poll(decoding, room))
                tasks.create_task(self._write(decoding))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

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
        while records := await self._log.poll(self._config.poll_bytes_max, self._config.poll_linger_s):
            await room()
            # Numbers in the order of writing, also where a poll has to be decoded record by record.
            batch_seq = self._batch_seq + 1
            self._batch_seq += 1 + len(records)
            await decoding.put(asyncio.create_task(self._decode(records, batch_seq)))
        await decoding.put(None)

    async def _write(self, decoding: _DecodeQueue) -> None:
        while decoded := await decoding.get():
            for batch in await decoded:
                await self._store_batch(batch)

    async def _decode(self, records: Sequence[Record], batch_seq: int) -> list[_Decoded]:
        """The records as batches: one, unless a record trips us over: it is refused, the rest is not."""
        while True:
            try:
                with self._metrics.batch_seconds.labels("decode").time():
                    return [_Decoded(records, batch_seq, await self._decoding.batch(records, batch_seq))]
            except Retryable as error:  # nothing is wrong with the records
                self.failed = True
                _log.error("decoding_failed", error=str(error))
                if not self._log.redelivers:
                    self._log.acknowledge(records, [error for _ in records])
                    return []
            except Exception:
                if len(records) > 1:
                    pieces = [await self._decode([record], batch_seq + 1 + i) for i, record in enumerate(records)]
                    return [decoded for piece in pieces for decoded in piece]
                _log.exception("record_not_understood", bytes=len(records[0].value))
                self._log.acknowledge(records, [Permanent("the request can't be processed; see the server's log")])
                return []
            await within(self._give_up, _RETRY_S)
            if self._give_up.is_set():
                return [_Decoded(records, batch_seq, None)]

    async def _store_batch(self, decoded: _Decoded) -> None:
        """Write one batch and answer its records."""
        batch = decoded.batch
        if batch is None:
            self._left_behind = True
            return
        try:
            if not self._left_behind:  # a commit of a later batch would say that what was left is rolled up
                await self._store_and_answer(decoded.records, decoded.batch_seq, batch)
        finally:
            batch.remove()

    async def _store_and_answer(self, records: Sequence[Record], batch_seq: int, batch: WrittenBatch) -> None:
        for reason, count in batch.rejected.items():
            self._metrics.rejected_spans.labels(reason).inc(count)
        whole = all(record.has_whole_traces for record in records)
        stored = await self._is_stored(batch_seq, batch, whole)
        while not stored and self._log.redelivers and not self._give_up.is_set():
            await within(self._give_up, _RETRY_S)
            stored = await self._is_stored(batch_seq, batch, whole)
        if stored:
            self._log.acknowledge(records, batch.outcomes)
            if self._log.redelivers:
                positions = [replace(record, value=b"") for record in records]  # not the bytes
                self._uncommitted.append((batch_seq, positions))
        elif self._log.redelivers:
            self._left_behind = True
        else:
            self._log.acknowledge(records, [Retryable("the store did not take the spans; retry") for _ in records])

    async def _is_stored(self, batch_seq: int, batch: WrittenBatch, whole: bool) -> bool:
        """Write one batch. False says that the store did not take it, or not all of it."""
        try:
            narrow = await self._threads.run("insert narrow", batch.read_narrow)
            await self._insert(batch_seq, batch, narrow, whole)
        except Exception as error:
            self.failed = True
            self._metrics.send_failed_spans.labels(_EXPORTER).inc(batch.spans)
            unexpected = not isinstance(error, OtelSessionsError)
            _log.error("store_refused_batch", spans=batch.spans, error=str(error), exc_info=unexpected)
            return False
        self.failed = False
        self._metrics.sent_spans.labels(_EXPORTER).inc(batch.spans)
        self._metrics.stored_rows.labels("otel_traces").inc(batch.spans)
        self._metrics.stored_rows.labels("session_spans").inc(batch.session_spans)
        return True

    async def _insert(self, batch_seq: int, batch: WrittenBatch, narrow: pl.DataFrame, whole: bool) -> None:
        """Both tables at once, then the rollups' turn. Errors: those of the store, after both have ended."""
        inserts = []
        if batch.spans:
            inserts.append(self._threads.run("insert wide", self._store.insert_otel_traces, batch.wide))
        if batch.session_spans:
            inserts.append(self._threads.run("insert narrow", self._store.insert_session_spans, batch.narrow))
        with self._metrics.batch_seconds.labels("insert").time():
            results = await asyncio.gather(*inserts, return_exceptions=True)
        for error in results:
            if error is not None:
                self._rollups.doubt(narrow, batch_seq, monotonic_s())
                raise error
        self._rollups.add(narrow, batch_seq, monotonic_s(), whole)
