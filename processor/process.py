"""One service as a process: it runs until a signal, or until a part of it has failed for good."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from typing import Any

from processor.config import Config
from processor.service import Service


async def run_until_signal(config: Config) -> None:
    """Run until SIGINT or SIGTERM, then drain and stop in order. A second signal ends the process at once, which loses
    nothing that was acknowledged.

    Errors: those of `Service.start`; what a part died of, for the supervisor to start the process again.
    """
    service = Service(config)
    async with _asked_to_stop() as asked:
        starting = asyncio.create_task(service.start())
        try:
            await _first_of(starting, asked)
            if starting.done():
                await starting
                crashed = asyncio.create_task(service.crashed())
                await _first_of(crashed, asked)
                if crashed.done():
                    raise crashed.result()
                await _first_of(crashed, asyncio.create_task(service.drain()))
                crashed.cancel()
        finally:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            await service.stop()


@contextlib.asynccontextmanager
async def _asked_to_stop() -> AsyncIterator[asyncio.Task[object]]:
    """A task that is done when a signal asks the process to stop."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def ask() -> None:
        asked.set()
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)  # Python's own SIGINT would first wait for every thread

    for number in signals:
        loop.add_signal_handler(number, ask)
    waiting: asyncio.Task[object] = asyncio.create_task(asked.wait())
    try:
        yield waiting
    finally:
        waiting.cancel()


async def _first_of(*tasks: asyncio.Task[Any]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
