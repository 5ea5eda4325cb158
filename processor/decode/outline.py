"""The outline of a request: its resources and scopes, and its spans, log records or metrics as bytes.

These items are declared `bytes` where the official messages declare a message: the wire type is the same, so upb copies
each instead of building it, and what is wrong inside of one is not noticed here. Every other field is unknown to these
messages and kept with them, so that nothing is lost which nobody here knows.

One outline serves all signals: their fields have other names and the same numbers.

Pure. Source: protobuf encoding guide; opentelemetry-proto `trace.proto`, `logs.proto` and `metrics.proto` and their
services for numbers.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from processor.errors import Permanent

_REQUEST: Final = "Request"
_PACKAGE: Final = "otel_sessions.outline"
_LENGTH_DELIMITED: Final = 2

_PARTS: Final[dict[str, tuple[int, str | None]]] = {
    "resources": (1, "Resource"),
    "scopes": (2, "Scope"),
    "items": (2, None),
}
"""Repeated field: its number, and the message that it consists of; None is bytes. Each lies in the one before."""

TAGS: Final = {name: bytes([number << 3 | _LENGTH_DELIMITED]) for name, (number, _) in _PARTS.items()}
"""What stands on the wire before the length of each resource, scope and item."""


def outline_of(value: bytes) -> Any:
    """A request with `resources`, which have `scopes`, which have `items`: a list of bytes.

    Errors: `Permanent` when the bytes are no export request, as far as that shows without reading an item.
    """
    try:
        return _MESSAGE.FromString(value)
    except DecodeError as error:
        raise Permanent(f"not an export request: {error}; check the exporter") from error


def header_of(message: Any, parts: str) -> bytes:
    """All of a message of an outline but its repeated field `parts`, which is gone from the message afterwards."""
    message.ClearField(parts)
    header: bytes = message.SerializeToString()
    return header


def _build() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    message = _REQUEST
    for name, (number, part) in _PARTS.items():
        field = file.message_type.add(name=message).field.add(
            name=name, number=number, label=descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
        )
        if part is None:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        else:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
            field.type_name = f".{_PACKAGE}.{part}"
            message = part
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{_REQUEST}"))


_MESSAGE: Final[Any] = _build()
