"""When to give up on a consumer: the brokers have records, it is asked for them, and gets nowhere.

Consumers can stick, after a rebalance above all; only a new process is known to help. Judges numbers; asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from processor.errors import OtelSessionsError


class ConsumerStuck(OtelSessionsError):
    """The consumer reads nothing although there is something. The process must be restarted."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where reading stands in one partition: `position` is the next record's offset, `end` that of the next write."""

    partition: int
    position: int
    end: int


class Watchdog:
    """Fed with what is so now and then, only while a poll waits."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._behind: dict[int, tuple[int, float]] = {}  # partition: position, and since when

    @property
    def look_interval_s(self) -> float:
        """Seconds between two looks, so that the timeout is kept roughly."""
        return self._timeout_s / 4

    def reset(self) -> None:
        """Something was read, or nothing can be known."""
        self._behind.clear()

    def look(self, partitions: Iterable[Progress], now_s: float) -> None:
        """Compare with earlier looks; `now_s` is monotonic.

        Errors: `ConsumerStuck` when a partition has had records for as long as the timeout, and its position stayed.
        """
        behind = {}
        for one in partitions:
            if one.position >= one.end:
                continue
            position, since_s = self._behind.get(one.partition, (one.position, now_s))
            behind[one.partition] = (one.position, since_s if position == one.position else now_s)
        self._behind = behind
        stuck = sorted(partition for partition, (_, since_s) in behind.items() if now_s - since_s >= self._timeout_s)
        if stuck:
            raise ConsumerStuck(
                f"the Kafka consumer is stuck: partitions {stuck} have records and it read none for "
                f"{self._timeout_s:g} s (stuck_timeout_s); restart the process"
            )
