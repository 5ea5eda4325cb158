"""The worker: takes records from a log, stores their spans, and keeps the session rows current.

Two loops, `Ingest` and `Ticks`, on one event loop. Decoding has a process, each insert and rolling up a thread, so the
event loop, which may answer exporters too, waits for none of them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from processor.clock import monotonic_s
from processor.errors import OtelSessionsError
from processor.log.base import LogReader
from processor.store.base import Store
from processor.telemetry.metrics import Metrics
from processor.worker.config import WorkerConfig
from processor.worker.decoding import Decoding
from processor.worker.ingest import Ingest
from processor.worker.rollups import Rollups
from processor.worker.threads import Threads
from processor.worker.ticks import Ticks

_log = structlog.get_logger(__name__)


class Worker:
    """From `log` to `store`. Rows on their way lie in `scratch`, a directory of its own."""

    def __init__(self, config: WorkerConfig, log: LogReader, store: Store, metrics: Metrics, scratch: Path) -> None:
        self._config = config
        self._log = log
        self._metrics = metrics
        self._threads = Threads()
        self._decoding = Decoding(config.decode_processes, config.admission, scratch)
        self._rollups = Rollups(store, config.rollups, metrics)
        self._ingest = Ingest(config, log, store, self._rollups, self._decoding, self._threads, metrics)
        self._ticks = Ticks(config.rollups, self._rollups, self._commit, self._threads, metrics)
        self._ingesting: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        """Whether the last writes to the store worked and both loops run."""
        running = all(task is not None and not task.done() for task in (self._ingesting, self._ticking))
        return running and not self._ingest.failed and not self._ticks.failed

    async def start(self) -> None:
        """Resume from the store, then begin to poll and to tick. Safe to call twice.

        Errors: those of the store and of `LogReader.start`; then nothing is left running after `stop`.
        """
        if self._ingesting is not None:
            return
        decoding = asyncio.create_task(self._decoding.start())
        last_batch_seq = 0
        try:
            if not self._log.redelivers:
                last_batch_seq = await self._threads.run("rollup", self._rollups.resume, monotonic_s())
            await self._log.start(self._learn)
        finally:
            await decoding
        self._metrics.rollup_lag_s.set_function(lambda: self._rollups.lag_s(monotonic_s()))
        self._ingesting = asyncio.create_task(self._ingest.run(last_batch_seq, self._ticks.room))
        self._ticking = asyncio.create_task(self._ticks.run())

    async def crashed(self) -> BaseException:
        """Wait until a loop has ended by an error; the process must be restarted."""
        assert self._ingesting is not None
        assert self._ticking is not None
        tasks = (self._ingesting, self._ticking)
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        errors = [error for task in done if (error := task.exception())]
        return errors[0] if errors else OtelSessionsError("the worker stopped without being asked to")

    async def stop(self) -> None:
        """Take what the log still holds, roll up, commit, leave. Safe without start, and twice.

        Errors: none; what a loop died of is `crashed`'s to tell, and what could not be done now the next start does.
        """
        await self._log.close()
        self._ingest.give_up()
        self._ticks.release()
        if self._ingesting is not None:
            await asyncio.wait([self._ingesting])
        self._ticks.end()
        if self._ticking is not None:
            await asyncio.wait([self._ticking])
            try:
                await self._ticks.settle(self._config.stop_timeout_s)
            except OtelSessionsError as error:
                _log.warning("rollups_left_for_next_start", error=str(error))
        self._ingesting = self._ticking = None
        await self._log.leave()
        self._decoding.stop()
        self._threads.stop()

    async def settle(self) -> None:
        """Tick until every span stored so far is in its session's row.

        Errors: those of the store.
        """
        await self._ticks.settle()

    async def _learn(self) -> None:
        await self._threads.run("rollup", self._rollups.learn)

    async def _commit(self, rolled_up_to: int) -> None:
        """Tell the log what is rolled up."""
        if done := self._ingest.take_committable(rolled_up_to):
            await self._log.commit(done)
