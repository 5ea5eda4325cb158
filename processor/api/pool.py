"""A bounded pool of readers: a store handle answers one query at a time.

Must never grow: when all readers are busy, a bounded number of requests wait, and more are refused at once.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from processor.errors import Overloaded
from processor.store.queries import SessionQueries


class QueryPool:
    """Hands out each reader to one thread at a time."""

    def __init__(self, readers: Sequence[SessionQueries], waiting_max: int) -> None:
        assert readers
        self._idle = list(readers)
        self._waiting_max = waiting_max
        self._streams_max = max(1, len(readers) // 2)
        self._streams = 0
        self._waiting = 0
        self._returned = threading.Condition()

    @contextlib.contextmanager
    def reader(self) -> Iterator[SessionQueries]:
        """A reader for the length of the block.

        Errors: `Overloaded` when too many requests wait already.
        """
        with self._returned:
            if not self._idle and self._waiting >= self._waiting_max:
                raise Overloaded(f"{self._waiting} queries are waiting already")
            self._waiting += 1
            try:
                self._returned.wait_for(lambda: bool(self._idle))
            finally:
                self._waiting -= 1
            reader = self._idle.pop()
        try:
            yield reader
        finally:
            with self._returned:
                self._idle.append(reader)
                self._returned.notify()

    @contextlib.contextmanager
    def streaming_reader(self) -> Iterator[SessionQueries]:
        """A reader for as long as somebody reads a stream: never more than half of them, so that others get answers.

        Errors: `Overloaded` when as many streams run as may, or as for any reader.
        """
        with self._returned:
            if self._streams >= self._streams_max:
                raise Overloaded(f"{self._streams} exports are running already")
            self._streams += 1
        try:
            with self.reader() as reader:
                yield reader
        finally:
            with self._returned:
                self._streams -= 1
