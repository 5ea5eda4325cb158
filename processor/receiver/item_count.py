"""How many items a serialized request holds, found without reading spans or log records. For `refused_…` only."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from processor.decode.outline import outline_of
from processor.errors import Permanent
from processor.signals import Signal


def count_items(value: bytes, signal: Signal) -> int | None:
    """Spans, log records or data points in one export request; None if the bytes are none."""
    if signal is Signal.METRICS:
        return _count_points(value)
    try:
        request = outline_of(value)
    except Permanent:
        return None
    return sum(len(scope.items) for resource in request.resources for scope in resource.scopes)


def _count_points(value: bytes) -> int | None:
    try:
        request = ExportMetricsServiceRequest.FromString(value)
    except DecodeError:
        return None
    return sum(
        len(getattr(metric, kind).data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if (kind := metric.WhichOneof("data"))
    )
