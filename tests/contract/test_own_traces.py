"""Our own spans on their way out: over gRPC and HTTP, with and without TLS, all of them or a share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from processor.errors import ConfigError
from processor.telemetry.metrics import Metrics
from processor.telemetry.traces import OwnTraces, TracesConfig, TracesTlsConfig
from tests.integration.collector import collecting
from tests.integration.serving import served

FAST = TracesConfig(schedule_delay_s=0.05, timeout_s=20)
OTHERS = [b"a request of others"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the collector's certificate."""
    return trustme.CA()


def names(request: ExportTraceServiceRequest) -> Iterator[str]:
    """Of all spans."""
    return (span.name for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans)


def sent(config: TracesConfig, batches: int = 1) -> Metrics:
    """Tell of some batches, to the end."""
    metrics = Metrics()
    traces = OwnTraces(config, metrics)
    traces.start()
    for _ in range(batches):
        with traces.batch("batch", OTHERS, signal="traces") as work, work.step("decode"):
            pass
    traces.stop()
    traces.stop()
    return metrics


def dropped(metrics: Metrics) -> Any:
    """Spans that were not taken."""
    return metrics.registry.get_sample_value("otel_sessions_dropped_own_spans_total")


def test_over_http_they_are_posted_to_v1_traces_with_the_headers() -> None:
    """In protobuf, and what is under way at a stop is sent."""
    posted: list[tuple[str, list[str]]] = []

    async def take(request: Request) -> Response:
        body = ExportTraceServiceRequest.FromString(await request.body())
        posted.append((request.headers["x-key"], sorted(names(body))))
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type="application/x-protobuf")

    with served(Starlette(routes=[Route("/v1/traces", take, methods=["POST"])])) as url:
        endpoint = url.removeprefix("http://")
        metrics = sent(replace(FAST, endpoint=endpoint, protocol="http/protobuf", headers=("x-key=a=b",)))
    assert [key for key, _ in posted] == ["a=b"] * len(posted)
    assert sorted(name for _, some in posted for name in some) == ["batch", "decode"]
    assert dropped(metrics) == 0


def test_over_tls_the_endpoint_must_be_who_the_authority_says(authority: trustme.CA, tmp_path: Path) -> None:
    """With its file the spans arrive; with the system's trust they are dropped and counted."""
    certificate = authority.issue_cert("localhost")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    credentials = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with collecting(credentials) as collector:
        there = replace(FAST, endpoint=f"localhost:{collector.port}")
        assert dropped(sent(replace(there, tls=TracesTlsConfig(str(ca_file))))) == 0
        assert [span.name for span in collector.spans] == ["batch", "decode"]
        assert dropped(sent(replace(there, timeout_s=0.2, tls=TracesTlsConfig()))) == 2
        assert len(collector.spans) == 2


def test_a_certificate_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Before anything is sent."""
    traces = OwnTraces(replace(FAST, tls=TracesTlsConfig(str(tmp_path / "none.pem"))), Metrics())
    with pytest.raises(ConfigError, match=r"service\.telemetry\.traces\.tls\.ca_file: can't read .*none\.pem"):
        traces.start()
    traces.stop()


def test_a_share_of_the_traces_is_sent_whole() -> None:
    """A batch that is sent has its steps; of none, nothing is sent."""
    with collecting() as collector:
        there = replace(FAST, endpoint=f"127.0.0.1:{collector.port}")
        sent(replace(there, sampling_ratio=0), 20)
        assert collector.spans == []
        sent(replace(there, sampling_ratio=0.5), 200)
        batches = collector.named("batch")
        assert 40 < len(batches) < 160
        assert {span.parent_span_id for span in collector.named("decode")} == {span.span_id for span in batches}
