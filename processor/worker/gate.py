"""Lets writers of the store pass, any number at a time, and holds them all up while a backup marks what there is.

A pass is one whole step: both tables of a batch, one tick, one step of a purge. So what lies in the store while the
gate is closed is what a process would leave that was killed between two steps.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Gate:
    """Open until somebody closes it. Of one event loop."""

    def __init__(self) -> None:
        self._passing = 0
        self._slowly = 0
        self._closed = 0
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def passing(self, *, slowly: bool = False) -> AsyncIterator[None]:
        """Wait while it is closed; it does not close meanwhile. One that passes `slowly` is waited for with the gate
        open, so that nobody else waits for it.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: not self._closed)
            self._passing += 1
            self._slowly += slowly
        try:
            yield
        finally:
            async with self._changed:
                self._passing -= 1
                self._slowly -= slowly
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Let nobody in any more, and wait until nobody is inside."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._slowly)
            self._closed += 1
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._passing)
            yield
        finally:
            async with self._changed:
                self._closed -= 1
                self._changed.notify_all()
