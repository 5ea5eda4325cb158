"""One request on its way: several records in, one outcome out.

Bounded by whoever makes it: `on_end` is called exactly once, when the sender is through and no record is under way any
more, also when nobody waits for the outcome; only then has the producer let go of the bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Delivery:
    """Counts the records of one request home. Belongs to one event loop."""

    __slots__ = ("_error", "_on_end", "_open", "_outcome", "_sending")

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._open = 1  # the sender itself
        self._sending = True
        self._error: Exception | None = None
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add_record(self) -> None:
        """Wait for another record."""
        self._open += 1

    def record_ended(self, error: Exception | None) -> None:
        """One of the records is acknowledged (None), or will never be."""
        self._error = self._error or error
        self._leave()

    def sent(self) -> None:
        """No record follows. Safe to call twice."""
        if self._sending:
            self._sending = False
            self._leave()

    async def outcome(self) -> None:
        """Wait until every record is acknowledged. Errors: the producer's first one, once all records ended."""
        await self._outcome

    def _leave(self) -> None:
        self._open -= 1
        if self._open:
            return
        self._on_end()
        if self._outcome.done():
            return  # whoever waited was cancelled
        if self._error is None:
            self._outcome.set_result(None)
        else:
            self._outcome.set_exception(self._error)
            self._outcome.exception()  # to be read in any case, or asyncio complains
