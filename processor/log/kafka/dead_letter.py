"""Records that can't be processed, on a topic of their own with where they come from and why: so a partition moves on.

A dead letter has the record's key, value and headers, and the headers `otel-sessions.dlq.*` beside them. One that the
brokers find too large goes without its value, which the origin still has as long as it keeps it.

Must never lose one: it is tried until the brokers have it, and no offset is committed past it before (`undelivered`).
Written at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterable
from typing import Any, Final

import aiokafka.errors as kafka
import structlog
from aiokafka import AIOKafkaProducer

from processor.log.kafka import headers as names
from processor.log.kafka.client import client_options, create_topic
from processor.log.kafka.config import KafkaReceiverConfig
from processor.log.kafka.discard import discard
from processor.log.kafka.headers import Headers
from processor.log.kafka.record import KafkaRecord
from processor.telemetry.metrics import Metrics

PRODUCER_REQUEST_BYTES_MAX: Final = 256 * 1024 * 1024  # the brokers' limit is the one that counts

_WAITING_BYTES_MAX: Final = 16 * 1024 * 1024
_BATCH_RECORDS: Final = 100
_REASON_CHARS_MAX: Final = 1000
_RETRY_S: Final = 1.0
_TOO_LARGE: Final = (kafka.MessageSizeTooLargeError, kafka.RecordListTooLargeError)

_log = structlog.get_logger(__name__)


def dead_letter_headers(record: KafkaRecord, reason: str) -> Headers:
    """The record's own headers, then where it stood and why it is here."""
    return [
        *((name, value) for name, value in record.headers if not name.startswith(names.DEAD_LETTER_PREFIX)),
        (names.ORIGIN_TOPIC, record.topic.encode()),
        (names.ORIGIN_PARTITION, b"%d" % record.partition),
        (names.ORIGIN_OFFSET, b"%d" % record.offset),
        (names.ORIGIN_TIMESTAMP_MS, b"%d" % record.timestamp_ms),
        (names.REASON, reason[:_REASON_CHARS_MAX].encode(errors="replace")),
    ]


class DeadLetters:
    """Writes them in the background. Connects with the first one; belongs to one event loop."""

    def __init__(self, config: KafkaReceiverConfig, metrics: Metrics, delivered: Callable[[], None]) -> None:
        """`delivered` is called whenever the brokers have acknowledged some.

        Errors: `ConfigError` for certificate files that can't be read.
        """
        self._config = config
        self._options = client_options(config, config.request_timeout_s)
        self._waiting: dict[tuple[int, int], tuple[KafkaRecord, Headers]] = {}  # by partition and offset
        self._waiting_bytes = 0
        self._waiting_count = metrics.kafka_waiting_dead_letters
        self._count = metrics.kafka_dead_lettered_records
        self._delivered = delivered
        self._changed = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._producer: AIOKafkaProducer | None = None

    @property
    def has_room(self) -> bool:
        """Whether more may come; else reading should wait."""
        return self._waiting_bytes < _WAITING_BYTES_MAX

    @property
    def undelivered(self) -> dict[int, int]:
        """By partition of the origin, the offset of the first record whose dead letter the brokers do not have."""
        first: dict[int, int] = {}
        for partition, offset in self._waiting:
            first[partition] = min(first.get(partition, offset), offset)
        return first

    def add(self, record: KafkaRecord, reason: str) -> None:
        """Take one; it is under way from now on. Again, after a rebalance, it still is."""
        key = (record.partition, record.offset)
        if key in self._waiting:
            return
        _log.warning(
            "kafka_dead_letter",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
            action="see otel-sessions dlq list; when the cause is mended, otel-sessions dlq replay",
        )
        self._waiting[key] = record, dead_letter_headers(record, reason)
        self._waiting_bytes += len(record.value)
        self._waiting_count.inc()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())

    async def deliver(self, records: Iterable[KafkaRecord], timeout_s: float) -> None:
        """Wait until those among `records` that were added are delivered, `timeout_s` at most.

        They are known by partition and offset: what comes back may have lost its value.
        """
        keys = [(record.partition, record.offset) for record in records]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while keys := [key for key in keys if key in self._waiting]:
                    self._changed.clear()
                    await self._changed.wait()

    async def close(self) -> None:
        """Stop trying, and disconnect. Safe to call twice."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.cancel()
            await asyncio.wait([sender])
        await self._disconnect()

    async def _send(self) -> None:
        """Runs while some wait."""
        complaint = ""
        while self._waiting:
            try:
                producer = await self._connected()
                batch = list(itertools.islice(self._waiting.values(), _BATCH_RECORDS))
                results = await asyncio.gather(
                    *(self._send_one(producer, record, headers) for record, headers in batch), return_exceptions=True
                )
                self._end([record for (record, _), result in zip(batch, results, strict=True) if result is None])
                for error in filter(None, results):
                    raise error
            except (kafka.KafkaError, OSError, TimeoutError) as error:
                if complaint != (complaint := repr(error)):
                    _log.warning(
                        "kafka_dead_letters_wait",
                        topic=self._config.dead_letter_topic,
                        error=complaint,
                        action="create the topic, or allow this user to write to it; nothing is committed before",
                    )
                await self._disconnect()
                await asyncio.sleep(_RETRY_S)
        self._sender = None

    async def _send_one(self, producer: Any, record: KafkaRecord, headers: Headers) -> None:
        topic = self._config.dead_letter_topic
        try:
            await producer.send_and_wait(topic, record.value, key=record.key, headers=list(headers))
        except _TOO_LARGE:
            omitted = (names.VALUE_OMITTED, b"%d bytes are too large for this topic" % len(record.value))
            await producer.send_and_wait(topic, b"", key=record.key, headers=[*headers, omitted])

    def _end(self, records: list[KafkaRecord]) -> None:
        for record in records:
            del self._waiting[record.partition, record.offset]
            self._waiting_bytes -= len(record.value)
        self._waiting_count.dec(len(records))
        self._count.inc(len(records))
        self._changed.set()
        self._delivered()

    async def _connected(self) -> Any:
        if self._producer is None:
            topic = self._config.dead_letter
            async with asyncio.timeout(2 * self._config.request_timeout_s):
                if topic.create_topic.create:
                    await create_topic(self._options, self._config.dead_letter_topic, topic.create_topic)
                # Not idempotent, so that aiokafka gives up on a record in time, which is then sent anew.
                self._producer = AIOKafkaProducer(
                    **self._options, acks="all", max_request_size=PRODUCER_REQUEST_BYTES_MAX
                )
                await self._producer.start()
        return self._producer

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await discard(producer)
