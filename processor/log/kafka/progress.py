"""Where a consumer stands, asked of the consumer and of the brokers: what the watchdog judges."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import TopicPartition

from processor.log.kafka.watchdog import Progress

_POSITION_S_MAX: Final = 1.0
_UNKNOWN: Final = -1


async def progress(consumer: Any, topic: str, ours: Iterable[int] | None) -> list[Progress]:
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
