"""Reader logs against a broker, and a stock producer that writes what they read."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from confluent_kafka import Consumer, Producer, TopicPartition

from processor.log.kafka.config import KafkaReceiverConfig, KafkaTopicConfig
from processor.log.kafka.headers import SIGNAL, TENANT, Headers, placement
from processor.log.kafka.reader import KafkaLogReader
from processor.log.kafka.record import KafkaRecord
from processor.model import Receipt
from processor.telemetry.metrics import Metrics
from tests.kafka.harness import WAIT_S

MIB = 1024 * 1024


def reader_config(bootstrap: str, topic: str, **changes: Any) -> KafkaReceiverConfig:
    """A configuration that finds out quickly."""
    defaults: dict[str, Any] = {
        "create_topic": KafkaTopicConfig(create=False),
        "metadata_refresh_s": 1.0,
        "heartbeat_interval_s": 0.2,
        "group_id": f"of-{topic}",
    }
    return KafkaReceiverConfig(brokers=(bootstrap,), topic=topic, **{**defaults, **changes})


class Reading:
    """One reader, what it did, and the tests' ways to ask for more."""

    def __init__(self, config: KafkaReceiverConfig) -> None:
        self.metrics = Metrics()
        self.log = KafkaLogReader(config, self.metrics)
        self.assignments = 0
        self.polled: list[KafkaRecord] = []
        self.assignments_before: dict[KafkaRecord, int] = {}

    async def assigned(self) -> None:
        """What a worker would learn in."""
        self.assignments += 1

    async def poll(self, bytes_max: int = 16 * MIB, linger_s: float = 0.05) -> list[KafkaRecord]:
        """One poll."""
        async with asyncio.timeout(WAIT_S):
            records = cast("list[KafkaRecord]", list(await self.log.poll(bytes_max, linger_s)))
        ours = self.log._membership
        assert all(one.epoch == ours.epoch and one.partition in (ours.partitions or ()) for one in records)
        self.polled += records
        self.assignments_before.update(dict.fromkeys(records, self.assignments))
        return records

    async def read(self, count: int, **options: Any) -> list[KafkaRecord]:
        """Polls until at least so many records have come."""
        records: list[KafkaRecord] = []
        while len(records) < count:
            records += await self.poll(**options)
        return records

    async def until(self, condition: Callable[[], bool]) -> None:
        """Polls until something has come true."""
        while not condition():
            polling = asyncio.create_task(self.poll())
            while not condition() and not polling.done():  # noqa: ASYNC110 (groups tell nobody)
                await asyncio.sleep(0.02)
            if not polling.done():
                polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await polling

    async def until_positioned(self, partitions: int) -> None:
        """Until the consumer knows where to begin in so many partitions; somebody polls meanwhile."""
        consumer: Any = self.log._consumer
        async with asyncio.timeout(WAIT_S):
            while self.log._membership.partitions is None or len(consumer.assignment()) < partitions:  # noqa: ASYNC110 (groups tell nobody)
                await asyncio.sleep(0.02)
            for partition in consumer.assignment():
                await consumer.position(partition)

    async def finish(self, records: list[KafkaRecord]) -> None:
        """Acknowledged as stored, and committed."""
        self.log.acknowledge(records, [Receipt()] * len(records))
        await self.commit(records)

    async def commit(self, records: list[KafkaRecord]) -> None:
        """As the worker does it, which keeps no bytes until then."""
        await self.log.commit([replace(record, value=b"") for record in records])

    def value(self, name: str) -> float:
        """Of a metric without labels."""
        return self.metrics.registry.get_sample_value(name) or 0


@contextlib.asynccontextmanager
async def reading(config: KafkaReceiverConfig) -> AsyncIterator[Reading]:
    """A started reader, that has left at the end, when asyncio must have had nothing to complain about."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    one = Reading(config)
    await one.log.start(one.assigned)
    try:
        yield one
    finally:
        await one.log.leave()
    gc.collect()
    assert not complaints, str(complaints)


def produce(bootstrap: str, topic: str, *values: bytes, partition: int = 0, **options: Any) -> None:
    """Write values with a stock producer, in order. `headers` and `key` are those of every record."""
    headers: Sequence[tuple[str, bytes | None]] | None = options.pop("headers", None)
    key: bytes | None = options.pop("key", None)
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "linger.ms": 5, **options})
    failures: list[object] = []
    for value in values:
        producer.produce(
            topic,
            value,
            key=key,
            partition=partition,
            headers=list(headers or []),
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    assert producer.flush(WAIT_S) == 0
    assert not failures, failures


def placed(partition: int, partitions: int, tenant: str = "acme") -> Headers:
    """Headers as our producer writes them."""
    claim = ("otel-sessions.placement", placement(partition, partitions))
    return [(TENANT, tenant.encode()), (SIGNAL, b"traces"), claim]


def committed(bootstrap: str, group: str, topic: str, partitions: int) -> list[int]:
    """Offsets as the brokers have them; -1001 is none."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    try:
        found = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], timeout=WAIT_S)
        return [one.offset for one in found]
    finally:
        consumer.close()


def values(records: list[KafkaRecord], partition: int | None = None) -> list[bytes]:
    """Of the records, in order."""
    return [record.value for record in records if partition in (None, record.partition)]
