"""Brokers that die, freeze, forget and grow: clients are told to retry, nothing acknowledged is lost, all recovers.

A real broker of the test's own, gRPC clients that resend as exporters do.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from deploy.kafka.broker import Broker
from processor.errors import Overloaded, Retryable
from processor.log.kafka.headers import PLACEMENT, is_placed, placement
from processor.log.kafka.placement import partition_of
from processor.log.kafka.producer import KafkaProducerLog
from processor.model import Receipt
from processor.telemetry.metrics import Metrics
from tests.kafka.conftest import PARTITIONS, add_partitions, create_topic
from tests.kafka.harness import (
    RETRY_S,
    WAIT_S,
    config_for,
    exporting,
    read_topic,
    request_of,
    running,
    span_ids,
    stored_span_ids,
)

TOPIC = "spans"
MIB = 1024 * 1024


@pytest.fixture
def broker(own_broker: Broker) -> Broker:
    """With the topic."""
    create_topic(own_broker.bootstrap, TOPIC)
    return own_broker


def test_a_killed_broker_means_unavailable_until_it_is_back(broker: Broker) -> None:
    """kill -9 under load, twice: refusals carry a delay, memory is bounded, every acknowledged span is there."""

    async def scenario() -> set[bytes]:
        config = config_for(broker.bootstrap, TOPIC, timeout_s=2.0, in_flight_bytes_max=MIB)
        async with running(config) as log, exporting(log) as exporters:
            for _ in range(2):
                await exporters.until_more(2000)
                await asyncio.to_thread(broker.kill)
                refused = len(exporters.refusals)
                await exporters.until(lambda refused=refused: len(exporters.refusals) > refused + 20)
                await asyncio.to_thread(broker.start)
            await exporters.until_more(2000)
            assert exporters.queued_bytes_max <= MIB
            assert len(exporters.retry_delays_s) == len(exporters.refusals)
            assert min(exporters.retry_delays_s) > 0
            return exporters.acknowledged

    acknowledged = asyncio.run(scenario())
    assert acknowledged <= stored_span_ids(read_topic(broker.bootstrap, TOPIC))


def test_a_frozen_broker_is_survived(broker: Broker) -> None:
    """SIGSTOP for longer than the timeout: connections stay open and say nothing, which is found out all the same."""

    async def scenario() -> set[bytes]:
        metrics = Metrics()
        config = config_for(broker.bootstrap, TOPIC, timeout_s=1.0)
        async with running(config, metrics) as log, exporting(log) as exporters:
            await exporters.until_more(2000)
            broker.pause()
            # Refused at once, and not only after each request's own timeout.
            await exporters.until(lambda: any("Kafka is away" in refusal for refusal in exporters.refusals))
            broker.resume()
            await exporters.until_more(2000)
            assert (metrics.registry.get_sample_value("otel_sessions_kafka_producers_replaced_total") or 0) >= 1
            return exporters.acknowledged

    acknowledged = asyncio.run(scenario())
    assert acknowledged <= stored_span_ids(read_topic(broker.bootstrap, TOPIC))


def test_a_broker_that_is_not_there_yet_is_waited_for(broker: Broker) -> None:
    """`start` returns, appends are refused with the reason, and work once the broker is up."""
    broker.stop()

    async def scenario() -> Receipt:
        async with running(config_for(broker.bootstrap, TOPIC)) as log:
            assert not log.connected
            with pytest.raises(Retryable, match="Kafka is away"):
                await log.append("acme", request_of(*span_ids(1)))
            await asyncio.to_thread(broker.start)
            return await _append_until_taken(log, request_of(*span_ids(3)))

    assert asyncio.run(scenario()) == Receipt(accepted_spans=3)


def test_more_than_may_wait_is_overloaded_and_what_waited_is_written(broker: Broker) -> None:
    """The bound holds while nothing is acknowledged; a single request is always taken by an empty log."""
    ids = [span_ids(600) for _ in range(3)]
    requests = [request_of(*some, filler=600) for some in ids]

    async def scenario() -> None:
        config = config_for(broker.bootstrap, TOPIC, timeout_s=30.0, in_flight_bytes_max=MIB)
        async with running(config) as log:
            broker.pause()
            taken = [asyncio.create_task(log.append("acme", request)) for request in requests[:2]]
            async with asyncio.timeout(WAIT_S):
                while log.queued_bytes < sum(map(len, requests[:2])):  # noqa: ASYNC110 (the log tells nobody)
                    await asyncio.sleep(RETRY_S)
            with pytest.raises(Overloaded, match="in_flight_bytes_max"):
                await log.append("acme", requests[2])
            broker.resume()
            assert await asyncio.gather(*taken) == [Receipt(accepted_spans=600)] * 2
            assert log.queued_bytes == 0
            huge = request_of(*span_ids(4000), filler=600)
            assert len(huge) > MIB
            assert (await log.append("acme", huge)).accepted_spans == 4000

    asyncio.run(scenario())
    assert stored_span_ids(read_topic(broker.bootstrap, TOPIC)) >= {span for some in ids[:2] for span in some}


def test_partitions_added_under_load_are_used_and_no_record_lies_about_them(broker: Broker) -> None:
    """Each header names the count at the time; records written later are spread over all."""

    async def scenario() -> set[bytes]:
        async with running(config_for(broker.bootstrap, TOPIC)) as log, exporting(log) as exporters:
            await exporters.until_more(2000)
            await asyncio.to_thread(add_partitions, broker.bootstrap, TOPIC, 2 * PARTITIONS)
            async with asyncio.timeout(WAIT_S):
                while not await asyncio.to_thread(_all_partitions_used, broker):
                    await exporters.until_more(200)
            return exporters.acknowledged

    acknowledged = asyncio.run(scenario())
    records = read_topic(broker.bootstrap, TOPIC)
    assert acknowledged <= stored_span_ids(records)
    for record in records:
        (claim,) = [value for name, value in record.headers if name == PLACEMENT]
        count = 2 * PARTITIONS if is_placed(record.headers, record.partition, 2 * PARTITIONS) else PARTITIONS
        assert claim == placement(record.partition, count)
        for span in record.request.resource_spans[0].scope_spans[0].spans:
            assert partition_of(span.trace_id, count) == record.partition


def _all_partitions_used(broker: Broker) -> bool:
    """By their ends: reading never comes to an end beside such writers, in one process."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "tests", "log_level": 0})
    try:
        partitions = (TopicPartition(TOPIC, number) for number in range(2 * PARTITIONS))
        return all(consumer.get_watermark_offsets(one, timeout=WAIT_S)[1] > 0 for one in partitions)
    except KafkaException:
        return False  # a new partition has no leader yet
    finally:
        consumer.close()


def test_a_producer_whose_sequence_is_broken_is_replaced(broker: Broker) -> None:
    """The brokers refuse it for good (OutOfOrderSequence): the client retries and meets a new one."""
    ids = span_ids(10)

    async def scenario() -> None:
        metrics = Metrics()
        async with running(config_for(broker.bootstrap, TOPIC), metrics) as log:
            await log.append("acme", request_of(*span_ids(50)))
            numbers: Any = log._outbox._producer._txn_manager._sequence_numbers  # type: ignore[union-attr]
            for partition in list(numbers):
                numbers[partition] += 7
            with pytest.raises(Retryable, match="OutOfOrderSequence"):
                await log.append("acme", request_of(*ids))
            assert await _append_until_taken(log, request_of(*ids)) == Receipt(accepted_spans=10)
            assert metrics.registry.get_sample_value("otel_sessions_kafka_producers_replaced_total") == 1

    asyncio.run(scenario())
    assert stored_span_ids(read_topic(broker.bootstrap, TOPIC)) >= set(ids)


async def _append_until_taken(log: KafkaProducerLog, value: bytes) -> Receipt:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                return await log.append("acme", value)
            except Retryable:
                await asyncio.sleep(RETRY_S)  # as exporters do
