"""One exporter process of the demo: spans come in as JSON lines on stdin and leave as OTLP.

`python exporters.py grpc|http|json`, configured by the environment as every exporter is: OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_EXPORTER_OTLP_COMPRESSION, OTEL_SERVICE_NAME. A line is one list of spans, flushed together; the answer on stdout
is one line, `ok` when the processor has acknowledged them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import httpx
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

SpanData = dict[str, Any]
TIMEOUT_S = 30


class GivenIds(IdGenerator):
    """Ids that were agreed on beforehand, so that several processes can add to one trace."""

    def __init__(self) -> None:
        self.trace_id = 0
        self.span_id = 0

    def generate_trace_id(self) -> int:
        """The trace of the next root span."""
        return self.trace_id

    def generate_span_id(self) -> int:
        """The next span."""
        return self.span_id


class Watched(SpanExporter):
    """An exporter of the SDK that remembers whether everything was acknowledged; the SDK only logs it."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.failed = False

    def export(self, spans: Any) -> SpanExportResult:
        """Pass spans on."""
        result = self._exporter.export(spans)
        self.failed |= result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        """Pass it on."""
        self._exporter.shutdown()


class SdkSender:
    """opentelemetry-sdk, as an instrumented program uses it."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = Watched(exporter)
        self._ids = GivenIds()
        self._provider = TracerProvider(id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))

    def send(self, spans: list[SpanData]) -> bool:
        """Start and end spans at their given times, then flush."""
        for data in spans:
            self._ids.trace_id = int(data["trace_id"], 16)
            self._ids.span_id = int(data["span_id"], 16)
            span = self._provider.get_tracer("demo").start_span(
                data["name"], self._parent(data), attributes=data["attributes"], start_time=data["start_ns"]
            )
            if data["error"]:
                span.set_status(Status(StatusCode.ERROR, data["error"]))
            span.end(data["end_ns"])
        return self._provider.force_flush(TIMEOUT_S * 1000) and not self._exporter.failed

    def close(self) -> None:
        """Stop the SDK's threads."""
        self._provider.shutdown()

    def _parent(self, data: SpanData) -> Context:
        if not data["parent_id"]:
            return Context()
        parent = SpanContext(self._ids.trace_id, int(data["parent_id"], 16), True, TraceFlags(TraceFlags.SAMPLED))
        return set_span_in_context(NonRecordingSpan(parent), Context())


class JsonSender:
    """A script without an SDK: OTLP/JSON is a POST."""

    def __init__(self) -> None:
        self._client = httpx.Client(base_url=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], timeout=TIMEOUT_S)
        self._service = os.environ["OTEL_SERVICE_NAME"]

    def send(self, spans: list[SpanData]) -> bool:
        """Post spans as one request; `{}` says that all of them are taken."""
        resource = {"attributes": [{"key": "service.name", "value": _any_value(self._service)}]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [_json_span(s) for s in spans]}]}]}
        response = self._client.post("/v1/traces", json=body)
        return response.is_success and response.json() == {}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _json_span(data: SpanData) -> SpanData:
    return {
        "traceId": data["trace_id"],
        "spanId": data["span_id"],
        "parentSpanId": data["parent_id"],
        "name": data["name"],
        "startTimeUnixNano": str(data["start_ns"]),
        "endTimeUnixNano": str(data["end_ns"]),
        "attributes": [{"key": key, "value": _any_value(value)} for key, value in data["attributes"].items()],
        "status": {"code": 2, "message": data["error"]} if data["error"] else {},
    }


def _any_value(value: str | float) -> SpanData:
    if isinstance(value, str):
        return {"stringValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"doubleValue": value}


SENDERS: dict[str, Callable[[], SdkSender | JsonSender]] = {
    "grpc": lambda: SdkSender(GrpcExporter()),
    "http": lambda: SdkSender(HttpExporter()),
    "json": JsonSender,
}


def main() -> None:
    """Send line by line until stdin ends."""
    sender = SENDERS[sys.argv[1]]()
    for line in sys.stdin:
        sys.stdout.write("ok\n" if sender.send(json.loads(line)) else "failed\n")
        sys.stdout.flush()
    sender.close()


if __name__ == "__main__":
    main()
