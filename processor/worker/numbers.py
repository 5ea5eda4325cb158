"""The numbers of batches: one row of them for all signals, and which are given to a batch that is not stored yet.

A checkpoint, or a commit, says that everything up to a number is rolled up. Ingests of several signals store beside
each other, so a batch may be rolled up while one with a smaller number is on its way: nothing may be said past that.
"""

from __future__ import annotations

import threading


class BatchNumbers:
    """Counts on from `last`. Any thread."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()
        self._outstanding: dict[int, None] = {}  # first numbers, in the order in which they were taken

    def start(self, last: int) -> None:
        """Count on from the last number that was ever given to a batch."""
        with self._lock:
            self._last = max(self._last, last)

    def take(self, count: int) -> int:
        """The first of `count` numbers that are outstanding until `settle`."""
        with self._lock:
            first = self._last + 1
            self._last += count
            self._outstanding[first] = None
            return first

    def settle(self, first: int) -> None:
        """Whatever becomes of the batches of this `take`, no rows of them will be stored that are not by now.

        To be called after `Rollups` has got the rows that are.
        """
        with self._lock:
            del self._outstanding[first]

    @property
    def settled_up_to(self) -> int:
        """The number up to which nothing is outstanding."""
        with self._lock:
            return next(iter(self._outstanding), self._last + 1) - 1
