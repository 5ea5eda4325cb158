"""How far reading is behind, for the metric, and whether it gets anywhere, for the watchdog.

Asks the consumer, which knows where it stands, and the brokers, which know where the partitions end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import aiokafka.errors as kafka
from aiokafka import TopicPartition

from processor.log.kafka.config import KafkaReceiverConfig
from processor.log.kafka.membership import Membership
from processor.log.kafka.offsets import Offsets
from processor.log.kafka.watchdog import ConsumerStuck, Progress, Watchdog
from processor.telemetry.metrics import Metrics

_LOOK_S_MAX: Final = 10.0
_POSITION_S_MAX: Final = 1.0
_UNKNOWN: Final = -1


class Watch:
    """Of one reader."""

    def __init__(self, config: KafkaReceiverConfig, metrics: Metrics, membership: Membership) -> None:
        self._topic = config.topic
        self._lag = metrics.kafka_offset_lag
        self._membership = membership
        self._watchdog = Watchdog(config.stuck_timeout_s)
        self._shown: set[str] = set()
        self.away = False
        """Whether the brokers did not answer when last asked, and nothing came since."""

    @property
    def look_interval_s(self) -> float:
        """Seconds of waiting after which a look is due."""
        return self._watchdog.look_interval_s

    def reset(self) -> None:
        """Whoever polls begins to wait only now."""
        self._watchdog.reset()

    async def look(self, consumer: Any, complaint: str) -> None:
        """Let the watchdog judge; `complaint` is what fetching last failed with, '' for nothing.

        Errors: `ConsumerStuck`.
        """
        ours = self._membership.partitions
        try:
            async with asyncio.timeout(_LOOK_S_MAX):
                found = await _progress(consumer, self._topic, ours)
        except (kafka.KafkaError, OSError, TimeoutError):
            self._watchdog.reset()  # the brokers are away; that is nothing that a restart would mend
            self.away = True
            return
        self.away = False
        if self._membership.is_ready and self._membership.partitions == ours:
            for one in found:
                self._show(one.partition, one.end - max(one.position, 0))
        try:
            self._watchdog.look(found, asyncio.get_running_loop().time())
        except ConsumerStuck as stuck:
            if not complaint:
                raise
            raise ConsumerStuck(f"{stuck}; the last error was {complaint}") from None

    def show_lag(self, consumer: Any, offsets: Offsets) -> None:
        """Of each assigned partition that something was taken from, as of the last fetch, which was answered."""
        self.away = False
        for number in self._membership.partitions or ():
            end = consumer.highwater(TopicPartition(self._topic, number))
            position = offsets.next_offset(number)
            if end is not None and position is not None:
                self._show(number, end - position)

    def forget_lag(self) -> None:
        """Others show that of partitions that are no longer ours."""
        for partition in self._shown:
            self._lag.remove(self._topic, partition)
        self._shown.clear()

    def _show(self, partition: int, lag: int) -> None:
        self._lag.labels(self._topic, str(partition)).set(max(lag, 0))
        self._shown.add(str(partition))


async def _progress(consumer: Any, topic: str, ours: Iterable[int] | None) -> list[Progress]:
    """Of our partitions; with None, while a rebalance is under way, of all as far as anybody has committed.

    Errors: aiokafka's when the brokers do not answer.
    """
    numbers = (consumer.partitions_for_topic(topic) or ()) if ours is None else ours
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    ends = await consumer.end_offsets(partitions)
    if ours is None:
        done = [await consumer.committed(partition) for partition in partitions]
        positions = [_UNKNOWN if offset is None else offset for offset in done]
    else:
        positions = await asyncio.gather(*(_position(consumer, partition) for partition in partitions))
    return [
        Progress(partition.partition, position, ends[partition])
        for partition, position in zip(partitions, positions, strict=True)
    ]


async def _position(consumer: Any, partition: Any) -> int:
    try:
        async with asyncio.timeout(_POSITION_S_MAX):
            return int(await consumer.position(partition))
    except TimeoutError:
        return _UNKNOWN  # it does not know where to begin, which is stuck as well
