"""Log records on a topic of their own: as a stock Collector writes and reads it, divided, dead-lettered, rolled up."""

from __future__ import annotations

import asyncio

import httpx
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from processor.clock import now_ns
from processor.log.kafka.headers import ORIGIN_TOPIC, REASON, SIGNAL, TENANT
from processor.log.kafka.producer import KafkaProducerLog
from processor.model import Receipt
from processor.signals import Signal
from processor.telemetry.metrics import Metrics
from tests.integration.process import TIMEOUT_S
from tests.integration.test_logs import call_record, send_logs
from tests.kafka.conftest import PARTITIONS, Brokers, create_topic
from tests.kafka.deployment import Deployment
from tests.kafka.harness import Stored, config_for, read_topic
from tests.kafka.reading import committed, produce


def logs_of(*bodies: str) -> ExportLogsServiceRequest:
    """One request, a record a body."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add(schema_url="r")
    resource.resource.attributes.add(key="service.name").value.string_value = "tests"
    scope = resource.scope_logs.add()
    scope.scope.name = "kafka"
    for body in bodies:
        scope.log_records.add(time_unix_nano=now_ns()).body.string_value = body
    return request


def append(brokers: Brokers, topic: str, signal: Signal, *requests: Message, **changes: int) -> list[Receipt]:
    """Through the producer of that signal."""

    async def scenario() -> list[Receipt]:
        config = config_for(brokers.bootstrap, "spans-are-elsewhere", logs_topic=topic, metrics_topic="", **changes)
        if signal is Signal.METRICS:
            config = config_for(brokers.bootstrap, "elsewhere", logs_topic="", metrics_topic=topic, **changes)
        log = KafkaProducerLog(config.of(signal), Metrics(), signal)
        await log.start()
        try:
            return [await log.append("acme", request.SerializeToString()) for request in requests]
        finally:
            await log.close()

    return asyncio.run(scenario())


def bodies_in(records: list[Stored]) -> list[str]:
    """As the Collector's receiver would decode it (`otlp_proto`)."""
    requests = [ExportLogsServiceRequest.FromString(record.value) for record in records]
    return [
        record.body.string_value
        for request in requests
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def test_a_request_is_a_record_with_its_tenant_and_its_signal(brokers: Brokers, topic: str) -> None:
    """Its bytes as they came, of both signals; nothing is claimed of traces."""
    request, metrics = logs_of("one", "two"), ExportMetricsServiceRequest()
    metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m").sum.data_points.add(as_int=1)
    assert append(brokers, topic, Signal.LOGS, request) == [Receipt(accepted_spans=2)]
    assert append(brokers, topic, Signal.METRICS, metrics) == [Receipt(accepted_spans=1)]
    found = {dict(record.headers)[SIGNAL]: record for record in read_topic(brokers.bootstrap, topic)}
    assert found[b"logs"].value == request.SerializeToString()
    assert found[b"metrics"].value == metrics.SerializeToString()
    assert found[b"logs"].headers == [(TENANT, b"acme"), (SIGNAL, b"logs")]


def test_a_large_request_is_divided_between_its_records(brokers: Brokers, topic: str) -> None:
    """Each once, under its resource and scope; one that fits in no record is a partial success."""
    bodies = [f"{number} " + "x" * 900 for number in range(40)]
    request = logs_of(*bodies, "y" * 20_000)
    (receipt,) = append(brokers, topic, Signal.LOGS, request, max_message_bytes=10_000)
    assert (receipt.accepted_spans, receipt.rejected_spans) == (40, 1)
    assert receipt.message.startswith("log records that fit in no record of 10000 bytes")
    records = read_topic(brokers.bootstrap, topic)
    assert len(records) > 3
    assert all(len(record.value) <= 10_000 for record in records)
    assert sorted(bodies_in(records)) == sorted(bodies)
    for record in records:
        (resource,) = ExportLogsServiceRequest.FromString(record.value).resource_logs
        assert (resource.schema_url, resource.scope_logs[0].scope.name) == ("r", "kafka")


def test_log_records_through_receiver_and_worker(deployment: Deployment) -> None:
    """Ours and a foreign producer's; calls show in their session; what is malformed is a dead letter that names its
    topic; offsets are committed in the group of the signal.
    """
    topic = f"{deployment.topic}-logs"
    create_topic(deployment.bootstrap, topic)
    receiver = deployment.receiver(TEST_LOGS_TOPIC=topic)
    deployment.worker(TEST_LOGS_TOPIC=topic)
    send_logs(receiver, *(call_record(number, "kafka") for number in range(4)))
    produce(deployment.bootstrap, topic, logs_of("foreign").SerializeToString(), partition=1)
    produce(deployment.bootstrap, topic, b"garbage", partition=2)
    produce(deployment.bootstrap, topic, b"spans", headers=[(SIGNAL, b"traces")], partition=3)
    deployment.wait(lambda: deployment.number("SELECT count() FROM {database}.otel_logs FINAL") == 5)
    tokens = "SELECT sum(total_tokens) FROM {database}.sessions WHERE session_id = 'kafka'"
    deployment.wait(lambda: deployment.number(tokens) == 4 * 15)
    group = f"of-{deployment.topic}.logs"
    ends = {record.partition for record in read_topic(deployment.bootstrap, topic)}

    def all_committed() -> bool:
        offsets = committed(deployment.bootstrap, group, topic, PARTITIONS)
        return all(offsets[partition] > 0 for partition in ends)

    deployment.wait(all_committed)
    (letter,) = read_topic(deployment.bootstrap, f"{deployment.topic}.dlq")
    said = dict(letter.headers)
    assert (letter.value, said[ORIGIN_TOPIC]) == (b"garbage", topic.encode())
    assert said[REASON].startswith(b"malformed ExportLogsServiceRequest")
    ready = httpx.get(f"{receiver.url('health_check')}/ready", timeout=TIMEOUT_S)
    assert ready.status_code == 200
    deployment.stop()
