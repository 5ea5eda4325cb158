"""Rolling up, again and again, and telling the log how far it has come.

Trace and session rows are written before the records that they are made of are committed. Ticks take a share of the
time and no more: under load they come less often, and rows are later, not spans slower.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from processor.clock import monotonic_s
from processor.errors import OtelSessionsError
from processor.telemetry.metrics import Metrics
from processor.telemetry.traces import OwnTraces
from processor.worker.gate import Gate
from processor.worker.rollups import RollupConfig, Rollups
from processor.worker.threads import Threads, within

_RETRY_S: Final = 1.0  # after a tick that failed

_log = structlog.get_logger(__name__)


class Ticks:
    """Runs until `end`. `commit` is awaited after each tick with the number up to which batches are rolled up."""

    def __init__(
        self,
        config: RollupConfig,
        rollups: Rollups,
        commit: Callable[[int], Awaitable[None]],
        threads: Threads,
        gate: Gate,
        metrics: Metrics,
        traces: OwnTraces | None = None,
    ) -> None:
        self._gate = gate
        self._traces = traces or OwnTraces(None, metrics)
        self._config = config
        self._rollups = rollups
        self._commit = commit
        self._threads = threads
        self._metrics = metrics
        self._ticked = asyncio.Event()
        self._wanted = asyncio.Event()  # somebody waits for the next tick
        self._released = asyncio.Event()  # nobody waits for ticks any more
        self._ended = asyncio.Event()
        self.failed = False
        """Whether the last tick did."""

    async def run(self) -> None:
        """Tick. Errors: none; a tick that fails is logged, and tried again after a pause."""
        while not self._ended.is_set():
            started_s = monotonic_s()
            try:
                await self._tick(started_s, force=False)
                self.failed = False
            except Exception as error:
                self.failed = True
                unexpected = not isinstance(error, OtelSessionsError)
                _log.error(
                    "rollup_tick_failed",
                    error=str(error),
                    action="it is tried again, and sessions are late; look at the store",
                    exc_info=unexpected,
                )
            self._ticked.set()
            took_s = monotonic_s() - started_s
            self._metrics.tick_seconds.observe(took_s)
            if self.failed:
                # It is not hurried: the store is asked again after a pause, whoever waits.
                await within(self._ended, _RETRY_S)
            else:
                share = self._config.time_share_max
                await within(self._wanted, max(self._config.interval_s - took_s, took_s * (1 / share - 1)))
            self._wanted.clear()

    async def room(self) -> None:
        """Wait while too much waits for a tick: memory is bounded, and the log pushes back."""
        while self._rollups.is_full and not self._released.is_set():
            self._ticked.clear()
            self._wanted.set()
            await self._ticked.wait()

    def release(self) -> None:
        """Let nobody wait in `room` any more: what is accepted is stored, also if ticks fail."""
        self._released.set()
        self._ticked.set()

    def end(self) -> None:
        """Let `run` return after the tick that is under way."""
        self._ended.set()
        self._wanted.set()

    async def settle(self, timeout_s: float | None = None) -> None:
        """Tick until every span stored so far is in its session's row, not beginning another tick after the timeout.

        Errors: those of the store.
        """
        until_s = None if timeout_s is None else monotonic_s() + timeout_s
        while not self._rollups.is_current:
            if until_s is not None and monotonic_s() >= until_s:
                _log.warning(
                    "rollups_left_for_next_start",
                    error=f"not current after {timeout_s:g} s (stop_timeout_s)",
                    action="nothing: the next start makes them",
                )
                break
            await self._roll_up(monotonic_s(), force=True)
        await self._commit(self._rollups.rolled_up_to)

    async def _tick(self, now_s: float, *, force: bool) -> None:
        with self._traces.tick("tick") as work:
            with work.step("roll up"):
                await self._roll_up(now_s, force=force)
            with work.step("commit"):
                await self._commit(self._rollups.rolled_up_to)

    async def _roll_up(self, now_s: float, *, force: bool) -> None:
        async with self._gate.passing():
            await self._threads.run("rollup", self._rollups.tick, now_s, force)
