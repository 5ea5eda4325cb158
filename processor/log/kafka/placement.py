"""What of a request goes to which partition: request bytes in, record values out.

Spans are placed by their trace id, so that a trace's spans from all receivers meet in one partition. A request becomes
one value a partition, or more where the size limit says so. Values are requests again: every span keeps its own bytes,
its resource and its scope, fields that nobody here knows included; headers are repeated only where they have spans.
Spans are judged by the worker, not here: an invalid trace id is placed like any other. Log records and metrics are not
placed: their requests pass through, divided only when they are too large.

Pure. The request is parsed twice: with the official messages, which is the validation and gives exact trace ids, and
flat, spans as opaque bytes (same wire type), which gives what to copy. All work on single spans is C's, in
comprehensions and numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.errors import Permanent
from processor.log.kafka.pieces import Pieces, lay_out
from processor.signals import Signal


@dataclass(frozen=True, slots=True)
class Part:
    """The value of one record, and where it goes; None is anywhere."""

    partition: int | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """What becomes of a request: `items` are in the parts, `oversize_items` fit in no record and are in none.

    Items are spans, log records or data points.
    """

    parts: Sequence[Part] = ()
    items: int = 0
    oversize_items: int = 0


_WHOLE: Final = 1


def partition_of(trace_id: bytes, partitions: int) -> int:
    """CRC-32 (zlib, IEEE 802.3) of the id's bytes, modulo the number of partitions; any length, so invalid ids too."""
    return crc32(trace_id) % partitions


def place(value: bytes, partitions: int, bytes_max: int) -> Parts:
    """Divide one request among `partitions` partitions by trace id; no part is over `bytes_max`.

    Shape: parts in the order of their partitions; within one, spans in the order of the request. A request that falls
    to one partition whole is not copied.
    Errors: `Permanent` when the bytes are no `ExportTraceServiceRequest`.
    """
    ids = [
        span.trace_id
        for resource in _parsed(value, Signal.TRACES).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    if not ids:
        return Parts()
    # Each trace is hashed once.
    of_trace = {trace_id: partition_of(trace_id, partitions) for trace_id in set(ids)}
    if len(value) <= bytes_max and len(chosen := set(of_trace.values())) == _WHOLE:
        return Parts((Part(chosen.pop(), value),), len(ids))
    return _divided(value, np.fromiter(map(of_trace.__getitem__, ids), np.intp, len(ids)), bytes_max)


def pass_through(value: bytes, bytes_max: int, signal: Signal = Signal.TRACES) -> Parts:
    """The request as it is, for any partition; divided by size alone when it is over `bytes_max`.

    Metrics are divided between metrics, not between the data points of one.
    Errors: `Permanent` when the bytes are no request of the signal.
    """
    points = _points_of(_parsed(value, signal), signal)
    if not (items := sum(points)):
        return Parts()
    if len(value) <= bytes_max:
        return Parts((Part(None, value),), items)
    divided = _divided(value, np.zeros(len(points), np.intp), bytes_max, np.array(points, np.intp))
    return replace(divided, parts=[replace(part, partition=None) for part in divided.parts])


_REQUESTS: Final[dict[Signal, Any]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}


def _parsed(value: bytes, signal: Signal) -> Any:
    try:
        return _REQUESTS[signal].FromString(value)
    except DecodeError as error:
        raise Permanent(f"not an {signal.request}: {error}; check the exporter") from error


def _points_of(request: Any, signal: Signal) -> list[int]:
    """For each span, log record or metric of a request, in order: how many items it is."""
    match signal:
        case Signal.TRACES:
            return [1 for resource in request.resource_spans for scope in resource.scope_spans for _ in scope.spans]
        case Signal.LOGS:
            return [1 for resource in request.resource_logs for scope in resource.scope_logs for _ in scope.log_records]
        case Signal.METRICS:
            return [
                len(getattr(metric, kind).data_points) if (kind := metric.WhichOneof("data")) else 0
                for resource in request.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
            ]


def _divided(
    value: bytes, partition: npt.NDArray[np.intp], bytes_max: int, points: npt.NDArray[np.intp] | None = None
) -> Parts:
    """`partition` and `points` (1 each when left out) have one entry a piece, in the order of the request."""
    pieces = Pieces.of(value)
    assert len(pieces) == len(partition), "both parsers see the same spans"
    points = np.ones(len(pieces), np.intp) if points is None else points
    order = np.argsort(partition, kind="stable")
    large = len(value) > bytes_max  # else a part, which says nothing that the request does not say, fits as well
    if large:
        order = order[(pieces.bytes_alone() <= bytes_max)[order]]
    parts = [
        Part(chosen, part) for chosen, part in lay_out(pieces, order, partition[order], bytes_max if large else None)
    ]
    kept = int(points[order].sum())
    return Parts(parts, kept, int(points.sum()) - kept)
