"""OTLP/JSON against protobuf: what is read, what is ignored, what is refused and where it says so."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processor.errors import Permanent, TooLarge
from processor.receiver.json_fields import ANY_VALUE_DEPTH_MAX
from processor.receiver.otlp_json import COMMAS_MAX, CONTAINERS_MAX, serialized_request
from processor.signals import Signal

TRACE_ID = "5B8EFFF798038103D269B633813FC60C"
SPAN_ID = "eee19b7ec3c1b174"


def trace_request(body: bytes) -> bytes:
    """The signal of most tests here."""
    return serialized_request(body, Signal.TRACES)


def _request(span: Any) -> bytes:
    # The standard library writes lone surrogates and NaN, which orjson would not.
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def _span(span: Any) -> Span:
    request = ExportTraceServiceRequest.FromString(trace_request(_request(span)))
    return request.resource_spans[0].scope_spans[0].spans[0]


def _value(value: Any) -> AnyValue:
    return _span({"attributes": [{"key": "k", "value": value}]}).attributes[0].value


def _ids_to_hex(value: Any) -> Any:
    """protobuf's own JSON, with OTLP's exception for ids."""
    if isinstance(value, list):
        return [_ids_to_hex(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = ("traceId", "spanId", "parentSpanId")
    return {key: base64.b64decode(item).hex() if key in ids else _ids_to_hex(item) for key, item in value.items()}


def _full_request() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add(schema_url="r")
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "shop"
    resource_spans.resource.dropped_attributes_count = 1
    resource_spans.resource.entity_refs.add(type="service", id_keys=["a"], description_keys=["b"], schema_url="e")
    scope_spans = resource_spans.scope_spans.add(schema_url="s")
    scope_spans.scope.name, scope_spans.scope.version = "lib", "1"
    scope_spans.scope.attributes.add(key="x").value.bool_value = False
    scope_spans.scope.dropped_attributes_count = 2
    ids = {"trace_id": bytes(range(16)), "span_id": bytes(range(8)), "trace_state": "a=b", "flags": 257}
    span = scope_spans.spans.add(**ids, name="chat", kind=3, start_time_unix_nano=2**63, end_time_unix_nano=2**64 - 1)
    span.parent_span_id = bytes(range(8, 16))
    span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count = 3, 4, 2**32 - 1
    span.status.code, span.status.message = 2, "no"
    span.attributes.add(key="gen_ai.system").value.string_value = "Ω"
    span.links.add(**ids, dropped_attributes_count=5).attributes.add(key="l").value.int_value = -(2**63)
    event = span.events.add(time_unix_nano=7, name="said", dropped_attributes_count=6)
    event.attributes.add(key="bytes").value.bytes_value = b"\xff\xfe\xfd"
    event.attributes.add(key="empty").value.SetInParent()
    event.attributes.add(key="double").value.double_value = 0.1
    values = event.attributes.add(key="array").value.array_value.values
    values.add().int_value = 0
    values.add().kvlist_value.values.add(key="in").value.array_value.SetInParent()
    return request


def test_every_field_is_read() -> None:
    """A request with every field of the protocol set survives protobuf's own JSON writer and our reader."""
    request = _full_request()
    body = orjson.dumps(_ids_to_hex(MessageToDict(request, use_integers_for_enums=True)))
    assert ExportTraceServiceRequest.FromString(trace_request(body)) == request


def test_full_request_is_full() -> None:
    """The request above leaves no field of any of its messages out, so a new field of the protocol fails here."""
    seen: dict[str, set[str]] = {}
    stack: list[Any] = [_full_request()]
    while stack:
        message = stack.pop()
        names = seen.setdefault(message.DESCRIPTOR.name, set())
        for field, value in message.ListFields():
            names.add(field.name)
            if field.message_type is not None:
                stack.extend(value if field.is_repeated else [value])
    # String tables belong to the profiles signal; the trace signal must leave these unset.
    tables = {"string_value_strindex", "key_strindex"}
    missing = {
        f"{name}.{field}"
        for name, names in seen.items()
        for field in {f.name for f in _descriptor(name).fields} - names - tables
    }
    assert missing == set()


def _descriptor(name: str) -> Any:
    stack: list[Any] = [ExportTraceServiceRequest.DESCRIPTOR]
    done = set()
    while stack:
        descriptor = stack.pop()
        if descriptor.name == name:
            return descriptor
        done.add(descriptor.name)
        stack.extend(f.message_type for f in descriptor.fields if f.message_type and f.message_type.name not in done)
    raise AssertionError(name)


@pytest.mark.parametrize("body", [b"{}", b'{"resourceSpans":[]}', b'{"resourceSpans":null}', b' {"other":{"x":[1]}} '])
def test_empty(body: bytes) -> None:
    """A request without spans is the empty request."""
    assert trace_request(body) == b""


def test_ids_in_either_case() -> None:
    """Ids are hex, upper or lower case."""
    span = _span({"traceId": TRACE_ID, "spanId": SPAN_ID.upper(), "parentSpanId": ""})
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id) == (TRACE_ID.lower(), SPAN_ID, b"")


def test_ids_of_wrong_length_pass() -> None:
    """Hex of a wrong length is left to the decoder, which refuses the span and not the request."""
    assert _span({"traceId": "abcd"}).trace_id == b"\xab\xcd"


def test_snake_case_and_unknown_names_are_ignored() -> None:
    """Only lowerCamelCase names mean anything; others are skipped, whatever they hold."""
    span = _span({"trace_id": 7, "start_time_unix_nano": "x", "futureField": [[{}]], "name": "n"})
    assert span == Span(name="n")


@pytest.mark.parametrize(
    ("written", "read"), [(5, 5), ("5", 5), (5.0, 5), (2**64 - 1, 2**64 - 1), (str(2**64 - 1), 2**64 - 1)]
)
def test_integers_as_string_or_number(written: Any, read: int) -> None:
    """64-bit integers come as string or number."""
    assert _span({"startTimeUnixNano": written}).start_time_unix_nano == read


@pytest.mark.parametrize(
    ("written", "read"),
    [(1, 1.0), (1.5, 1.5), ("1.5e3", 1500.0), ("Infinity", math.inf), ("-Infinity", -math.inf), ("NaN", math.nan)],
)
def test_doubles(written: Any, read: float) -> None:
    """Doubles come as number, as string, and by name where they are not finite."""
    assert _value({"doubleValue": written}).double_value == pytest.approx(read, nan_ok=True)


@pytest.mark.parametrize("written", ["+/8=", "-_8=", "+/8", "-_8"])
def test_base64(written: str) -> None:
    """Bytes are base64, standard or URL-safe, padded or not."""
    assert _value({"bytesValue": written}).bytes_value == b"\xfb\xff"


@pytest.mark.parametrize("value", [{"boolValue": False}, {"intValue": 0}, {"stringValue": ""}, {"arrayValue": {}}])
def test_zero_values_are_present(value: Any) -> None:
    """A value that is zero is not the same as no value."""
    assert _value(value).WhichOneof("value") is not None
    assert _value({}).WhichOneof("value") is None


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({"traceId": 5}, "spans[0].traceId: expected a string"),
        ({"traceId": "xyz!"}, "spans[0].traceId: expected hex digits"),
        ({"traceId": "abc"}, "spans[0].traceId: expected hex digits"),
        ({"spanId": "ab cd"}, "spans[0].spanId: expected hex digits"),
        ({"kind": "SPAN_KIND_CLIENT"}, "spans[0].kind: expected the number"),
        ({"kind": 2.5}, "spans[0].kind: expected the number"),
        ({"kind": True}, "spans[0].kind: expected the number"),
        ({"kind": 2**31}, "spans[0].kind: expected the number"),
        ({"status": {"code": "STATUS_CODE_OK"}}, "spans[0].status.code: expected the number"),
        ({"status": []}, "spans[0].status: expected an object"),
        ({"startTimeUnixNano": -1}, "spans[0].startTimeUnixNano: expected an integer from 0"),
        ({"startTimeUnixNano": 2**64}, "spans[0].startTimeUnixNano: expected an integer from 0"),
        ({"startTimeUnixNano": "1_0"}, "spans[0].startTimeUnixNano: expected an integer"),
        ({"startTimeUnixNano": "\u0661"}, "spans[0].startTimeUnixNano: expected an integer"),
        ({"startTimeUnixNano": "9" * 5000}, "spans[0].startTimeUnixNano: expected an integer"),
        ({"startTimeUnixNano": 1.5}, "spans[0].startTimeUnixNano: expected an integer"),
        ({"flags": 2**32}, "spans[0].flags: expected an integer from 0"),
        ({"name": ["a"]}, "spans[0].name: expected a string"),
        ({"attributes": {}}, "spans[0].attributes: expected an array"),
        ({"attributes": [None]}, "spans[0].attributes[0]: expected an object"),
        ({"events": [{}, {"name": 1}]}, "spans[0].events[1].name: expected a string"),
    ],
)
def test_wrong_types_say_where(span: Any, message: str) -> None:
    """A value of the wrong type refuses the request and names its place."""
    with pytest.raises(Permanent) as raised:
        trace_request(_request(span))
    assert str(raised.value).startswith(f"resourceSpans[0].scopeSpans[0].{message}")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"stringValue": 1}, "stringValue: expected a string"),
        ({"intValue": "1.5"}, "intValue: expected an integer"),
        ({"intValue": True}, "intValue: expected an integer"),
        ({"intValue": str(2**63)}, "intValue: expected an integer from"),
        ({"boolValue": "true"}, "boolValue: expected true or false"),
        ({"boolValue": 1}, "boolValue: expected true or false"),
        ({"doubleValue": "nan"}, "doubleValue: expected a number"),
        ({"doubleValue": " 1"}, "doubleValue: expected a number"),
        ({"doubleValue": False}, "doubleValue: expected a number"),
        ({"bytesValue": "a"}, "bytesValue: expected base64"),
        ({"bytesValue": "Ω==="}, "bytesValue: expected base64"),
        ({"arrayValue": {"values": [{}, {"intValue": []}]}}, "arrayValue.values[1].intValue: expected an integer"),
        ({"kvlistValue": {"values": [{"key": 1}]}}, "kvlistValue.values[0].key: expected a string"),
        (7, " expected an object"),
    ],
)
def test_wrong_attribute_values_say_where(value: Any, message: str) -> None:
    """A wrong attribute value names its place, also deep inside."""
    with pytest.raises(Permanent) as raised:
        _value(value)
    path = "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value"
    assert str(raised.value).startswith(f"{path}:{message}" if message.startswith(" ") else f"{path}.{message}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b'{"a":NaN}',
        b"{} {}",
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b"\xff\xfe{\x00}\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 2000 + b"]" * 2000,
    ],
)
def test_not_json(body: bytes) -> None:
    """What is not JSON in UTF-8, lone surrogates and endless nesting included, is refused for good."""
    for signal in Signal:
        with pytest.raises(Permanent, match="not JSON"):
            serialized_request(body, signal)


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"null", b"true"])
def test_not_an_object(body: bytes) -> None:
    """A request is a JSON object, for every signal."""
    for signal in Signal:
        with pytest.raises(Permanent, match="object"):
            serialized_request(body, signal)


def _nested(depth: int, kind: str) -> Any:
    value: Any = {"intValue": 1}
    for _ in range(depth):
        value = (
            {"arrayValue": {"values": [value]}} if kind == "array" else {"kvlistValue": {"values": [{"value": value}]}}
        )
    return value


@pytest.mark.parametrize("kind", ["array", "kvlist"])
def test_nesting_is_bounded(kind: str) -> None:
    """The deepest allowed value can be read back by protobuf, even in an event; one deeper is refused."""
    attributes = [{"key": "k", "value": _nested(ANY_VALUE_DEPTH_MAX, kind)}]
    assert _span({"events": [{"attributes": attributes}]}).events[0].attributes[0].key == "k"
    with pytest.raises(Permanent, match="nested deeper than"):
        _value(_nested(ANY_VALUE_DEPTH_MAX + 1, kind))
    with pytest.raises(Permanent, match=r"nested deeper than|not JSON"):
        _value(_nested(150, kind))


@pytest.mark.parametrize(
    ("item", "count", "what"), [(b"{},", CONTAINERS_MAX, "objects and arrays"), (b"1,", COMMAS_MAX, "commas")]
)
def test_values_are_bounded(item: bytes, count: int, what: str) -> None:
    """A body of millions of tiny values is refused before it is parsed: each would take far more memory than bytes."""
    with pytest.raises(TooLarge, match=what):
        trace_request(b'{"resourceSpans":[' + item * (count + 1) + b"{}]}")
