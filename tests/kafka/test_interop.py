"""What is on the wire, both ways with a stock Collector: its `kafkaexporter`'s records to our reader, ours to its
`kafkareceiver`, both with encoding `otlp_proto`.

Source: shared OTLP facts, "Kafka, both ways with a stock Collector". librdkafka stands for the Collector's client, the
official messages for its decoder.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import Any, get_args

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.decode.otlp import Decoder
from processor.decode.verdicts import Admission
from processor.log.kafka.config import Compression
from processor.log.kafka.record import KafkaRecord
from processor.model import DEFAULT_TENANT, Receipt
from tests.kafka.conftest import Brokers
from tests.kafka.harness import config_for, read_topic, running, span_ids
from tests.kafka.reading import produce, reader_config, reading

COMPRESSIONS = get_args(Compression)
FOREIGN_HEADERS = [("x-scope-orgid", b"team-7"), ("empty", b""), ("null", None), ("x-scope-orgid", b"\xff")]


def trace_of(spans: int) -> ExportTraceServiceRequest:
    """One trace of one service, with an attribute of each kind, an event and a link."""
    now_ns = time.time_ns()
    ids = span_ids(spans)
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.30.0")
    resource.resource.attributes.add(key="service.name").value.string_value = "größe"
    scope = resource.scope_spans.add()
    scope.scope.name = "interop"
    for number, span_id in enumerate(ids):
        span = scope.spans.add(trace_id=ids[0] * 2, span_id=span_id, name=f"span {number}", kind=2)
        span.parent_span_id = ids[0] if number else b""
        span.start_time_unix_nano, span.end_time_unix_nano = now_ns - 1000 * number, now_ns
        span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = number
        span.attributes.add(key="ok").value.bool_value = False
        span.attributes.add(key="list").value.array_value.values.add().double_value = 0.5
        span.events.add(time_unix_nano=now_ns, name="event")
        span.links.add(trace_id=ids[0] * 2, span_id=span_id)
    return request


def decoded(values: list[bytes]) -> list[tuple[dict[str, Any], Any]]:
    """All spans with the attributes of their resource, by span id, as the worker decodes them."""
    found = Decoder(Admission()).decode(values, time.time_ns())
    assert all(isinstance(outcome, Receipt) and not outcome.rejected_spans for outcome in found.outcomes)
    resources = found.spans.resources.field("resource").to_pylist()
    spans = zip(found.spans.spans.to_pylist(), (resources[row] for row in found.spans.resource), strict=True)
    return sorted(spans, key=lambda one: bytes(one[0]["span_id"]))


def read_by_us(brokers: Brokers, topic: str, count: int) -> list[KafkaRecord]:
    """So many records, by our reader."""

    async def scenario() -> list[KafkaRecord]:
        async with reading(reader_config(brokers.bootstrap, topic)) as one:
            return await one.read(count)

    return asyncio.run(scenario())


def hex_key(trace: ExportTraceServiceRequest) -> bytes:
    """As `partition_traces_by_id` of the exporter writes it."""
    return trace.resource_spans[0].scope_spans[0].spans[0].trace_id.hex().encode()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_stock_exporters_records_decode_to_its_spans(brokers: Brokers, topic: str, compression: str) -> None:
    """Every codec; key nil, the trace id in hex or its bytes; with headers of its own or none of anybody's."""
    write = functools.partial(produce, brokers.bootstrap, topic, **{"compression.type": compression})
    traces = [trace_of(20) for _ in range(30)]
    values = [trace.SerializeToString() for trace in traces]
    write(*values[:10])
    for trace, value in zip(traces[10:20], values[10:20], strict=True):
        write(value, key=hex_key(trace), partition=-1, headers=FOREIGN_HEADERS)
    for trace, value in zip(traces[20:], values[20:], strict=True):
        write(value, key=bytes.fromhex(hex_key(trace).decode()), partition=-1)
    records = read_by_us(brokers, topic, len(values))
    assert decoded([record.value for record in records]) == decoded(values)
    assert {record.tenant for record in records} == {DEFAULT_TENANT}
    assert not any(record.has_whole_traces for record in records)
    keys = {record.value: record.key for record in records}
    assert [keys[value] for value in values[:10]] == [None] * 10
    assert [keys[value] for value in values[10:20]] == list(map(hex_key, traces[10:20]))


def test_requests_that_were_put_behind_each_other_are_one(brokers: Brokers, topic: str) -> None:
    """Protobuf merges repeated fields: whoever concatenates bytes has merged the requests, an empty one as well."""
    values = [trace_of(5).SerializeToString() for _ in range(4)]
    produce(brokers.bootstrap, topic, b"".join([values[0], b"", *values[1:]]))
    (record,) = read_by_us(brokers, topic, 1)
    assert decoded([record.value]) == decoded(values)


@pytest.mark.parametrize("by_trace", [True, False])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_stock_receiver_reads_what_we_write(brokers: Brokers, topic: str, compression: str, by_trace: bool) -> None:
    """Every codec, requests that share batches: placed by trace, the same spans; passed through, the same bytes."""
    traces = [trace_of(8) for _ in range(200)]
    values = [
        b"".join(trace.SerializeToString() for trace in traces[first : first + 10]) for first in range(0, 200, 10)
    ]

    async def scenario() -> None:
        config = config_for(brokers.bootstrap, topic, compression=compression, partition_traces_by_id=by_trace)
        async with running(config) as log:
            receipts = await asyncio.gather(*(log.append("acme", value) for value in values))
            assert {receipt.accepted_spans for receipt in receipts} == {80}

    asyncio.run(scenario())
    records = read_topic(brokers.bootstrap, topic)
    assert {record.key for record in records} == {None}
    sent = [resource for trace in traces for resource in trace.resource_spans]
    read = [resource for record in records for resource in record.request.resource_spans]
    assert sorted(map(_text, read)) == sorted(map(_text, sent))
    if by_trace:
        assert len(records) > len(values)
    else:
        assert sorted(record.value for record in records) == sorted(values)


def _text(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))
