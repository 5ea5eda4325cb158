"""Which requests are our own spans, so that telling about them does not make more of them.

A processor may send its spans to itself: the spans of a batch of those would be the next batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

SERVICE_NAME: Final = "otel-sessions"
"""`service.name` of what this process tells about itself."""

_HEAD_BYTES: Final = 4096  # exporters write the resource before the spans


def is_own(request: bytes) -> bool:
    """Whether a serialized export request is from a processor: its resource says so in the first 4 KiB."""
    return request.find(_PATTERN, 0, _HEAD_BYTES) >= 0


def all_own(requests: Iterable[bytes]) -> bool:
    """Whether all of them are."""
    return all(map(is_own, requests))


def _field(number: int, value: bytes) -> bytes:
    """A protobuf field of bytes shorter than 128."""
    return bytes([number << 3 | 2, len(value)]) + value


# KeyValue {key = 1, value = 2}, AnyValue {string_value = 1}
_PATTERN: Final = _field(1, b"service.name") + _field(2, _field(1, SERVICE_NAME.encode()))
