"""What a successful export is answered with: the response of its signal, empty unless something was rejected.

Source: opentelemetry-proto `trace_service.proto`, `logs_service.proto`, `metrics_service.proto`, "partial success".
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from processor.model import Receipt
from processor.signals import Signal

_RESPONSES: Final[dict[Signal, tuple[Any, str]]] = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points"),
}


def response_of(signal: Signal, receipt: Receipt) -> Message:
    """The response of the signal's service; `partial_success` is unset when nothing was rejected."""
    message, rejected = _RESPONSES[signal]
    response: Message = message()
    if receipt.rejected_spans:
        partial_success = response.partial_success  # type: ignore[attr-defined]
        setattr(partial_success, rejected, receipt.rejected_spans)
        partial_success.error_message = receipt.message
    return response
