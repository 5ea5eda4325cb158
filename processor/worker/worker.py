"""The imperative shell around a poll: decode the next batches while the store takes the last, tick beside them.

Order, for nothing to be lost: spans are in the store before their records are acknowledged; trace and session rows are
written before the log is committed. Decoding has a process, each insert and rolling up a thread, so the event loop,
which answers exporters, waits for none of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeAlias, TypeVar

import polars as pl
import structlog

from processor.clock import monotonic_s
from processor.decode.verdicts import Admission
from processor.errors import OtelSessionsError, Permanent, Retryable
from processor.log.base import LogReader, Record
from processor.store.base import Store
from processor.telemetry.metrics import Metrics
from processor.worker.batch import WrittenBatch
from processor.worker.decoding import Decoding
from processor.worker.rollups import RollupConfig, Rollups

_log = structlog.get_logger(__name__)
_EXPORTER = "clickhouse"
_RETRY_S = 1.0  # between two ticks when the first failed
_THREADS = ("insert wide", "insert narrow", "rollup")

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """How much is taken from the log at once, and the components below."""

    poll_bytes_max: int = field(
        default=12 * 1024 * 1024,
        metadata={"help": "Bytes of requests in one batch.", "min": 64 * 1024, "max": 256 * 1024 * 1024},
    )
    poll_linger_s: float = field(
        default=0.1,
        metadata={
            "help": "Seconds that a batch waits to fill up: larger inserts for a later answer. 0 takes what is there.",
            "min": 0.0,
            "max": 5.0,
        },
    )
    decode_processes: int = field(
        default=1,
        metadata={
            "help": "Processes that decode, one batch each at a time; 0 decodes in a thread of the main process.",
            "min": 0,
            "max": 64,
        },
    )
    admission: Admission = field(default_factory=Admission, metadata={"help": "Which spans are accepted."})
    rollups: RollupConfig = field(default_factory=RollupConfig, metadata={"help": "How rollups keep up."})


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Some records of a poll, and what became of them."""

    records: Sequence[Record]
    batch_seq: int
    batch: WrittenBatch


_DecodeQueue: TypeAlias = "asyncio.Queue[asyncio.Task[list[_Decoded]] | None]"


class Worker:
    """Takes records from `log`, writes them to `store`. Rows on their way lie in `scratch`, a directory of its own."""

    def __init__(self, config: WorkerConfig, log: LogReader, store: Store, metrics: Metrics, scratch: Path) -> None:
        self._config = config
        self._log = log
        self._store = store
        self._metrics = metrics
        self._decoding = Decoding(config.decode_processes, config.admission, scratch)
        self._rollups = Rollups(store, config.rollups, metrics)
        self._threads = {name: ThreadPoolExecutor(1, name) for name in _THREADS}
        self._batch_seq = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._stop_asked = asyncio.Event()
        self._uncommitted: deque[tuple[int, Sequence[Record]]] = deque()  # with the number of their batch
        self._stopping = asyncio.Event()
        self._ticked = asyncio.Event()
        self._tick_now = asyncio.Event()  # a stop, or too much to wait for the next tick
        self._left_behind = False  # a stop gave up on a batch: it and all after it are left to the next start
        self._store_failed = False
        self._tick_failed = False

    @property
    def healthy(self) -> bool:
        """Whether the last writes to the store worked and both loops run."""
        running = bool(self._tasks) and not any(task.done() for task in self._tasks)
        return running and not self._store_failed and not self._tick_failed

    async def start(self) -> None:
        """Resume from the store, then begin to poll and to tick."""
        if self._tasks:
            return
        decoding = asyncio.create_task(self._decoding.start())
        if not self._log.redelivers:
            self._batch_seq = await self._run("rollup", self._rollups.resume, monotonic_s())
        await decoding
        await self._log.start(functools.partial(self._run, "rollup", self._rollups.learn))
        self._metrics.rollup_lag_s.set_function(lambda: self._rollups.lag_s(monotonic_s()))
        self._tasks = [asyncio.create_task(self._ingest()), asyncio.create_task(self._tick())]

    async def crashed(self) -> BaseException:
        """Wait until a loop has ended by an error; the process must be restarted."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        errors = [error for task in done if (error := task.exception())]
        return errors[0] if errors else OtelSessionsError("the worker stopped without being asked to")

    async def stop(self) -> None:
        """Take what the log still holds, roll everything up, commit. Safe without start, and twice."""
        if not self._tasks:
            return
        await self._log.close()
        self._stop_asked.set()  # what is accepted is stored also if ticks fail; the next start rolls it up
        self._ticked.set()
        ingest, tick = self._tasks
        await ingest
        self._stopping.set()
        self._tick_now.set()
        await tick
        try:
            await self.settle()
        except OtelSessionsError as error:
            _log.warning("rollups_left_for_next_start", error=str(error))
        self._tasks = []
        self._decoding.stop()
        for threads in self._threads.values():
            threads.shutdown()

    async def settle(self) -> None:
        """Tick until every span stored so far is in its session's row.

        Errors: those of the store.
        """
        while not self._rollups.is_current:
            await self._run("rollup", self._rollups.tick, monotonic_s(), True)
        await self._commit()

    async def _ingest(self) -> None:
        """Poll and write side by side; if one fails, both end."""
        decoding: _DecodeQueue = asyncio.Queue(self._decoding.concurrency)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poll(decoding))
            tasks.create_task(self._write(decoding))

    async def _poll(self, decoding: _DecodeQueue) -> None:
        while records := await self._log.poll(self._config.poll_bytes_max, self._config.poll_linger_s):
            await self._room()
            # Numbers in the order of writing, also where a poll has to be decoded record by record.
            batch_seq = self._batch_seq + 1
            self._batch_seq += 1 + len(records)
            await decoding.put(asyncio.create_task(self._decode(records, batch_seq)))
        await decoding.put(None)

    async def _write(self, decoding: _DecodeQueue) -> None:
        while decoded := await decoding.get():
            for batch in await decoded:
                await self._store_batch(batch)

    async def _commit(self) -> None:
        """Tell the log how far everything is rolled up."""
        done: list[Record] = []
        while self._uncommitted and self._uncommitted[0][0] <= self._rollups.rolled_up_to:
            done += self._uncommitted.popleft()[1]
        if done:
            await self._log.commit(done)

    async def _room(self) -> None:
        """Wait while too many stored spans wait for a tick: memory is bounded, and the log pushes back."""
        while self._rollups.waiting_spans > self._config.rollups.waiting_spans_max and not self._stop_asked.is_set():
            self._ticked.clear()
            self._tick_now.set()
            await self._ticked.wait()

    async def _decode(self, records: Sequence[Record], batch_seq: int) -> list[_Decoded]:
        """The records as batches: one, unless a record trips us over: it is refused, the rest is not."""
        try:
            with self._metrics.batch_seconds.labels("decode").time():
                return [_Decoded(records, batch_seq, await self._decoding.batch(records, batch_seq))]
        except Exception:
            if len(records) > 1:
                pieces = [await self._decode([record], batch_seq + 1 + i) for i, record in enumerate(records)]
                return [decoded for piece in pieces for decoded in piece]
            _log.exception("record_not_understood", bytes=len(records[0].value))
            self._log.acknowledge(records, [Permanent("the request can't be processed; see the server's log")])
            return []

    async def _run(self, thread: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        work = functools.partial(call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads[thread], work)

    async def _store_batch(self, decoded: _Decoded) -> None:
        """Write one batch and answer its records.

        If that fails: where the log gives nothing out again, the exporters are told to retry, else it is written again
        until the store takes it, or a stop leaves it to the next start.
        """
        batch = decoded.batch
        if self._left_behind:
            batch.remove()
            return
        for reason, count in batch.rejected.items():
            self._metrics.rejected_spans.labels(reason).inc(count)
        try:
            stored = await self._is_stored(decoded)
            while not stored and self._log.redelivers and not self._stop_asked.is_set():
                await self._within(self._stop_asked, _RETRY_S)
                stored = await self._is_stored(decoded)
        finally:
            batch.remove()
        if stored:
            self._log.acknowledge(decoded.records, batch.outcomes)
            if self._log.redelivers:
                positions = [replace(record, value=b"") for record in decoded.records]  # not the bytes
                self._uncommitted.append((decoded.batch_seq, positions))
        elif self._log.redelivers:
            self._left_behind = True  # a commit of a later batch would say that this one is rolled up
        else:
            refusals = [Retryable("the store did not take the spans; retry") for _ in decoded.records]
            self._log.acknowledge(decoded.records, refusals)

    async def _is_stored(self, decoded: _Decoded) -> bool:
        """Write one batch. False says that the store did not take it, or not all of it."""
        batch = decoded.batch
        try:
            narrow = await self._run("insert narrow", batch.read_narrow)
            await self._insert(decoded, narrow)
        except Exception as error:
            self._store_failed = True
            self._metrics.send_failed_spans.labels(_EXPORTER).inc(batch.spans)
            _log.error("store_refused_batch", spans=batch.spans, error=str(error), exc_info=_unexpected(error))
            return False
        self._store_failed = False
        self._metrics.sent_spans.labels(_EXPORTER).inc(batch.spans)
        self._metrics.stored_rows.labels("otel_traces").inc(batch.spans)
        self._metrics.stored_rows.labels("session_spans").inc(batch.session_spans)
        return True

    async def _insert(self, decoded: _Decoded, narrow: pl.DataFrame) -> None:
        """Both tables at once, then the rollups' turn. Errors: those of the store, after both have ended."""
        batch, inserts = decoded.batch, []
        if batch.spans:
            inserts.append(self._run("insert wide", self._store.insert_otel_traces, batch.wide))
        if batch.session_spans:
            inserts.append(self._run("insert narrow", self._store.insert_session_spans, batch.narrow))
        with self._metrics.batch_seconds.labels("insert").time():
            results = await asyncio.gather(*inserts, return_exceptions=True)
        for error in results:
            if error is not None:
                self._rollups.doubt(narrow, decoded.batch_seq, monotonic_s())
                raise error
        whole = all(record.has_whole_traces for record in decoded.records)
        self._rollups.add(narrow, decoded.batch_seq, monotonic_s(), whole)

    async def _tick(self) -> None:
        config = self._config.rollups
        while not self._stopping.is_set():
            started = monotonic_s()
            try:
                await self._run("rollup", self._rollups.tick, started, False)
                self._tick_failed = False
                await self._commit()
            except Exception as error:
                self._tick_failed = True
                _log.error("rollup_tick_failed", error=str(error), exc_info=_unexpected(error))
            self._ticked.set()
            took_s = monotonic_s() - started
            self._metrics.tick_seconds.observe(took_s)
            pause_s = max(config.interval_s - took_s, took_s * (1 / config.time_share_max - 1))
            # A tick that failed is not hurried: the store is asked again after a pause, whoever waits.
            woken, pause_s = (self._stopping, _RETRY_S) if self._tick_failed else (self._tick_now, pause_s)
            await self._within(woken, pause_s)
            self._tick_now.clear()

    async def _within(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for an event, but not longer."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)


def _unexpected(error: Exception) -> bool:
    """Whether an error is a fault of ours, worth a traceback."""
    return not isinstance(error, OtelSessionsError)
