"""A topic that is filled before workers read it, as our receiver fills it, and how far their group has come.

Must never take part in the group: it only asks for its offsets.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks.load import Load, Request
from processor.log.kafka.config import KafkaExporterConfig
from processor.log.kafka.producer import KafkaProducerLog
from processor.model import DEFAULT_TENANT
from processor.telemetry.metrics import Metrics

_IN_FLIGHT: Final = 32


@dataclass(slots=True)
class Filled:
    """What is in the topic."""

    spans: int = 0  # each counted once
    resent_spans: int = 0  # which are there again
    records: int = 0
    seconds: float = 0.0


async def fill(config: KafkaExporterConfig, load: Load, spans: int) -> Filled:
    """Create the topic and append requests until it holds so many spans, and the rest of the traces begun.

    Errors: those of `KafkaProducerLog.append`.
    """
    metrics, filled, started = Metrics(), Filled(), time.perf_counter()
    log = KafkaProducerLog(config, metrics)
    await log.start()
    begun = 0

    async def append(request: Request) -> None:
        await log.append(DEFAULT_TENANT, request.payload)
        if request.resent:
            filled.resent_spans += request.spans
        else:
            filled.spans += request.spans

    async def append_some() -> None:
        nonlocal begun
        while begun < spans:
            request = load.next(time.time_ns())
            begun += request.spans
            await append(request)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_IN_FLIGHT):
                tasks.create_task(append_some())
        for request in load.remaining():
            await append(request)
    finally:
        await log.close()
    filled.records = int(metrics.registry.get_sample_value("otel_sessions_kafka_sent_records_total") or 0)
    filled.seconds = time.perf_counter() - started
    return filled


class Group:
    """The offsets of a consumer group on a topic that nobody writes to any more. An async context manager."""

    def __init__(self, brokers: str, topic: str, partitions: int, group: str) -> None:
        self._brokers = brokers
        self._group = group
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._admin: Any = None
        self._ends: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._brokers)
        await consumer.start()
        try:
            self._ends = await consumer.end_offsets(self._partitions)
        finally:
            await consumer.stop()
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._brokers)
        await self._admin.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._admin.close()

    @property
    def records(self) -> int:
        """Records in the topic, by its offsets."""
        return sum(self._ends.values())

    async def committed(self) -> int:
        """How many of them the group has committed."""
        found = await self._admin.list_consumer_group_offsets(self._group, partitions=self._partitions)
        return sum(max(found[partition].offset, 0) for partition in self._partitions)
