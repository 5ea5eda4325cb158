"""OTLP/JSON to the serialized protobuf request that the log wants.

OTLP/JSON is protobuf's JSON mapping with exceptions: ids are hex in either case, enums are integers only, names are
lowerCamelCase only, unknown names are ignored. 64-bit integers come as string or number, doubles also as "NaN".
A wrong type refuses the request and names its place; hex ids of a wrong length pass, the decoder refuses their spans.

This walks every attribute in Python, some ten times slower than protobuf: exporters that send much use protobuf.
Must never recurse deeper than `ANY_VALUE_DEPTH_MAX` allows, nor let anything but `Permanent` out for bad input.
Source: opentelemetry-proto `docs/specification.md`, "JSON Protobuf Encoding"; protobuf.dev/programming-guides/json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from google.protobuf.message import EncodeError, Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.errors import Permanent, TooLarge
from processor.receiver.json_scalars import (
    WrongType,
    read_base64,
    read_bool,
    read_double,
    read_enum,
    read_fixed32,
    read_fixed64,
    read_hex,
    read_int64,
    read_string,
)

ANY_VALUE_DEPTH_MAX = 30
"""Attribute values inside values. Three messages a level, and protobuf readers stop at 100 messages."""

CONTAINERS_MAX = 2_000_000
"""Objects and arrays in one body. An object of eight bytes takes over two hundred in memory, so a size is no bound."""

COMMAS_MAX = 8_000_000
"""The same for arrays of numbers, of which each takes 32 bytes."""

_Set = Callable[[Any, Any, int], None]
"""Sets one field of a message from a JSON value, at a depth of attribute values."""
_Fields = Mapping[str, _Set]


def trace_request(body: bytes) -> bytes:
    """An OTLP/JSON trace request as a serialized `ExportTraceServiceRequest`.

    Errors: `Permanent` with the place, like `resourceSpans[0].scopeSpans[0].spans[3].traceId: expected hex`;
    `TooLarge` over `CONTAINERS_MAX` or `COMMAS_MAX`.
    """
    request = ExportTraceServiceRequest()
    try:
        _fill(request, _parse(body), _REQUEST, 0)
        return request.SerializeToString()
    except WrongType as error:
        raise Permanent(str(error)) from None
    except EncodeError as error:
        raise Permanent(f"the request cannot be encoded as protobuf: {error}") from error


def check_object(body: bytes) -> None:
    """Refuse what is not JSON with an object at the top; for signals that are not read yet.

    Errors: `Permanent`, `TooLarge`.
    """
    if not isinstance(_parse(body), dict):
        raise Permanent("the body must be a JSON object")


def _parse(body: bytes) -> Any:
    # Those inside strings count too; a bound needs no more precision than that.
    if body.count(b"{") + body.count(b"[") > CONTAINERS_MAX:
        raise TooLarge(f"the body has more than {CONTAINERS_MAX} objects and arrays; send smaller batches")
    if body.count(b",") > COMMAS_MAX:
        raise TooLarge(f"the body has more than {COMMAS_MAX} commas; send smaller batches")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Permanent(f"the body is not JSON: {error}") from None


def _fill(message: Any, value: Any, fields: _Fields, depth: int) -> None:
    if type(value) is not dict:
        raise WrongType("expected an object")
    for key, item in value.items():
        set_field = fields.get(key)
        # null is protobuf's JSON for "not set".
        if set_field is None or item is None:
            continue
        try:
            set_field(message, item, depth)
        except WrongType as error:
            raise error.inside(key) from None


def _scalar(name: str, read: Callable[[Any], Any]) -> _Set:
    def set_field(message: Any, value: Any, _: int) -> None:
        setattr(message, name, read(value))

    return set_field


def _message(name: str, fields: _Fields) -> _Set:
    def set_field(message: Any, value: Any, depth: int) -> None:
        child: Message = getattr(message, name)
        child.SetInParent()
        _fill(child, value, fields, depth)

    return set_field


def _repeated(name: str, fields: _Fields) -> _Set:
    def set_field(message: Any, value: Any, depth: int) -> None:
        children = getattr(message, name)
        for index, item in enumerate(_array(value)):
            try:
                _fill(children.add(), item, fields, depth)
            except WrongType as error:
                raise error.inside(index) from None

    return set_field


def _strings(name: str) -> _Set:
    def set_field(message: Any, value: Any, _: int) -> None:
        children = getattr(message, name)
        for index, item in enumerate(_array(value)):
            try:
                children.append(read_string(item))
            except WrongType as error:
                raise error.inside(index) from None

    return set_field


def _array(value: Any) -> list[Any]:
    if type(value) is not list:
        raise WrongType("expected an array")
    return value


def _deeper(set_field: _Set) -> _Set:
    def set_deeper(message: Any, value: Any, depth: int) -> None:
        if depth >= ANY_VALUE_DEPTH_MAX:
            raise WrongType(f"nested deeper than {ANY_VALUE_DEPTH_MAX} attribute values")
        set_field(message, value, depth + 1)

    return set_deeper


# `AnyValue` holds lists of itself: the two tables below are filled after they are known.
_ANY_VALUE: Final[dict[str, _Set]] = {
    "stringValue": _scalar("string_value", read_string),
    "boolValue": _scalar("bool_value", read_bool),
    "intValue": _scalar("int_value", read_int64),
    "doubleValue": _scalar("double_value", read_double),
    "bytesValue": _scalar("bytes_value", read_base64),
}
_KEY_VALUE: Final[_Fields] = {"key": _scalar("key", read_string), "value": _message("value", _ANY_VALUE)}
_ANY_VALUE["arrayValue"] = _deeper(_message("array_value", {"values": _repeated("values", _ANY_VALUE)}))
_ANY_VALUE["kvlistValue"] = _deeper(_message("kvlist_value", {"values": _repeated("values", _KEY_VALUE)}))

_ATTRIBUTES: Final[_Fields] = {
    "attributes": _repeated("attributes", _KEY_VALUE),
    "droppedAttributesCount": _scalar("dropped_attributes_count", read_fixed32),
}
_EVENT: Final[_Fields] = {
    **_ATTRIBUTES,
    "timeUnixNano": _scalar("time_unix_nano", read_fixed64),
    "name": _scalar("name", read_string),
}
_LINK: Final[_Fields] = {
    **_ATTRIBUTES,
    "traceId": _scalar("trace_id", read_hex),
    "spanId": _scalar("span_id", read_hex),
    "traceState": _scalar("trace_state", read_string),
    "flags": _scalar("flags", read_fixed32),
}
_STATUS: Final[_Fields] = {
    "message": _scalar("message", read_string),
    "code": _scalar("code", read_enum),
}
_SPAN: Final[_Fields] = {
    **_LINK,
    "parentSpanId": _scalar("parent_span_id", read_hex),
    "name": _scalar("name", read_string),
    "kind": _scalar("kind", read_enum),
    "startTimeUnixNano": _scalar("start_time_unix_nano", read_fixed64),
    "endTimeUnixNano": _scalar("end_time_unix_nano", read_fixed64),
    "events": _repeated("events", _EVENT),
    "droppedEventsCount": _scalar("dropped_events_count", read_fixed32),
    "links": _repeated("links", _LINK),
    "droppedLinksCount": _scalar("dropped_links_count", read_fixed32),
    "status": _message("status", _STATUS),
}
_SCOPE: Final[_Fields] = {
    **_ATTRIBUTES,
    "name": _scalar("name", read_string),
    "version": _scalar("version", read_string),
}
_SCOPE_SPANS: Final[_Fields] = {
    "scope": _message("scope", _SCOPE),
    "spans": _repeated("spans", _SPAN),
    "schemaUrl": _scalar("schema_url", read_string),
}
_ENTITY_REF: Final[_Fields] = {
    "schemaUrl": _scalar("schema_url", read_string),
    "type": _scalar("type", read_string),
    "idKeys": _strings("id_keys"),
    "descriptionKeys": _strings("description_keys"),
}
_RESOURCE_SPANS: Final[_Fields] = {
    "resource": _message("resource", {**_ATTRIBUTES, "entityRefs": _repeated("entity_refs", _ENTITY_REF)}),
    "scopeSpans": _repeated("scope_spans", _SCOPE_SPANS),
    "schemaUrl": _scalar("schema_url", read_string),
}
_REQUEST: Final[_Fields] = {"resourceSpans": _repeated("resource_spans", _RESOURCE_SPANS)}
