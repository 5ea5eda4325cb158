"""Purging, again and again, beside everything else. A purge that fails or is broken off is begun anew."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from processor.clock import monotonic_s, now_ns
from processor.errors import OtelSessionsError
from processor.model import NANOS_PER_MILLI
from processor.telemetry.metrics import Metrics
from processor.worker.gate import Gate
from processor.worker.purge import Purge
from processor.worker.threads import Threads, within

_LOOK_S: Final = 0.2  # while the store removes rows

_log = structlog.get_logger(__name__)


class Purging:
    """A loop from `start` to `stop`, both safe to call twice. Without a `purge` it does nothing."""

    def __init__(self, interval_s: float, purge: Purge | None, threads: Threads, gate: Gate, metrics: Metrics) -> None:
        self._interval_s = interval_s
        self._purge = purge
        self._threads = threads
        self._gate = gate
        self._metrics = metrics
        self._ended = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        if self._purge is not None and self._running is None:
            self._running = asyncio.create_task(self._run(self._purge))

    async def stop(self) -> None:
        """End after the step that is under way; what is not finished, the next start does."""
        self._ended.set()
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _run(self, purge: Purge) -> None:
        while not self._ended.is_set():
            try:
                await self._once(purge)
            except Exception as error:
                unexpected = not isinstance(error, OtelSessionsError)
                _log.error(
                    "purge_failed",
                    error=str(error),
                    action="it is tried again, and deleted sessions stay hidden; look at system.mutations of the store",
                    exc_info=unexpected,
                )
            await within(self._ended, self._interval_s)

    async def _once(self, purge: Purge) -> None:
        started_s = monotonic_s()
        async with self._gate.passing(slowly=True):
            begun = await self._threads.run("purge", purge.begin, now_ns() // NANOS_PER_MILLI, self._ended.is_set)
        if begun is None:
            return
        while await self._threads.run("purge", purge.under_way):
            await within(self._ended, _LOOK_S)
            if self._ended.is_set():
                return
        async with self._gate.passing(slowly=True):
            await self._threads.run("purge", purge.finish, begun)
        self._metrics.purge_seconds.observe(monotonic_s() - started_s)
        _log.info("purged", deletions=len(begun.purged), released=len(begun.released), late=len(begun.due))
