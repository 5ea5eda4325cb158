"""What the group has assigned to this reader, as aiokafka's coordinator tells it.

Each assignment has a number, its epoch; what was read under one is worth nothing under the next, even where a partition
stays: others may have had it in between. Nothing is awaited in the listener: aiokafka sends no heartbeats meanwhile, so
a slow look into the store would cost the membership. The reader does that in its poll, before it hands anything out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener

_log = structlog.get_logger(__name__)


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """`changed` is called, with nothing ours any more or something new, after every change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.epoch = 0
        self.partitions: frozenset[int] | None = None  # None while the group rebalances
        self.partition_count = 0  # of the topic, as the group agreed; 0 is unknown
        self._learned_epoch = -1
        self._changed = changed

    @property
    def is_new(self) -> bool:
        """Whether something is assigned that was not learned yet."""
        return bool(self.partitions) and self._learned_epoch != self.epoch

    @property
    def is_ready(self) -> bool:
        """Whether records may be handed out."""
        return bool(self.partitions) and self._learned_epoch == self.epoch

    def agreed(self, partition_count: int) -> None:
        """What all members are told with the assignment that comes next."""
        self.partition_count = partition_count

    def learned(self, epoch: int) -> None:
        """What others stored until `epoch` began is known; too late if that is over."""
        self._learned_epoch = epoch

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """A rebalance begins: everything is taken away, to be assigned anew."""
        self.epoch += 1
        self.partitions = None
        self._changed()

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """A rebalance is over. The brokers refuse commits of those who did not take part."""
        self.partitions = frozenset(partition.partition for partition in assigned)
        _log.info("kafka_partitions_assigned", partitions=sorted(self.partitions))
        self._changed()
