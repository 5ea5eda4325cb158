"""One request on its way: several records in, one outcome out, in bounded time.

Bounded by whoever makes it: `on_end` is called exactly once, when the sender is through and no record is under way any
more, also when nobody waits for the outcome; only then has the producer let go of the bytes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Delivery:
    """Counts the records of one request home. Belongs to one event loop.

    `outcome` is to be awaited by one at most: it ends when every record is acknowledged, with the producer's first
    error once all records ended, or with `TimeoutError`.
    """

    __slots__ = ("_bytes", "_error", "_on_end", "_open", "outcome")

    def __init__(self, size: int, on_end: Callable[[int], None]) -> None:
        """`on_end` is called with `size`, the bytes of the request."""
        self._bytes = size
        self._on_end = on_end
        self._open = 1  # the sender itself
        self._error: BaseException | None = None
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add_record(self) -> None:
        """Wait for another record."""
        self._open += 1

    def record_ended(self, error: BaseException | None) -> None:
        """One of the records is acknowledged (None), or will never be. The sender says so too, at its end."""
        self._error = self._error or error
        self._open -= 1
        if self._open:
            return
        self._on_end(self._bytes)
        if not self.outcome.done():  # else nobody waits any more
            self._set(self._error)

    def expire(self) -> None:
        """Nobody waits any longer. The records go on their way."""
        if not self.outcome.done():
            self._set(TimeoutError())

    def _set(self, error: BaseException | None) -> None:
        if error is None:
            self.outcome.set_result(None)
        else:
            self.outcome.set_exception(error)
            self.outcome.exception()  # to be read in any case, or asyncio complains


class Deadlines:
    """Lets deliveries expire `timeout_s` after they were added: one timer for all, as they expire in their order."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[float, Delivery]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, delivery: Delivery) -> None:
        """From now on. What has an outcome is let go of in its turn: those before it have one, or expire."""
        waiting = self._waiting
        while waiting and waiting[0][1].outcome.done():
            waiting.popleft()
        loop = asyncio.get_running_loop()
        waiting.append((loop.time() + self._timeout_s, delivery))
        if self._timer is None:
            self._timer = loop.call_later(self._timeout_s, self._expire)

    def oldest_s(self, now_s: float) -> float:
        """Age of the oldest that somebody waits for; 0 for none. `now_s` is the event loop's."""
        while self._waiting and self._waiting[0][1].outcome.done():
            self._waiting.popleft()
        return self._timeout_s - (self._waiting[0][0] - now_s) if self._waiting else 0.0

    def close(self) -> None:
        """Nothing expires any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        while self._waiting and (self._waiting[0][1].outcome.done() or self._waiting[0][0] <= now_s):
            self._waiting.popleft()[1].expire()
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self._expire)
