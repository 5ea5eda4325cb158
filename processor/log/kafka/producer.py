"""The receiver's end of the log on Kafka: an append is answered when the brokers have every record of it.

acks=all and an idempotent producer, so that "has" means all in-sync replicas and a retry inside of the producer writes
nothing twice. What a client resends is written again: readers count on spans, not on records.

Bounds: bytes of requests under way (`in_flight_bytes_max`; they count until the producer lets go of them, also when
the client went away), and time (`timeout_s`), after which the client may resend. aiokafka itself never gives up on a
record of an idempotent producer; a producer that failed for good, or acknowledged nothing for that long, is thrown
away with all it holds, and a new one started. Meanwhile appends are refused at once.

Must never acknowledge what the brokers have not; must never touch attributes.
Source: `processor.log.base` for the contract; shared OTLP facts, "Kafka, both ways with a stock Collector".
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import lru_cache, partial
from typing import Final

import aiokafka.errors as kafka
import structlog
from aiokafka import AIOKafkaProducer

from processor.errors import Overloaded, Retryable
from processor.log.kafka.client import client_options, create_topic
from processor.log.kafka.config import KafkaExporterConfig
from processor.log.kafka.delivery import Deadlines, Delivery
from processor.log.kafka.headers import framing_bytes, record_headers
from processor.log.kafka.outbox import Outbox
from processor.log.kafka.placement import Parts, pass_through, place
from processor.model import Receipt
from processor.signals import Signal
from processor.telemetry.metrics import Metrics

RETRY_AFTER_S: Final = 1.0
OVERSIZE: Final = "record_too_large"

_EXPORTER: Final = "kafka"
_INLINE_BYTES_MAX: Final = 1024 * 1024  # larger requests are divided in a thread: it takes some ms a MiB
_RECONNECT_S_MIN: Final = 0.1
_RECONNECT_S_MAX: Final = 5.0
_DISCARDS_MAX: Final = 4

_STUCK: Final = (
    # The brokers and the producer disagree on sequence numbers or on who the producer is; it can't go on.
    kafka.OutOfOrderSequenceNumber,
    kafka.UnknownProducerId,
    kafka.InvalidProducerEpoch,
    kafka.InvalidProducerIdMapping,
    kafka.ProducerFenced,
    kafka.ProducerClosed,
)
_TOO_LARGE: Final = (kafka.MessageSizeTooLargeError, kafka.RecordListTooLargeError)

_log = structlog.get_logger(__name__)


@lru_cache(maxsize=1024)
def _framing_bytes_max(tenant: str, partitions: int, signal: Signal) -> int:
    """The most bytes that any record of a tenant takes beside its value."""
    return framing_bytes(record_headers(tenant, partitions - 1, partitions, signal))


class KafkaProducerLog:
    """The append side of `Log`, between `start` and `close`."""

    def __init__(self, config: KafkaExporterConfig, metrics: Metrics, signal: Signal = Signal.TRACES) -> None:
        """`config` is that of the signal (`KafkaExporterConfig.of`).

        Errors: `ConfigError` for certificate files that can't be read.
        """
        self._config = config
        self._signal = signal
        self._bytes_max = config.producer.in_flight_bytes_max
        self._options = client_options(config, config.producer.timeout_s)
        self._bytes = 0
        self._deliveries = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._deadlines = Deadlines(config.producer.timeout_s)
        self._outbox: Outbox | None = None
        self._broken: asyncio.Future[str] | None = None
        self._away = "not started"
        self._closed = False
        self._last_success = 0.0
        self._supervisor: asyncio.Task[None] | None = None
        self._discards: set[asyncio.Task[None]] = set()
        counted = metrics.of(signal)
        self._rejected = counted.rejected.labels(OVERSIZE)
        self._sent = counted.sent.labels(_EXPORTER)
        self._failed = counted.send_failed.labels(_EXPORTER)
        self._replaced = metrics.kafka_producers_replaced
        self._records = metrics.kafka_sent_records

    @property
    def queued_bytes(self) -> int:
        """Bytes of all requests not yet acknowledged."""
        return self._bytes

    def oldest_s(self, now_s: float) -> float:
        """Age of the oldest request not yet acknowledged; 0 for none. `now_s` is monotonic."""
        return self._deadlines.oldest_s(now_s)

    @property
    def dead(self) -> str:
        """Why it will never connect again; '' while it tries, or is connected."""
        ended = self._supervisor is not None and self._supervisor.done() and not self._closed
        return "the Kafka producer's loop has ended; restart the process" if ended else ""

    @property
    def queue_bytes_max(self) -> int:
        """The configured bound."""
        return self._bytes_max

    @property
    def connected(self) -> bool:
        """Whether appends are taken; false while Kafka is away."""
        return self._outbox is not None

    async def start(self) -> None:
        """Connect; returns after the first attempt, also if it failed: further attempts are made until `close`."""
        if self._supervisor is not None or self._closed:
            return
        attempted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supervisor = asyncio.create_task(self._keep_connected(attempted))
        await asyncio.wait([attempted, self._supervisor], return_when=asyncio.FIRST_COMPLETED)

    async def append(self, tenant: str, value: bytes) -> Receipt:
        """Divide one request into records and wait until the brokers have all of them.

        Spans that fit in no record are rejected in the receipt, the others go through.
        Errors: `Permanent` when the bytes are no request, `Overloaded` when too much waits, `Retryable` when Kafka is
        away or does not answer in time; then some of the records may be in the log all the same.
        """
        outbox, broken = self._live()
        size = len(value)
        if self._bytes and self._bytes + size > self._bytes_max:
            raise Overloaded(
                f"{self._bytes} bytes wait for Kafka, the limit is {self._bytes_max} (producer.in_flight_bytes_max)",
                RETRY_AFTER_S,
            )
        delivery = self._enter(size)
        started = asyncio.get_running_loop().time()
        parts = Parts()
        try:
            try:
                partitions = outbox.partition_count
                parts = await self._divided(tenant, value, partitions)
                if not delivery.outcome.done():  # else dividing took all the time there was
                    self._send(outbox, delivery, tenant, parts, partitions)
            finally:
                delivery.record_ended(None)  # no other follows
            await delivery.outcome
        except TimeoutError:
            self._failed.inc(parts.items)
            if self._last_success <= started:
                self._give_up(broken, "Kafka acknowledges nothing")
            raise Retryable(
                f"Kafka did not acknowledge within {self._config.producer.timeout_s} s (producer.timeout_s)"
            ) from None
        except kafka.KafkaError as error:
            self._failed.inc(parts.items)
            raise self._translated(error, broken) from error
        self._last_success = asyncio.get_running_loop().time()
        self._sent.inc(parts.items)
        self._records.inc(len(parts.parts))
        return self._receipt(parts)

    async def close(self) -> None:
        """Refuse new appends, let those under way end within `timeout_s`, disconnect. Safe to call twice."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self._config.producer.timeout_s)
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            await asyncio.wait([supervisor])
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            self._discard(outbox)
        if self._discards:
            await asyncio.wait(self._discards)
        self._deadlines.close()

    def _live(self) -> tuple[Outbox, asyncio.Future[str]]:
        if self._closed:
            raise Retryable("shutting down; retry against the restarted process")
        if self._outbox is None or self._broken is None:
            raise Retryable(f"Kafka is away: {self._away}")
        return self._outbox, self._broken

    def _enter(self, size: int) -> Delivery:
        self._bytes += size
        self._deliveries += 1
        self._idle.clear()
        delivery = Delivery(size, self._leave)
        self._deadlines.add(delivery)
        return delivery

    def _leave(self, size: int) -> None:
        self._bytes -= size
        self._deliveries -= 1
        if not self._deliveries:
            self._idle.set()

    async def _divided(self, tenant: str, value: bytes, partitions: int) -> Parts:
        bytes_max = self._config.producer.max_message_bytes - _framing_bytes_max(tenant, partitions, self._signal)
        if self._config.partition_traces_by_id and self._signal is Signal.TRACES:
            divide = partial(place, value, partitions, bytes_max)
        else:
            divide = partial(pass_through, value, bytes_max, self._signal)
        return await asyncio.to_thread(divide) if len(value) > _INLINE_BYTES_MAX else divide()

    def _send(self, outbox: Outbox, delivery: Delivery, tenant: str, parts: Parts, partitions: int) -> None:
        for part in parts.parts:
            partition = outbox.next_partition(partitions) if part.partition is None else part.partition
            headers = record_headers(tenant, part.partition, partitions, self._signal)
            outbox.add(partition, part.value, headers, delivery)

    def _receipt(self, parts: Parts) -> Receipt:
        if not parts.oversize_items:
            return Receipt(accepted_spans=parts.items)
        self._rejected.inc(parts.oversize_items)
        limit = self._config.producer.max_message_bytes
        message = (
            f"{self._signal.item}s that fit in no record of {limit} bytes (producer.max_message_bytes): "
            f"{parts.oversize_items}"
        )
        return Receipt(accepted_spans=parts.items, rejected_spans=parts.oversize_items, message=message)

    def _translated(self, error: kafka.KafkaError, broken: asyncio.Future[str]) -> Retryable:
        """Nothing that Kafka says is the client's fault: retrying is right as soon as an operator mended it."""
        if isinstance(error, _STUCK) or type(error) is kafka.KafkaError:  # the latter: its sending task died
            self._give_up(broken, f"the producer is stuck: {error!r}")
        if isinstance(error, _TOO_LARGE):
            return Retryable(
                "the brokers refuse batches of producer.max_message_bytes; lower that, or raise their message.max.bytes"
            )
        return Retryable(f"Kafka does not take the records: {error!r}")

    def _give_up(self, broken: asyncio.Future[str], reason: str) -> None:
        if not broken.done():
            broken.set_result(reason)

    async def _keep_connected(self, attempted: asyncio.Future[None]) -> None:
        """Have one working producer, or none while Kafka is away."""
        wait_s = _RECONNECT_S_MIN
        while True:
            try:
                outbox = await self._connect()
            except (kafka.KafkaError, OSError, TimeoutError) as error:
                if self._away != (away := f"{error!r}"):
                    self._away = away
                    _log.warning(
                        "kafka_away",
                        brokers=list(self._config.brokers),
                        topic=self._config.topic,
                        error=away,
                        action="exporters are told to retry; look at the brokers, and at exporters.kafka",
                    )
                if not attempted.done():
                    attempted.set_result(None)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RECONNECT_S_MAX)
                continue
            wait_s = _RECONNECT_S_MIN
            self._broken = asyncio.get_running_loop().create_future()
            self._outbox = outbox
            _log.info("kafka_connected", topic=self._config.topic)
            if not attempted.done():
                attempted.set_result(None)
            self._away = await self._broken
            self._outbox = None
            self._replaced.inc()
            _log.warning(
                "kafka_producer_replaced",
                topic=self._config.topic,
                reason=self._away,
                action="nothing, once: exporters retry; if it goes on, look at the brokers' request times",
            )
            self._discard(outbox)
            while len(self._discards) >= _DISCARDS_MAX:
                await asyncio.wait(self._discards, return_when=asyncio.FIRST_COMPLETED)

    async def _connect(self) -> Outbox:
        producer_config = self._config.producer
        async with asyncio.timeout(2 * producer_config.timeout_s):
            if self._config.create_topic.create:
                await create_topic(self._options, self._config.topic, self._config.create_topic)
            producer = AIOKafkaProducer(
                **self._options,
                enable_idempotence=True,
                compression_type=None if producer_config.compression == "none" else producer_config.compression,
                max_batch_size=producer_config.max_message_bytes,
                # Also counts a record's framing, by a formula of its own; ours is the limit.
                max_request_size=2 * producer_config.max_message_bytes,
            )
            outbox = Outbox(producer, self._config.topic, producer_config.linger_ms / 1000)
            try:
                await outbox.start()
            except BaseException:
                self._discard(outbox)
                raise
        return outbox

    def _discard(self, outbox: Outbox) -> None:
        """Let go of a producer in the background: it may have to wait for its own timeouts first."""
        task = asyncio.create_task(outbox.discard())
        self._discards.add(task)
        task.add_done_callback(self._discards.discard)
