"""A bounded number of queries at a time, of those that wait, and of those that arrive: the rest is refused at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from processor.clickhouse_http.errors import TOO_MANY_SIMULTANEOUS_QUERIES, QueryError


class Slots:
    """Belongs to one event loop."""

    def __init__(self, running_max: int, waiting_max: int) -> None:
        self._free = asyncio.Semaphore(running_max)
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._waiting = 0
        self._arriving = 0

    @contextlib.contextmanager
    def arriving(self) -> Iterator[None]:
        """A place for a request while its body is read, which may be megabytes: as many as may run and wait.

        Errors: `QueryError` 202 when too many arrive already.
        """
        if self._arriving >= self._running_max + self._waiting_max:
            raise QueryError(
                TOO_MANY_SIMULTANEOUS_QUERIES, f"Too many simultaneous requests. Maximum: {self._arriving}"
            )
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A slot for the length of the block.

        Errors: `QueryError` 202 when too many wait already.
        """
        if self._free.locked() and self._waiting >= self._waiting_max:
            raise QueryError(
                TOO_MANY_SIMULTANEOUS_QUERIES,
                f"Too many simultaneous queries. Maximum: {self._running_max}, waiting: {self._waiting}",
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
