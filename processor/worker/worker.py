"""The worker: takes records from the logs, stores what they say, and keeps the session rows current.

An `Ingest` for each signal, and `Ticks` that serve all of them, are loops on one event loop. Decoding has a process,
each insert and rolling up a thread, so the event loop, which may answer exporters too, waits for none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from processor.clock import monotonic_s, now_ns
from processor.errors import OtelSessionsError
from processor.log.base import LogReader
from processor.model import NANOS_PER_MILLI
from processor.pricing.prices import Prices
from processor.signals import Signal
from processor.store.auditing import PRICES_USED
from processor.store.base import Store
from processor.store.budgeting import BudgetStore
from processor.store.purging import PurgeStore
from processor.telemetry.metrics import Metrics
from processor.telemetry.traces import OwnTraces
from processor.worker.budgets.delivery import Delivery
from processor.worker.budgets.watch import BudgetWatch
from processor.worker.config import WorkerConfig
from processor.worker.decoding import Decoding
from processor.worker.gate import Gate
from processor.worker.ingest import Ingest
from processor.worker.numbers import BatchNumbers
from processor.worker.purge import Purge
from processor.worker.purging import Purging
from processor.worker.rollups import Rollups
from processor.worker.threads import Threads
from processor.worker.ticks import Ticks

THREAD_IDLE_AFTER_S: Final = "thread_idle_after_s"
"""Name of the setting that the view `threads` reads."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Budgets:
    """Stores for budgets: one for the thread that rolls up, one for the one that posts."""

    watching: BudgetStore
    delivering: BudgetStore


class Worker:
    """From `logs`, one a signal and all of one kind, to `store`. Rows on their way lie in `scratch`, a directory of its
    own. Without `purges`, deleted sessions stay hidden in the tables; without `budgets`, nobody is told of any.
    """

    def __init__(
        self,
        config: WorkerConfig,
        logs: Mapping[Signal, LogReader],
        store: Store,
        metrics: Metrics,
        scratch: Path,
        purges: PurgeStore | None = None,
        budgets: Budgets | None = None,
        traces: OwnTraces | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._logs = logs
        self._metrics = metrics
        self._threads = Threads()
        self._decoding = Decoding(config, scratch)
        self._numbers = BatchNumbers()
        self.gate = Gate()
        """What a backup closes for a moment."""
        self._prices = prices = Prices(config.pricing.prices)
        self._delivery: Delivery | None = None
        watch: BudgetWatch | None = None
        if budgets is not None:
            self._delivery = Delivery(config.budgets, budgets.delivering, self._threads, metrics)
            watch = BudgetWatch(budgets.watching, config.budgets.rules, _now_ms, self._delivery.hurry)
        self._rollups = Rollups(store, config.rollups, metrics, prices, self._numbers, watch)
        parts = (store, self._rollups, self._numbers, self._decoding, self._threads, self.gate, metrics, traces)
        self._ingests = {signal: Ingest(config, signal, log, *parts) for signal, log in logs.items()}
        self._ticks = Ticks(config.rollups, self._rollups, self._commit, self._threads, self.gate, metrics, traces)
        purge = Purge(purges, prices, metrics) if purges else None
        self._purging = Purging(config.deletion.purge_interval_s, purge, self._threads, self.gate, metrics)
        self._ingesting: list[asyncio.Task[None]] = []
        self._ticking: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        """Whether the last writes to the store worked and all loops run."""
        return not (self.missing or self.dead)

    @property
    def missing(self) -> str:
        """What keeps spans from being stored or shown now, and may come back by itself; '' for nothing."""
        if self._ticking is None or any(task.done() for task in (*self._ingesting, self._ticking)):
            return "the worker does not run"
        failed = [signal.value for signal, ingest in self._ingests.items() if ingest.failed]
        if failed:
            return f"the last batch of {', '.join(failed)} was not stored; see the log and the store"
        return "the last rollup was not written; see the log and the store" if self._ticks.failed else ""

    @property
    def dead(self) -> str:
        """Which loop has failed for good; '' for none."""
        tasks = {task.get_name(): task for task in (*self._ingesting, *([self._ticking] if self._ticking else []))}
        failed = [name for name, task in tasks.items() if task.done() and not task.cancelled() and task.exception()]
        return f"the loop of {', '.join(failed)} has failed; restart the process" if failed else ""

    async def start(self) -> None:
        """Resume from the store, then begin to poll and to tick. Safe to call twice.

        Errors: those of the store and of `LogReader.start`; then nothing is left running after `stop`.
        """
        if self._ingesting:
            return
        decoding = asyncio.create_task(self._decoding.start())
        try:
            idle_after_s = str(self._config.threads.idle_after_s)
            await self._threads.run("rollup", self._store.write_setting, THREAD_IDLE_AFTER_S, idle_after_s)
            used = PRICES_USED + self._prices.revision
            await self._threads.run("rollup", self._store.write_setting, used, str(now_ns()))
            if not any(log.redelivers for log in self._logs.values()):
                self._numbers.start(await self._threads.run("rollup", self._rollups.resume, monotonic_s()))
            for signal, log in self._logs.items():
                await log.start(self._learn if signal is Signal.TRACES else _nothing_to_learn)
        finally:
            await decoding
        for signal, ingest in self._ingests.items():
            if self._logs[signal].redelivers:  # else a log in memory knows since when its requests wait
                self._observe_age(signal, ingest)
        self._metrics.rollup_lag_s.set_function(lambda: self._rollups.lag_s(monotonic_s()))
        self._ingesting = [
            asyncio.create_task(ingest.run(self._ticks.room), name=signal.value)
            for signal, ingest in self._ingests.items()
        ]
        self._ticking = asyncio.create_task(self._ticks.run(), name="rollups")
        self._purging.start()
        if self._delivery is not None:
            self._delivery.start()

    async def crashed(self) -> BaseException:
        """Wait until a loop has ended by an error; the process must be restarted."""
        assert self._ticking is not None
        tasks = (*self._ingesting, self._ticking)
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        errors = [error for task in done if (error := task.exception())]
        return errors[0] if errors else OtelSessionsError("the worker stopped without being asked to")

    async def stop(self) -> None:
        """Take what the logs still hold, roll up, commit, leave. Safe without start, and twice.

        Errors: none; what a loop died of is `crashed`'s to tell, and what could not be done now the next start does.
        """
        await self._purging.stop()
        if self._delivery is not None:
            await self._delivery.stop()
        for log in self._logs.values():
            await log.close()
        for ingest in self._ingests.values():
            ingest.give_up()
        self._ticks.release()
        if self._ingesting:
            await asyncio.wait(self._ingesting)
        self._ticks.end()
        if self._ticking is not None:
            await asyncio.wait([self._ticking])
            try:
                await self._ticks.settle(self._config.stop_timeout_s)
            except OtelSessionsError as error:
                _log.warning(
                    "rollups_left_for_next_start", error=str(error), action="nothing: the next start makes them"
                )
        self._ingesting, self._ticking = [], None
        await asyncio.gather(*(log.leave() for log in self._logs.values()))
        self._decoding.stop()
        self._threads.stop()

    async def settle(self) -> None:
        """Tick until every span stored so far is in its session's row.

        Errors: those of the store.
        """
        await self._ticks.settle()

    def _observe_age(self, signal: Signal, ingest: Ingest) -> None:
        age_s = self._metrics.oldest_unflushed_s.labels(signal.suffixed("clickhouse", "/"))
        age_s.set_function(lambda: ingest.oldest_s(monotonic_s()))

    async def _learn(self) -> None:
        await self._threads.run("rollup", self._rollups.learn)

    async def _commit(self, rolled_up_to: int) -> None:
        """Tell the logs what is rolled up."""
        done = {signal: ingest.take_committable(rolled_up_to) for signal, ingest in self._ingests.items()}
        await asyncio.gather(*(self._logs[signal].commit(records) for signal, records in done.items() if records))


async def _nothing_to_learn() -> None:
    """Beside other workers memory is trusted with placed spans only, and those are another signal's."""


def _now_ms() -> int:
    return now_ns() // NANOS_PER_MILLI
