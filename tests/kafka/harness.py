"""A producer log against a broker, a stock consumer that reads what it wrote, and gRPC clients that resend."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
import grpc.aio
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.log.kafka.config import KafkaExporterConfig, KafkaProducerConfig, KafkaTopicConfig
from processor.log.kafka.producer import KafkaProducerLog
from processor.receiver.otlp_grpc import OtlpGrpcConfig, OtlpGrpcReceiver
from processor.signals import Signal
from processor.telemetry.metrics import Metrics

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
WAIT_S = 60
"""Far longer than anything here takes; what passes it has failed."""
RETRY_S = 0.05
_POLL_S = 10


def config_for(bootstrap: str, topic: str, **changes: Any) -> KafkaExporterConfig:
    """A configuration that finds out quickly. `changes` are fields of the exporter or of its producer."""
    of_producer = {name: changes.pop(name) for name in list(changes) if name in KafkaProducerConfig.__slots__}
    defaults: dict[str, Any] = {"create_topic": KafkaTopicConfig(create=False), "metadata_refresh_s": 1.0}
    return KafkaExporterConfig(
        brokers=(bootstrap,),
        topic=topic,
        producer=KafkaProducerConfig(**{"timeout_s": 10.0, **of_producer}),
        **{**defaults, **changes},
    )


@contextlib.asynccontextmanager
async def running(config: KafkaExporterConfig, metrics: Metrics | None = None) -> AsyncIterator[KafkaProducerLog]:
    """A started log. Closed at the end, when asyncio must have had nothing to complain about."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    log = KafkaProducerLog(config, metrics or Metrics())
    await log.start()
    try:
        yield log
    finally:
        await log.close()
    gc.collect()
    assert not complaints, str(complaints)
    assert log.queued_bytes == 0


def request_of(*span_ids: bytes, trace_id: bytes = b"", filler: int = 0) -> bytes:
    """One request; each span in a trace of its own unless `trace_id` says otherwise."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "tests"
    scope = resource.scope_spans.add()
    scope.scope.name = "harness"
    for span_id in span_ids:
        scope.spans.add(trace_id=trace_id or span_id * 2, span_id=span_id, name="x" * filler)
    return request.SerializeToString()


def span_ids(count: int) -> list[bytes]:
    """Ids that were never used before."""
    return [os.urandom(8) for _ in range(count)]


@dataclass(frozen=True)
class Stored:
    """A record as a stock consumer sees it."""

    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]

    @property
    def request(self) -> ExportTraceServiceRequest:
        """As the Collector's receiver would decode it (`otlp_proto`)."""
        return ExportTraceServiceRequest.FromString(self.value)

    @property
    def span_ids(self) -> list[bytes]:
        """Of all spans."""
        return [
            span.span_id
            for resource in self.request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def read_topic(bootstrap: str, topic: str, **options: Any) -> list[Stored]:
    """Everything in a topic, by librdkafka."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "tests", "enable.partition.eof": True, "log_level": 0, **options}
    )
    try:
        partitions = consumer.list_topics(topic, timeout=WAIT_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        records, unread = [], set(partitions)
        while unread:
            message = consumer.poll(_POLL_S)
            assert message is not None, f"partitions {unread} do not end"
            if message.error() is None:
                headers = [(name, value or b"") for name, value in message.headers() or []]
                records.append(Stored(message.partition(), message.key(), message.value(), headers))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition())
            else:
                raise AssertionError(message.error())
        return records
    finally:
        consumer.close()


def stored_span_ids(records: list[Stored]) -> set[bytes]:
    """Of all spans in all records."""
    return set(itertools.chain.from_iterable(record.span_ids for record in records))


@dataclass
class Exporters:
    """Clients that send new spans over gRPC without end, each request until it is acknowledged."""

    log: KafkaProducerLog
    call: Callable[[bytes], Awaitable[bytes]]
    spans_per_request: int
    acknowledged: set[bytes] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)
    retry_delays_s: list[float] = field(default_factory=list)
    queued_bytes_max: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """One client."""
        while True:
            ids = span_ids(self.spans_per_request)
            while not await self._take(request_of(*ids)):  # noqa: ASYNC110 (exporters wait, and for nothing)
                await asyncio.sleep(RETRY_S)
            self.acknowledged.update(ids)
            self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until something that the clients do has come true."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_more(self, spans: int) -> None:
        """Until so many more spans are acknowledged."""
        goal = len(self.acknowledged) + spans
        await self.until(lambda: len(self.acknowledged) >= goal)

    async def _take(self, value: bytes) -> bool:
        try:
            await self.call(value)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            self.refusals.append(error.details() or "")
            self.retry_delays_s += _retry_delays_s(error)
            self._changed.set()
            return False
        finally:
            self.queued_bytes_max = max(self.queued_bytes_max, self.log.queued_bytes)
        return True


def _retry_delays_s(error: grpc.aio.AioRpcError) -> Iterator[float]:
    status = rpc_status.from_call(cast(Any, error))
    for detail in status.details if status else ():
        info = RetryInfo()
        if detail.Unpack(info):
            yield info.retry_delay.ToNanoseconds() / 1e9


@contextlib.asynccontextmanager
async def exporting(log: KafkaProducerLog, clients: int = 8, spans_per_request: int = 20) -> AsyncIterator[Exporters]:
    """A receiver in front of the log, and clients that keep it busy."""
    receiver = OtlpGrpcReceiver(OtlpGrpcConfig(endpoint="127.0.0.1:0"), {Signal.TRACES: log}, Metrics())
    await receiver.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{receiver.port}")
    exporters = Exporters(log, channel.unary_unary(EXPORT), spans_per_request)
    tasks = [asyncio.create_task(exporters.run()) for _ in range(clients)]
    try:
        yield exporters
        assert not [task.exception() for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await channel.close()
        await receiver.stop(grace_s=0)
