"""Which spans of a request go to which partition: request bytes in, record values out.

Spans are placed by their trace id, so that a trace's spans from all receivers meet in one partition. A request becomes
one value a partition, or more where the size limit says so. Values are again `ExportTraceServiceRequest`s: every span
keeps its own bytes, its resource and its scope, fields that nobody here knows included; headers are repeated only
where they have spans. Spans are judged by the worker, not here: an invalid trace id is placed like any other.

Pure. The request is parsed twice: with the official messages, which is the validation and gives exact trace ids, and
flat, spans as opaque bytes (same wire type), which gives what to copy. All work on single spans is C's, in
comprehensions and numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.errors import Permanent
from processor.log.kafka.pieces import Pieces, lay_out


@dataclass(frozen=True, slots=True)
class Part:
    """The value of one record, and where it goes; None is anywhere."""

    partition: int | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """What becomes of a request: `spans` are in the parts, `oversize_spans` fit in no record and are in none."""

    parts: Sequence[Part] = ()
    spans: int = 0
    oversize_spans: int = 0


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
        for resource in _parsed(value).resource_spans
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


def pass_through(value: bytes, bytes_max: int) -> Parts:
    """The request as it is, for any partition; divided by size alone when it is over `bytes_max`.

    Errors: `Permanent` when the bytes are no `ExportTraceServiceRequest`.
    """
    spans = sum(len(scope.spans) for resource in _parsed(value).resource_spans for scope in resource.scope_spans)
    if not spans:
        return Parts()
    if len(value) <= bytes_max:
        return Parts((Part(None, value),), spans)
    divided = _divided(value, np.zeros(spans, np.intp), bytes_max)
    return replace(divided, parts=[replace(part, partition=None) for part in divided.parts])


def _parsed(value: bytes) -> ExportTraceServiceRequest:
    try:
        return ExportTraceServiceRequest.FromString(value)
    except DecodeError as error:
        raise Permanent(f"not an ExportTraceServiceRequest: {error}; check the exporter") from error


def _divided(value: bytes, partition: npt.NDArray[np.intp], bytes_max: int) -> Parts:
    """`partition` has one entry a span, in the order of the request."""
    pieces = Pieces.of(value)
    assert len(pieces) == len(partition), "both parsers see the same spans"
    order = np.argsort(partition, kind="stable")
    large = len(value) > bytes_max  # else a part, which says nothing that the request does not say, fits as well
    if large:
        order = order[(pieces.bytes_alone() <= bytes_max)[order]]
    parts = [
        Part(chosen, part) for chosen, part in lay_out(pieces, order, partition[order], bytes_max if large else None)
    ]
    return Parts(parts, len(order), len(partition) - len(order))
