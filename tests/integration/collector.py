"""What a processor sends its own spans to: an OTLP/gRPC endpoint that keeps them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

WAIT_S = 120


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Listens on `port`."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.metadata: list[dict[str, Any]] = []
        self._arrived = threading.Condition()
        self.port = 0

    def Export(self, request: ExportTraceServiceRequest, context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        """The service's method."""
        with self._arrived:
            self.requests.append(request)
            self.metadata.append(dict(context.invocation_metadata()))
            self._arrived.notify_all()
        return ExportTraceServiceResponse()

    @property
    def spans(self) -> list[Span]:
        """All so far, in the order of their start."""
        found = [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def named(self, name: str) -> list[Span]:
        """Those of that name."""
        return [span for span in self.spans if span.name == name]

    def wait(self, holds: Callable[[], bool]) -> None:
        """Until it does, looking at each arrival. Errors: `AssertionError` after far longer than it takes."""
        with self._arrived:
            assert self._arrived.wait_for(holds, WAIT_S), [span.name for span in self.spans]


@contextlib.contextmanager
def collecting(credentials: grpc.ServerCredentials | None = None) -> Iterator[Collector]:
    """A collector on a free port, of TLS where it has credentials."""
    server = grpc.server(ThreadPoolExecutor(2))
    collector = Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    endpoint = "127.0.0.1:0"
    collector.port = (
        server.add_secure_port(endpoint, credentials) if credentials else server.add_insecure_port(endpoint)
    )
    server.start()
    try:
        yield collector
    finally:
        server.stop(1).wait()


def attributes_of(span: Span) -> dict[str, Any]:
    """Its attributes, as plain values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
