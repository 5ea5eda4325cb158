"""Reading dead letters, and producing them again where they came from.

What was replayed is remembered in a consumer group of its own on the dead-letter topic (`replay_group`), committed
after the brokers have the replayed record: at least once, which is harmless because every write is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from processor.errors import Retryable
from processor.log.kafka import headers as names
from processor.log.kafka.client import client_options
from processor.log.kafka.config import KafkaReceiverConfig
from processor.log.kafka.dead_letter import PRODUCER_REQUEST_BYTES_MAX
from processor.log.kafka.discard import discard, discard_consumer
from processor.log.kafka.headers import Headers, tenant_of
from processor.log.kafka.replayed import Replayed
from processor.model import DEFAULT_TENANT

_POLL_MS: Final = 1000
_CHUNK_RECORDS: Final = 64
_TIMEOUT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record of the dead-letter topic.

    `topic`, `partition`, `offset`, `timestamp_ms` (Unix) are those of the origin: '' and -1 where nobody says so.
    `headers` are the original ones. `is_whole` is false where the value was too large to be kept.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    reason: str
    tenant: str
    key: bytes | None
    value: bytes
    headers: Headers
    is_whole: bool
    is_replayed: bool

    @property
    def can_be_replayed(self) -> bool:
        """Whether it says where it belongs, and has its value."""
        return bool(self.topic) and self.is_whole


def replay_group(config: KafkaReceiverConfig) -> str:
    """The consumer group that remembers what was replayed."""
    return f"{config.group_id}.dlq-replay"


async def read_dead_letters(config: KafkaReceiverConfig) -> AsyncGenerator[DeadLetter, None]:
    """All that the topic holds now, in order within each of its partitions; nothing when there is no such topic.

    Errors: `Retryable` when the brokers are away or refuse us.
    """
    with _translated(config):
        async with _reading(config) as (consumer, replayed):
            async for found in _records(consumer, replayed):
                yield _dead_letter(found, found.offset in replayed[found.partition])


async def replay(
    config: KafkaReceiverConfig, match: str = "", limit: int = 0, *, dry_run: bool = False
) -> AsyncGenerator[DeadLetter, None]:
    """Write those not replayed yet back to their topic and partition; yields each when the brokers have it.

    `match`: only those with it in their reason. `limit`: at most so many, 0 is all. `dry_run`: write nothing.
    Letters that can't be replayed are left.
    Errors: `Retryable` when the brokers are away or refuse a record; what was yielded is remembered.
    """
    count = 0
    with _translated(config):
        async with _reading(config) as (consumer, replayed), _producing(config) as producer:
            async for found in _records(consumer, replayed):
                letter = _dead_letter(found, found.offset in replayed[found.partition])
                if letter.is_replayed or not letter.can_be_replayed or match not in letter.reason:
                    continue
                if not dry_run:
                    await _produce(producer, letter)
                    replayed[found.partition].add(found.offset)
                    await _remember(consumer, config, found.partition, replayed[found.partition])
                yield letter
                count += 1
                if count == limit:
                    return


async def _produce(producer: Any, letter: DeadLetter) -> None:
    """Where it lay, or the claim to be placed would no longer be true."""
    there = letter.partition in await producer.partitions_for(letter.topic)
    partition = letter.partition if there else None
    await producer.send_and_wait(
        letter.topic, letter.value, key=letter.key, partition=partition, headers=list(letter.headers)
    )


async def _remember(consumer: Any, config: KafkaReceiverConfig, partition: int, done: Replayed) -> None:
    where = TopicPartition(config.dead_letter_topic, partition)
    async with asyncio.timeout(_TIMEOUT_S):
        await consumer.commit({where: OffsetAndMetadata(done.offset, done.metadata)})


async def _records(consumer: Any, replayed: dict[int, Replayed]) -> AsyncIterator[Any]:
    """From the beginning to where the topic ended when this began."""
    if not replayed:
        return
    open_ends = await consumer.end_offsets(consumer.assignment())
    while open_ends := {one: end for one, end in open_ends.items() if await consumer.position(one) < end}:
        found = await consumer.getmany(*open_ends, timeout_ms=_POLL_MS, max_records=_CHUNK_RECORDS)
        for where, records in found.items():
            for record in records:
                if record.offset < open_ends[where]:
                    yield record


@contextlib.asynccontextmanager
async def _reading(config: KafkaReceiverConfig) -> AsyncIterator[tuple[Any, dict[int, Replayed]]]:
    """A consumer at the beginning of every partition, and what was replayed of each."""
    options = client_options(config, _TIMEOUT_S)
    partitions, committed = await _look_up(options, config)
    consumer = AIOKafkaConsumer(
        **options, group_id=replay_group(config), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        replayed = {}
        if partitions:
            consumer.assign(partitions)
            begins = await consumer.beginning_offsets(partitions)
            for where in partitions:
                done = committed.get(where, OffsetAndMetadata(0, ""))
                replayed[where.partition] = Replayed(begins[where], done.offset, done.metadata or "")
                consumer.seek(where, begins[where])
        yield consumer, replayed
    finally:
        await discard_consumer(consumer, _TIMEOUT_S)


async def _look_up(options: dict[str, Any], config: KafkaReceiverConfig) -> tuple[list[Any], dict[Any, Any]]:
    """The topic's partitions, none where there is no topic, and what the group has committed."""
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        found = await admin.describe_topics([config.dead_letter_topic])
        partitions = [
            TopicPartition(config.dead_letter_topic, one["partition"])
            for topic in found
            if not topic["error_code"]
            for one in topic["partitions"]
        ]
        committed = await admin.list_consumer_group_offsets(replay_group(config)) if partitions else {}
    finally:
        await admin.close()
    return partitions, committed


@contextlib.asynccontextmanager
async def _producing(config: KafkaReceiverConfig) -> AsyncIterator[Any]:
    producer = AIOKafkaProducer(
        **client_options(config, _TIMEOUT_S), acks="all", max_request_size=PRODUCER_REQUEST_BYTES_MAX
    )
    try:
        await producer.start()
        yield producer
    finally:
        await discard(producer)


@contextlib.contextmanager
def _translated(config: KafkaReceiverConfig) -> Iterator[None]:
    try:
        yield
    except (kafka.KafkaError, OSError, TimeoutError) as error:
        raise Retryable(
            f"Kafka ({', '.join(config.brokers)}) does not let us read or replay {config.dead_letter_topic}: {error!r}"
        ) from error


def _dead_letter(found: Any, is_replayed: bool) -> DeadLetter:
    said = {name: value for name, value in found.headers if name.startswith(names.DEAD_LETTER_PREFIX)}
    original = [(name, value) for name, value in found.headers if name not in said]
    return DeadLetter(
        topic=said.get(names.ORIGIN_TOPIC, b"").decode(errors="replace"),
        partition=_number(said.get(names.ORIGIN_PARTITION)),
        offset=_number(said.get(names.ORIGIN_OFFSET)),
        timestamp_ms=_number(said.get(names.ORIGIN_TIMESTAMP_MS)),
        reason=said.get(names.REASON, b"").decode(errors="replace"),
        tenant=tenant_of(original, DEFAULT_TENANT),
        key=found.key,
        value=found.value or b"",
        headers=original,
        is_whole=names.VALUE_OMITTED not in said,
        is_replayed=is_replayed,
    )


def _number(text: bytes | None) -> int:
    return int(text) if text is not None and text.isdigit() else -1
