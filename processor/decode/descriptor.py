"""A flat view of the OTLP messages for the columnar parser.

`AnyValue` is recursive, and a recursive message has no Arrow type. Here `array_value` and `kvlist_value` are declared
`bytes`: the wire type is the same, so the parser hands over the nested message unparsed, and `decode.values` parses
the rare ones. The `oneof` stays, or an absent value and a zero could not be told apart. Fields that only profiles use
(`*_strindex`) and resource entities are left out; the parser skips what it does not know.

Source: opentelemetry-proto, `trace_service.proto`, `logs_service.proto`, `metrics_service.proto`; DESIGN, "Measured
before anything was built".
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from ptars import HandlerPool

from processor.signals import Signal

_OPAQUE = {"array_value", "kvlist_value"}
_LEFT_OUT = {"key_strindex", "string_value_strindex", "entity_refs"}
_MODULES: Final = {
    Signal.TRACES: (trace_pb2, trace_service_pb2),
    Signal.LOGS: (logs_pb2, logs_service_pb2),
    Signal.METRICS: (metrics_pb2, metrics_service_pb2),
}


def _flattened(file: FileDescriptor) -> descriptor_pb2.FileDescriptorProto:
    proto = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(proto)
    for message in proto.message_type:
        kept = [field for field in message.field if field.name not in _LEFT_OUT]
        for field in kept:
            if message.name == "AnyValue" and field.name in _OPAQUE:
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                field.ClearField("type_name")
        del message.field[:]
        message.field.extend(kept)
    return proto


def request_parser(signal: Signal) -> Any:
    """A parser of the signal's request bytes: `list_to_record_batch(list[bytes])`, one row a request.

    Errors: the parser raises `ValueError` for a malformed request without saying which of the list it was.
    """
    pool = descriptor_pool.DescriptorPool()
    messages, service = _MODULES[signal]
    for module in (common_pb2, resource_pb2, messages, service):
        pool.Add(_flattened(module.DESCRIPTOR))
    descriptor = pool.FindMessageTypeByName(f"{service.DESCRIPTOR.package}.{signal.request}")
    return HandlerPool([descriptor.file]).get_for_message(descriptor)
