"""How far each partition may be committed. Pure arithmetic on offsets; knows one assignment, ends with it.

Never commits past a record that is not rolled up, nor past one whose dead letter the brokers do not have; never goes
backward.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping


class Offsets:
    """Of the partitions of one assignment, by their number. `offset` is that of a record."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}  # after all that was taken, skipped records included
        self._open: dict[int, deque[int]] = {}  # handed out and not rolled up, in order
        self._refused: dict[int, set[int]] = {}
        self._committed: dict[int, int] = {}

    def next_offset(self, partition: int) -> int | None:
        """After the last record taken; None before the first."""
        return self._next.get(partition)

    def hand_out(self, partition: int, offset: int) -> None:
        """The record is the worker's now."""
        self._take(partition, offset)
        self._open.setdefault(partition, deque()).append(offset)

    def skip(self, partition: int, offset: int) -> None:
        """The record is nobody's."""
        self._take(partition, offset)

    def refuse(self, partition: int, offset: int) -> None:
        """The record can't be processed: nobody will say that it is rolled up."""
        self._refused.setdefault(partition, set()).add(offset)

    def roll_up(self, partition: int, offset: int) -> None:
        """The record, and all before it in its partition, are rolled up."""
        waiting = self._open.get(partition)
        while waiting and waiting[0] <= offset:
            self._close_first(partition, waiting)

    def to_commit(self, undelivered: Mapping[int, int]) -> dict[int, int]:
        """By partition, the offset of the next record as Kafka counts, where it is larger than the last one.

        `undelivered`: by partition, the first record whose dead letter is still on its way.
        """
        found = {}
        for partition, after in self._next.items():
            waiting = self._open.get(partition)
            while waiting and waiting[0] in self._refused.get(partition, ()):
                self._close_first(partition, waiting)
            offset = waiting[0] if waiting else after
            offset = min(offset, undelivered.get(partition, offset))
            if offset > self._committed[partition]:
                found[partition] = offset
        return found

    def commit(self, offsets: Mapping[int, int]) -> None:
        """The brokers have these."""
        self._committed.update(offsets)

    def _take(self, partition: int, offset: int) -> None:
        self._next[partition] = offset + 1
        self._committed.setdefault(partition, offset)  # where reading began

    def _close_first(self, partition: int, waiting: deque[int]) -> None:
        self._refused.get(partition, set()).discard(waiting.popleft())
