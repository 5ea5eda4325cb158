"""What holds for both OTLP receivers alike: acknowledgement, refusal, metrics, life cycle, real exporters.

The log is the real in-memory one; a task in the test consumes it and decides what becomes of each record.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from processor.errors import ConfigError, Overloaded, Permanent, Retryable
from processor.log.base import Receipt, Record
from processor.model import DEFAULT_TENANT
from processor.receiver.otlp_grpc import OtlpGrpcReceiver
from processor.receiver.otlp_http import OtlpHttpReceiver
from processor.receiver.rate_limits import RateLimits, RateLimitsConfig
from processor.telemetry.metrics import Metrics
from tests.contract.otlp_harness import GRPC, HTTP, PROTOBUF, Bench, bench, request_bytes

LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


async def _grpc_response(running: Bench, value: bytes) -> ExportTraceServiceResponse:
    return ExportTraceServiceResponse.FromString(await running.export(value))


async def _http_response(running: Bench, value: bytes) -> ExportTraceServiceResponse:
    response = await running.client.post("/v1/traces", content=value, headers=PROTOBUF)
    assert (response.status_code, response.headers["content-type"]) == (200, PROTOBUF["content-type"])
    return ExportTraceServiceResponse.FromString(response.content)


async def _grpc_refusal(running: Bench, value: bytes) -> tuple[str, Status]:
    code, status = await running.refused(value)
    assert status.code == code.value[0]
    return code.name, status


async def _http_refusal(running: Bench, value: bytes) -> tuple[str, Status]:
    response = await running.client.post("/v1/traces", content=value, headers=PROTOBUF)
    status = Status.FromString(response.content)
    has_delay = any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)
    assert has_delay == ("retry-after" in response.headers)
    assert response.headers["content-type"] == PROTOBUF["content-type"]
    return str(response.status_code), status


Respond = Callable[[Bench, bytes], Coroutine[Any, Any, ExportTraceServiceResponse]]
Refuse = Callable[[Bench, bytes], Coroutine[Any, Any, tuple[str, Status]]]
both_respond = pytest.mark.parametrize(
    ("transport", "respond"), [("grpc", _grpc_response), ("http", _http_response)], ids=["grpc", "http"]
)
both_refuse = pytest.mark.parametrize(
    ("transport", "refuse"), [("grpc", _grpc_refusal), ("http", _http_refusal)], ids=["grpc", "http"]
)


def _spans(running: Bench, transport: str) -> tuple[float, float]:
    labels = {"receiver": "otlp", "transport": transport}
    accepted = running.counted("otelcol_receiver_accepted_spans_total", **labels)
    return accepted, running.counted("otelcol_receiver_refused_spans_total", **labels)


def _requests(running: Bench, transport: str, outcome: str) -> float:
    return running.counted("otel_sessions_receiver_requests_total", transport=transport, outcome=outcome)


@both_respond
def test_accepted(transport: str, respond: Respond) -> None:
    """A request is answered with the empty response, its bytes are in the log, its spans are counted."""

    async def scenario() -> None:
        async with bench() as running:
            assert await respond(running, request_bytes(3)) == ExportTraceServiceResponse()
            assert [(r.tenant, r.value) for r in running.records] == [(DEFAULT_TENANT, request_bytes(3))]
            assert _spans(running, transport) == (3, 0)
            assert _requests(running, transport, "ok") == 1

    asyncio.run(scenario())


@both_respond
def test_ok_only_after_the_log(transport: str, respond: Respond) -> None:
    """No answer is given while the log has not acknowledged the record."""

    async def scenario() -> None:
        async with bench(lambda _: None) as running:
            answer = asyncio.create_task(respond(running, request_bytes()))
            await running.wait_for_records(1)
            assert not answer.done()
            assert _requests(running, transport, "ok") == 0
            running.log.acknowledge(running.records, [Receipt(accepted_spans=3)])
            assert await answer == ExportTraceServiceResponse()

    asyncio.run(scenario())


@both_respond
def test_partial_success(transport: str, respond: Respond) -> None:
    """Spans refused for good are reported in a success, and counted as refused."""

    async def scenario() -> None:
        async with bench(lambda _: Receipt(2, 1, "1 span has no trace id")) as running:
            partial = (await respond(running, request_bytes())).partial_success
            assert (partial.rejected_spans, partial.error_message) == (1, "1 span has no trace id")
            assert _spans(running, transport) == (2, 1)
            assert _requests(running, transport, "partial") == 1

    asyncio.run(scenario())


@both_respond
@pytest.mark.parametrize("value", [b"", b"\x0a\x00", b"\x0a\x02\x12\x00"])
def test_empty_request(transport: str, respond: Respond, value: bytes) -> None:
    """A request without spans is a success without partial_success."""

    async def scenario() -> None:
        async with bench() as running:
            response = await respond(running, value)
            assert not response.HasField("partial_success")
            assert _requests(running, transport, "ok") == 1

    asyncio.run(scenario())


@both_refuse
def test_malformed(transport: str, refuse: Refuse) -> None:
    """What the consumer of the log finds malformed is refused for good, with a BadRequest detail."""

    async def scenario() -> None:
        async with bench(lambda _: Permanent("the request is not protobuf")) as running:
            code, status = await refuse(running, b"\xff\xff")
            assert code in ("INVALID_ARGUMENT", "400")
            assert status.message == "the request is not protobuf"
            assert status.details[0].Is(BadRequest.DESCRIPTOR)
            assert _spans(running, transport) == (0, 0)
            assert _requests(running, transport, "invalid") == 1

    asyncio.run(scenario())


@both_refuse
@pytest.mark.parametrize(
    ("error", "outcome", "delay_s"),
    [(Retryable("store is away"), "unavailable", 5), (Overloaded("busy", 3), "overloaded", 3)],
)
def test_retryable(transport: str, refuse: Refuse, error: Retryable, outcome: str, delay_s: int) -> None:
    """What may work later is answered UNAVAILABLE or 503 with a delay, and its spans count as refused."""

    async def scenario() -> None:
        async with bench(lambda _: error) as running:
            code, status = await refuse(running, request_bytes(3))
            info = RetryInfo()
            assert code in ("UNAVAILABLE", "503")
            assert status.details[0].Unpack(info)
            assert (status.message, info.retry_delay.seconds) == (str(error), delay_s)
            assert _spans(running, transport) == (0, 3)
            assert _requests(running, transport, outcome) == 1

    asyncio.run(scenario())


@both_refuse
def test_rate_limited(transport: str, refuse: Refuse) -> None:
    """Over a tenant's rate: RESOURCE_EXHAUSTED with RetryInfo or 429 with Retry-After, and nothing of it is kept."""

    async def scenario() -> None:
        limits = RateLimits(RateLimitsConfig(items_per_s=1, burst_s=1))
        async with bench(limits=limits) as running:
            await running.export(request_bytes(100))  # larger than the burst: passes, and is made up for
            code, status = await refuse(running, request_bytes(3))
            info = RetryInfo()
            assert code in ("RESOURCE_EXHAUSTED", "429")
            assert status.details[0].Unpack(info)
            assert 90 <= info.retry_delay.seconds <= 100
            assert "items_per_s" in status.message
            assert len(running.records) == 1
            assert _spans(running, transport)[1] == 3
            assert _requests(running, transport, "rate_limited") == 1
            refused = "otel_sessions_receiver_refused_items_total"
            assert running.counted(refused, signal="traces", outcome="rate_limited") == 3

    asyncio.run(scenario())


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_exporters_send_again_what_was_over_the_rate(transport: str) -> None:
    """The SDKs' exporters take the answer for what it says: they wait and retry, and nothing is lost."""

    async def scenario() -> None:
        limits = RateLimits(RateLimitsConfig(items_per_s=20, burst_s=0.1))
        async with bench(limits=limits) as running:
            await running.export(request_bytes(40))  # two seconds of the rate
            memory = InMemorySpanExporter()
            provider = TracerProvider()
            provider.add_span_processor(SimpleSpanProcessor(memory))
            provider.get_tracer("test").start_span("limited").end()
            exporter: SpanExporter = (
                GrpcExporter(f"127.0.0.1:{running.grpc.port}", insecure=True)
                if transport == "grpc"
                else HttpExporter(f"http://127.0.0.1:{running.http.port}/v1/traces")
            )
            result = await asyncio.to_thread(exporter.export, memory.get_finished_spans())
            await asyncio.to_thread(exporter.shutdown)
            assert result is SpanExportResult.SUCCESS
            assert len(running.records) == 2
            assert _requests(running, transport, "rate_limited") >= 1

    asyncio.run(scenario())


@both_refuse
def test_full_log(transport: str, refuse: Refuse) -> None:
    """A request that finds the log full is refused with a delay, while the one before it still waits."""

    async def scenario() -> None:
        async with bench(lambda _: None, queue_bytes_max=1000) as running:
            first = asyncio.create_task(running.export(request_bytes(1, filler=900)))
            await running.wait_for_records(1)
            code, status = await refuse(running, request_bytes(2, filler=200))
            assert code in ("UNAVAILABLE", "503")
            assert status.details[0].Is(RetryInfo.DESCRIPTOR)
            assert _spans(running, transport) == (0, 2)
            running.log.acknowledge(running.records, [Receipt(accepted_spans=1)])
            await first

    asyncio.run(scenario())


@both_refuse
def test_concurrent_requests_are_bounded(transport: str, refuse: Refuse) -> None:
    """Over max_concurrent_requests, a request is refused with a delay before its body is read."""

    async def scenario() -> None:
        limits = {
            "grpc_config": dataclasses.replace(GRPC, max_concurrent_requests=1),
            "http_config": dataclasses.replace(HTTP, max_concurrent_requests=1),
        }
        respond = _grpc_response if transport == "grpc" else _http_response
        async with bench(lambda _: None, **limits) as running:  # type: ignore[arg-type]
            first = asyncio.create_task(respond(running, request_bytes()))
            await running.wait_for_records(1)
            code, status = await refuse(running, request_bytes())
            assert code in ("UNAVAILABLE", "503")
            assert "max_concurrent_requests" in status.message
            running.log.acknowledge(running.records, [Receipt(accepted_spans=3)])
            await first
            assert len(running.records) == 1

    asyncio.run(scenario())


@both_refuse
def test_stopping_log(transport: str, refuse: Refuse) -> None:
    """A request after the log was closed is retryable: another process will take it."""

    async def scenario() -> None:
        async with bench() as running:
            await running.log.close()
            code, _ = await refuse(running, request_bytes())
            assert code in ("UNAVAILABLE", "503")

    asyncio.run(scenario())


def test_a_signal_that_is_not_carried_is_accepted_and_counted() -> None:
    """Without a log for them, logs and metrics succeed on both transports and are counted as ignored."""

    async def scenario() -> None:
        async with bench() as running:
            for path in (LOGS, METRICS):
                assert await running.export(b"anything", path) == b""
            for path in ("/v1/logs", "/v1/metrics"):
                response = await running.client.post(path, content=b"anything", headers=PROTOBUF)
                assert (response.status_code, response.content) == (200, b"")
            assert _requests(running, "grpc", "ignored") == _requests(running, "http", "ignored") == 2
            assert running.records == []

    asyncio.run(scenario())


@pytest.mark.parametrize("build", [lambda *a: OtlpGrpcReceiver(GRPC, *a), lambda *a: OtlpHttpReceiver(HTTP, *a)])
def test_life_cycle(build: Callable[..., OtlpGrpcReceiver | OtlpHttpReceiver]) -> None:
    """Stop is safe before start and twice, start twice is one start, and a stopped receiver starts again."""

    async def scenario() -> None:
        receiver = build({}, Metrics())
        assert receiver.port == 0
        await receiver.stop(0)
        await receiver.start()
        port = receiver.port
        await receiver.start()
        assert receiver.port == port
        await receiver.stop(0)
        await receiver.stop(0)
        await receiver.start()
        await receiver.stop(1)

    asyncio.run(scenario())


@pytest.mark.parametrize("endpoint", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "::1:4317", "taken"])
def test_wrong_endpoint(endpoint: str) -> None:
    """An endpoint that is no address, or taken by another receiver, is a configuration error."""

    async def scenario() -> None:
        metrics = Metrics()
        first = OtlpGrpcReceiver(GRPC, {}, metrics)
        await first.start()
        wrong = f"127.0.0.1:{first.port}" if endpoint == "taken" else endpoint
        for receiver in (
            OtlpGrpcReceiver(dataclasses.replace(GRPC, endpoint=wrong), {}, metrics),
            OtlpHttpReceiver(dataclasses.replace(HTTP, endpoint=wrong), {}, metrics),
        ):
            with pytest.raises(ConfigError, match="endpoint"):
                await receiver.start()
            await receiver.stop(0)
        await first.stop(0)

    asyncio.run(scenario())


@both_refuse
def test_stop_answers_what_is_under_way(transport: str, refuse: Refuse) -> None:
    """A request that outlives the grace is answered with something exporters retry, never with a final error."""

    async def scenario() -> None:
        async with bench(lambda _: None) as running:
            respond = _grpc_code if transport == "grpc" else _http_code
            answer = asyncio.create_task(respond(running))
            await running.wait_for_records(1)
            await asyncio.gather(running.grpc.stop(0), running.http.stop(0))
            assert await answer in ("UNAVAILABLE", "CANCELLED", "503")

    asyncio.run(scenario())


async def _grpc_code(running: Bench) -> str:
    try:
        await running.export(request_bytes())
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def _http_code(running: Bench) -> str:
    return str((await running.client.post("/v1/traces", content=request_bytes(), headers=PROTOBUF)).status_code)


EXPORTERS: dict[str, Callable[[Bench], SpanExporter]] = {
    "grpc": lambda b: GrpcExporter(f"http://127.0.0.1:{b.grpc.port}", insecure=True),
    "grpc gzip": lambda b: GrpcExporter(
        f"http://127.0.0.1:{b.grpc.port}", insecure=True, compression=grpc.Compression.Gzip
    ),
    "http": lambda b: HttpExporter(f"http://127.0.0.1:{b.http.port}/v1/traces"),
    "http gzip": lambda b: HttpExporter(f"http://127.0.0.1:{b.http.port}/v1/traces", compression=Compression.Gzip),
    "http deflate": lambda b: HttpExporter(
        f"http://127.0.0.1:{b.http.port}/v1/traces", compression=Compression.Deflate
    ),
}


def _export(exporter: SpanExporter) -> SpanExportResult:
    collected = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(collected))
    with provider.get_tracer("test").start_as_current_span("outer"), provider.get_tracer("test").start_span("inner"):
        pass
    try:
        return exporter.export(collected.get_finished_spans())
    finally:
        exporter.shutdown()
        provider.shutdown()


@pytest.mark.parametrize("kind", EXPORTERS)
def test_sdk_exporters(kind: str) -> None:
    """The exporters of the OpenTelemetry SDK deliver their spans, compressed or not."""

    async def scenario() -> None:
        async with bench() as running:
            result = await asyncio.to_thread(_export, EXPORTERS[kind](running))
            assert result is SpanExportResult.SUCCESS
            request = ExportTraceServiceRequest.FromString(running.records[0].value)
            spans = request.resource_spans[0].scope_spans[0].spans
            assert {span.name for span in spans} == {"outer", "inner"}

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", EXPORTERS)
def test_sdk_exporters_retry(kind: str) -> None:
    """The exporters of the OpenTelemetry SDK come back after the delay of an overload, and succeed then."""
    outcomes = [Overloaded("busy", 1), Receipt(accepted_spans=2)]

    def next_outcome(_: Record) -> Receipt | Overloaded:
        return outcomes.pop(0)

    async def scenario() -> None:
        async with bench(next_outcome) as running:
            assert await asyncio.to_thread(_export, EXPORTERS[kind](running)) is SpanExportResult.SUCCESS
            assert [record.value for record in running.records] == [running.records[0].value] * 2

    asyncio.run(scenario())


def test_a_client_that_goes_away_leaves_its_record() -> None:
    """A cancelled call frees its place at once; its record stays in the log and is stored."""

    async def scenario() -> None:
        one = dataclasses.replace(GRPC, max_concurrent_requests=1)
        async with bench(lambda _: None, grpc_config=one) as running:
            call = asyncio.create_task(running.export(request_bytes()))
            await running.wait_for_records(1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            while _requests(running, "grpc", "cancelled") == 0:  # noqa: ASYNC110 (a counter has no event)
                await asyncio.sleep(0)
            again = asyncio.create_task(running.export(request_bytes(1)))
            await running.wait_for_records(2)
            running.log.acknowledge(running.records, [Receipt(3), Receipt(1)])
            assert await again == b""

    asyncio.run(scenario())


def test_gzip_over_both() -> None:
    """A gzipped request arrives as the same bytes over both transports."""

    async def scenario() -> None:
        async with bench() as running:
            value = request_bytes(50, filler=100)
            await running.export(value, compression=grpc.Compression.Gzip)
            headers = {**PROTOBUF, "content-encoding": "gzip"}
            response = await running.client.post("/v1/traces", content=gzip.compress(value), headers=headers)
            assert response.status_code == httpx.codes.OK
            assert [record.value for record in running.records] == [value, value]

    asyncio.run(scenario())
