"""Log records and metrics through both receivers: real exporters, the same statuses as for spans, JSON, counters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from processor.errors import Overloaded, Permanent, Retryable, TooLarge
from processor.log.base import Receipt, Record
from processor.receiver.item_count import count_items
from processor.receiver.otlp_json import serialized_request
from processor.signals import Signal
from tests.contract.otlp_harness import JSON, PROTOBUF, Bench, bench

GRPC_PATHS = {
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
ITEMS = {Signal.LOGS: "log_records", Signal.METRICS: "metric_points"}
both_signals = pytest.mark.parametrize("signal", GRPC_PATHS)


def accept(signal: Signal) -> Callable[[Record], Receipt]:
    """What a worker answers to good data."""
    return lambda record: Receipt(accepted_spans=count_items(record.value, signal) or 0)


def full_logs() -> ExportLogsServiceRequest:
    """Every field of the signal's own messages set."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add(schema_url="r")
    resource.resource.attributes.add(key="service.name").value.string_value = "svc"
    resource.resource.dropped_attributes_count = 1
    scope = resource.scope_logs.add(schema_url="s")
    scope.scope.name, scope.scope.version = "lib", "1"
    record = scope.log_records.add(
        time_unix_nano=2**63, observed_time_unix_nano=2**64 - 1, severity_number=9, severity_text="INFO",
        dropped_attributes_count=3, flags=257, trace_id=bytes(range(16)), span_id=bytes(range(8)), event_name="e",
    )  # fmt: skip
    record.body.kvlist_value.values.add(key="a").value.array_value.values.add().double_value = 0.5
    record.attributes.add(key="k").value.bytes_value = b"\xff\xfe"
    scope.log_records.add(severity_number=17).body.string_value = "second"
    return request


def full_metrics() -> ExportMetricsServiceRequest:
    """Every kind of metric, with every field of its points."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add(schema_url="r")
    scope = resource.scope_metrics.add(schema_url="s")
    scope.scope.name = "lib"
    point: dict[str, Any] = {"start_time_unix_nano": 1, "time_unix_nano": 2**64 - 1, "flags": 1}
    gauge = scope.metrics.add(name="g", description="d", unit="u")
    gauge.metadata.add(key="m").value.int_value = -5
    gauge.gauge.data_points.add(as_double=-0.5, **point).attributes.add(key="k").value.bool_value = True
    total = scope.metrics.add(name="s").sum
    total.aggregation_temporality, total.is_monotonic = 2, True  # type: ignore[assignment]
    exemplar = total.data_points.add(as_int=-(2**63), **point).exemplars.add(time_unix_nano=3, as_int=4)
    exemplar.span_id, exemplar.trace_id = bytes(range(8)), bytes(range(16))
    exemplar.filtered_attributes.add(key="f").value.string_value = "x"
    histogram = scope.metrics.add(name="h").histogram
    histogram.aggregation_temporality = 1  # type: ignore[assignment]
    histogram.data_points.add(
        count=3, sum=1.5, bucket_counts=[1, 2], explicit_bounds=[0.5], min=0.0, max=1.0, **point
    ).exemplars.add(as_double=0.25)
    exponential = scope.metrics.add(name="e").exponential_histogram
    exponential.aggregation_temporality = 2  # type: ignore[assignment]
    wide = exponential.data_points.add(
        count=3, sum=1.5, scale=-3, zero_count=1, min=-1.0, max=1.0, zero_threshold=0.125, **point
    )
    wide.positive.offset = -2
    wide.positive.bucket_counts.extend([1, 2**60])
    wide.negative.offset = 2
    wide.exemplars.add(as_double=0.75)
    summary = scope.metrics.add(name="y").summary.data_points.add(count=2, sum=2.5, **point)
    summary.quantile_values.add(quantile=0.5, value=1.25)
    return request


FULL = {Signal.LOGS: full_logs, Signal.METRICS: full_metrics}


def as_json(request: Any) -> bytes:
    """OTLP's JSON of a request: protobuf's own, but ids in hex."""
    return orjson.dumps(_with_hex(MessageToDict(request, use_integers_for_enums=True), request))


def _with_hex(plain: Any, message: Any) -> Any:
    for field, value in message.ListFields():
        name = field.json_name
        if field.name in ("trace_id", "span_id"):
            plain[name] = value.hex()
        elif field.message_type is not None and field.is_repeated:
            plain[name] = [_with_hex(item, one) for item, one in zip(plain[name], value, strict=True)]
        elif field.message_type is not None:
            plain[name] = _with_hex(plain[name], value)
    return plain


@both_signals
def test_every_field_is_read_from_json(signal: Signal) -> None:
    """A full request survives protobuf's own JSON writer and our reader; a wrong type is named by its place."""
    request = FULL[signal]()
    assert type(request).FromString(serialized_request(as_json(request), signal)) == request
    outer = f"resource{signal.value.title()}"
    wrong = orjson.dumps({outer: [{f"scope{signal.value.title()}": 7}]})
    with pytest.raises(Permanent, match=rf"{outer}\[0\].scope{signal.value.title()}: expected an array"):
        serialized_request(wrong, signal)


@both_signals
def test_requests_reach_the_log_as_they_are(signal: Signal) -> None:
    """Over gRPC, and over HTTP as protobuf and as JSON; each is counted under the Collector's names."""
    request = FULL[signal]()
    items = count_items(request.SerializeToString(), signal)
    assert items == {Signal.LOGS: 2, Signal.METRICS: 5}[signal]

    async def scenario() -> None:
        async with bench(accept(signal), signals=Signal) as running:
            value = request.SerializeToString()
            assert await running.export(value, GRPC_PATHS[signal]) == b""
            for content, headers in ((value, PROTOBUF), (as_json(request), JSON)):
                response = await running.client.post(f"/v1/{signal.value}", content=content, headers=headers)
                assert (response.status_code, response.content) == (200, b"" if headers is PROTOBUF else b"{}")
            assert [type(request).FromString(record.value) for record in running.records] == [request] * 3
            name = f"otelcol_receiver_accepted_{ITEMS[signal]}_total"
            assert running.counted(name, receiver="otlp", transport="grpc") == items
            assert running.counted(name, receiver="otlp", transport="http") == 2 * items
            assert running.counted("otelcol_receiver_accepted_spans_total", receiver="otlp", transport="grpc") == 0

    asyncio.run(scenario())


@both_signals
def test_a_rejected_part_is_said_in_the_words_of_the_signal(signal: Signal) -> None:
    """Success, with the count in the field that the signal's response has for it."""
    message = {Signal.LOGS: ExportLogsServiceResponse, Signal.METRICS: ExportMetricsServiceResponse}[signal]
    field = {Signal.LOGS: "rejected_log_records", Signal.METRICS: "rejected_data_points"}[signal]

    async def scenario() -> None:
        async with bench(lambda _: Receipt(1, 1, "1 of them is odd"), signals=Signal) as running:
            value = FULL[signal]().SerializeToString()
            over_grpc = message.FromString(await running.export(value, GRPC_PATHS[signal]))
            posted = await running.client.post(f"/v1/{signal.value}", content=value, headers=PROTOBUF)
            for response in (over_grpc, message.FromString(posted.content)):
                partial = response.partial_success  # type: ignore[attr-defined]
                assert (getattr(partial, field), partial.error_message) == (1, "1 of them is odd")
            as_text = await running.client.post(f"/v1/{signal.value}", content=as_json(FULL[signal]()), headers=JSON)
            name = field.replace("_l", "L").replace("_r", "R").replace("_d", "D").replace("_p", "P")
            assert as_text.json() == {"partialSuccess": {name: "1", "errorMessage": "1 of them is odd"}}
            refused = f"otelcol_receiver_refused_{ITEMS[signal]}_total"
            assert running.counted(refused, receiver="otlp", transport="http") == 2

    asyncio.run(scenario())


@both_signals
@pytest.mark.parametrize(
    ("error", "status"),
    [(Permanent("no"), 400), (TooLarge("no"), 413), (Overloaded("busy", 3), 503), (Retryable("away"), 503)],
    ids=lambda value: type(value).__name__,
)
def test_refusals_are_those_of_spans(signal: Signal, error: Any, status: int) -> None:
    """Status, retry delay, and the refused items counted."""

    async def scenario() -> None:
        async with bench(lambda _: error, signals=Signal) as running:
            value = FULL[signal]().SerializeToString()
            response = await running.client.post(f"/v1/{signal.value}", content=value, headers=PROTOBUF)
            assert response.status_code == status
            assert Status.FromString(response.content).message == str(error)
            assert ("retry-after" in response.headers) == (status == httpx.codes.SERVICE_UNAVAILABLE)
            refused = f"otelcol_receiver_refused_{ITEMS[signal]}_total"
            assert running.counted(refused, receiver="otlp", transport="http") == count_items(value, signal)

    asyncio.run(scenario())


LOG_EXPORTERS: dict[str, Callable[[Bench], Any]] = {
    "grpc": lambda b: GrpcLogExporter(endpoint=f"http://127.0.0.1:{b.grpc.port}", insecure=True),
    "http": lambda b: HttpLogExporter(endpoint=f"http://127.0.0.1:{b.http.port}/v1/logs"),
}
METRIC_EXPORTERS: dict[str, Callable[[Bench], Any]] = {
    "grpc": lambda b: GrpcMetricExporter(endpoint=f"http://127.0.0.1:{b.grpc.port}", insecure=True),
    "http": lambda b: HttpMetricExporter(endpoint=f"http://127.0.0.1:{b.http.port}/v1/metrics"),
}


def emit_logs(exporter: Any) -> None:
    """Two records, by the SDK."""
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("tests")
    for body in ("one", {"two": [2]}):
        now = time.time_ns()
        logger.emit(LogRecord(timestamp=now, body=body, severity_number=SeverityNumber.INFO, attributes={"k": "v"}))
    provider.shutdown()


def emit_metrics(exporter: Any) -> None:
    """A counter and a histogram, by the SDK."""
    provider = MeterProvider([PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))])
    meter = provider.get_meter("tests")
    meter.create_counter("claude_code.token.usage").add(3, {"session.id": "s"})
    meter.create_histogram("h").record(0.5)
    provider.force_flush()
    provider.shutdown()


@pytest.mark.parametrize("kind", LOG_EXPORTERS)
def test_the_sdks_log_exporters(kind: str) -> None:
    """They deliver their records, text and structured."""

    async def scenario() -> None:
        async with bench(accept(Signal.LOGS), signals=Signal) as running:
            await asyncio.to_thread(emit_logs, LOG_EXPORTERS[kind](running))
            requests = [ExportLogsServiceRequest.FromString(record.value) for record in running.records]
            bodies = [
                record.body.WhichOneof("value")
                for request in requests
                for record in request.resource_logs[0].scope_logs[0].log_records
            ]
            assert bodies == ["string_value", "kvlist_value"]

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", METRIC_EXPORTERS)
def test_the_sdks_metric_exporters(kind: str) -> None:
    """They deliver their metrics."""

    async def scenario() -> None:
        async with bench(accept(Signal.METRICS), signals=Signal) as running:
            await asyncio.to_thread(emit_metrics, METRIC_EXPORTERS[kind](running))
            request = ExportMetricsServiceRequest.FromString(running.records[0].value)
            names = {metric.name for metric in request.resource_metrics[0].scope_metrics[0].metrics}
            assert names == {"claude_code.token.usage", "h"}

    asyncio.run(scenario())
