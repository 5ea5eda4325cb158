"""An append is answered when the brokers have every record, and a stock consumer reads the same spans."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.errors import Permanent, Retryable
from processor.log.kafka.config import KafkaTopicConfig
from processor.log.kafka.headers import SIGNAL, TENANT, is_placed
from processor.log.kafka.placement import partition_of
from processor.model import Receipt
from processor.telemetry.metrics import Metrics
from tests.kafka.conftest import PARTITIONS, Brokers
from tests.kafka.harness import config_for, read_topic, request_of, running, span_ids, stored_span_ids


def test_what_is_acknowledged_is_on_the_topic_placed_by_trace_id_and_says_so(brokers: Brokers, topic: str) -> None:
    """One record a partition, key nil, tenant, signal and a true placement in the headers, all spans inside."""
    ids = span_ids(100)

    async def scenario() -> Receipt:
        async with running(config_for(brokers.bootstrap, topic)) as log:
            return await log.append("acme", request_of(*ids))

    assert asyncio.run(scenario()) == Receipt(accepted_spans=100)
    records = read_topic(brokers.bootstrap, topic)
    assert sorted(record.partition for record in records) == list(range(PARTITIONS))
    assert stored_span_ids(records) == set(ids)
    for record in records:
        assert record.key is None
        assert dict(record.headers)[TENANT] == b"acme"
        assert dict(record.headers)[SIGNAL] == b"traces"
        assert is_placed(record.headers, record.partition, PARTITIONS)
        (resource,) = record.request.resource_spans
        assert resource.resource.attributes[0].value.string_value == "tests"
        for span in resource.scope_spans[0].spans:
            assert partition_of(span.trace_id, PARTITIONS) == record.partition


def test_without_placement_requests_arrive_as_they_were_sent(brokers: Brokers, topic: str) -> None:
    """Byte for byte, one record each, spread over the partitions, and without the claim to be placed."""
    requests = [request_of(*span_ids(10)) for _ in range(40)]

    async def scenario() -> None:
        async with running(config_for(brokers.bootstrap, topic, partition_traces_by_id=False)) as log:
            await asyncio.gather(*(log.append("acme", request) for request in requests))

    asyncio.run(scenario())
    records = read_topic(brokers.bootstrap, topic)
    assert sorted(record.value for record in records) == sorted(requests)
    assert len({record.partition for record in records}) > 1
    assert not any(is_placed(record.headers, record.partition, PARTITIONS) for record in records)
    assert {record.key for record in records} == {None}


@pytest.mark.parametrize("by_trace", [True, False])
@pytest.mark.parametrize("requests", [1, 8])
def test_a_large_request_is_divided_and_a_span_that_fits_nowhere_is_rejected(
    brokers: Brokers, topic: str, by_trace: bool, requests: int
) -> None:
    """A partial success and a metric; everything else goes through, no record over the limit."""
    limit = 20_000
    ids, oversize = [span_ids(2000) for _ in range(requests)], span_ids(2)
    metrics = Metrics()

    async def scenario() -> list[Receipt]:
        changes = {"partition_traces_by_id": by_trace, "max_message_bytes": limit}
        async with running(config_for(brokers.bootstrap, topic, **changes), metrics) as log:
            large = [request_of(*some, filler=600) + request_of(*oversize, filler=limit) for some in ids]
            return await asyncio.gather(*(log.append("acme", value) for value in large))

    for receipt in asyncio.run(scenario()):
        assert (receipt.accepted_spans, receipt.rejected_spans) == (2000, 2)
        assert "max_message_bytes" in receipt.message
    assert (
        metrics.registry.get_sample_value("otel_sessions_rejected_spans_total", {"reason": "record_too_large"})
        == 2 * requests
    )
    records = read_topic(brokers.bootstrap, topic)
    assert max(len(record.value) for record in records) <= limit
    assert stored_span_ids(records) == {span for some in ids for span in some}


def test_a_request_of_nothing_but_oversize_spans_is_a_partial_success(brokers: Brokers, topic: str) -> None:
    """Nothing is written, and the client need not resend."""

    async def scenario() -> Receipt:
        async with running(config_for(brokers.bootstrap, topic, max_message_bytes=20_000)) as log:
            return await log.append("acme", request_of(*span_ids(3), filler=30_000))

    receipt = asyncio.run(scenario())
    assert (receipt.accepted_spans, receipt.rejected_spans) == (0, 3)
    assert read_topic(brokers.bootstrap, topic) == []


@pytest.mark.parametrize("trace_id", [b"", b"\x01", b"\x02" * 17])
def test_spans_with_an_invalid_trace_id_are_forwarded(brokers: Brokers, topic: str, trace_id: bytes) -> None:
    """The worker judges them."""
    request = ExportTraceServiceRequest.FromString(request_of(*span_ids(3)))
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.trace_id = trace_id

    async def scenario() -> Receipt:
        async with running(config_for(brokers.bootstrap, topic)) as log:
            return await log.append("acme", request.SerializeToString())

    assert asyncio.run(scenario()) == Receipt(accepted_spans=3)
    (record,) = read_topic(brokers.bootstrap, topic)
    assert record.request == request


@pytest.mark.parametrize("by_trace", [True, False])
def test_bytes_that_are_no_request_never_reach_the_topic(brokers: Brokers, topic: str, by_trace: bool) -> None:
    """Permanent, large or small; a request without spans is a success and no record."""

    async def scenario() -> None:
        async with running(config_for(brokers.bootstrap, topic, partition_traces_by_id=by_trace)) as log:
            for value in (b"\xff", b"\x0a\x05abc", request_of(*span_ids(4000), filler=600)[:-1]):
                with pytest.raises(Permanent):
                    await log.append("acme", value)
            assert (
                await log.append("acme", ExportTraceServiceRequest(resource_spans=[{}]).SerializeToString())
                == Receipt()
            )

    asyncio.run(scenario())
    assert read_topic(brokers.bootstrap, topic) == []


def test_close_lets_what_is_under_way_end_and_refuses_the_rest(brokers: Brokers, topic: str) -> None:
    """Nothing that was taken is lost; close and start are safe in any order and twice."""
    ids = [span_ids(5) for _ in range(50)]

    async def scenario() -> None:
        async with running(config_for(brokers.bootstrap, topic, linger_ms=200)) as log:
            taken = [asyncio.create_task(log.append("acme", request_of(*some))) for some in ids]
            while log.queued_bytes < sum(len(request_of(*some)) for some in ids):  # noqa: ASYNC110 (the log tells nobody)
                await asyncio.sleep(0)
            await log.close()
            assert [await task for task in taken] == [Receipt(accepted_spans=5)] * len(ids)
            with pytest.raises(Retryable):
                await log.append("acme", request_of(*ids[0]))
            await log.close()
            await log.start()
            assert not log.connected

    asyncio.run(scenario())
    assert stored_span_ids(read_topic(brokers.bootstrap, topic)) == {span for some in ids for span in some}


def test_a_client_that_goes_away_takes_nothing_along(brokers: Brokers, topic: str) -> None:
    """Its wait is over, its spans are written, its bytes are given back."""
    ids = span_ids(5)

    async def scenario() -> None:
        async with running(config_for(brokers.bootstrap, topic, linger_ms=300)) as log:
            gone = asyncio.create_task(log.append("acme", request_of(*ids)))
            while not log.queued_bytes:  # noqa: ASYNC110 (the log tells nobody)
                await asyncio.sleep(0)
            await log.append("acme", request_of(*span_ids(1)))  # shares the batch, so the first one is handed over
            gone.cancel()
            await asyncio.wait([gone])

    asyncio.run(scenario())
    assert stored_span_ids(read_topic(brokers.bootstrap, topic)) >= set(ids)


def test_a_missing_topic_is_created_as_configured(
    brokers: Brokers, topic: str, real_broker: Callable[[str], None]
) -> None:
    """With so many partitions; one that exists keeps its own."""
    real_broker("topic creation")

    async def scenario() -> None:
        for name, replicas in ((topic, 1), (f"{topic}-new", 0), (f"{topic}-new", 1)):
            create = KafkaTopicConfig(create=True, partitions=7, replication_factor=replicas)
            async with running(config_for(brokers.bootstrap, name, create_topic=create)) as log:
                await log.append("acme", request_of(*span_ids(200)))

    asyncio.run(scenario())
    assert {record.partition for record in read_topic(brokers.bootstrap, topic)} == set(range(PARTITIONS))
    assert {record.partition for record in read_topic(brokers.bootstrap, f"{topic}-new")} == set(range(7))
