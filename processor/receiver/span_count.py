"""How many spans a serialized request holds, found without reading any of them.

For the `refused_spans` metric only. The descriptor is *flat*: spans are declared `bytes` (same wire type), so upb skips
over each instead of building it, and garbage inside a span is not noticed here.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_FIELDS: Final = {"Request": (1, "Resource"), "Resource": (2, "Scope"), "Scope": (2, None)}
"""message: (field number of its repeated field, type of that field, None for bytes)"""


def count_spans(value: bytes) -> int | None:
    """Spans in one `ExportTraceServiceRequest`; None if the bytes are none."""
    try:
        request = _REQUEST.FromString(value)
    except DecodeError:
        return None
    return sum(len(scope.items) for resource in request.items for scope in resource.items)


def _build() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="span_count.proto", package="span_count", syntax="proto3")
    for name, (number, type_name) in _FIELDS.items():
        field = file.message_type.add(name=name).field.add(
            name="items", number=number, label=descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
        )
        if type_name is None:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        else:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
            field.type_name = f".span_count.{type_name}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("span_count.Request"))


_REQUEST: Final[Any] = _build()
