"""OTLP/JSON to the serialized protobuf request that the log wants: which JSON names there are, as tables.

OTLP/JSON is protobuf's JSON mapping with exceptions: ids are hex in either case, enums are integers only, names are
lowerCamelCase only, unknown names are ignored. 64-bit integers come as string or number, doubles also as "NaN".
A wrong type refuses the request and names its place; hex ids of a wrong length pass, the decoder judges their spans.

This walks every attribute in Python, some ten times slower than protobuf: exporters that send much use protobuf.
Must never recurse deeper than `ANY_VALUE_DEPTH_MAX` allows, nor let anything but `Permanent` out for bad input.
Source: opentelemetry-proto `docs/specification.md`, "JSON Protobuf Encoding"; protobuf.dev/programming-guides/json;
`trace.proto`, `logs.proto`, `metrics.proto` for the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from google.protobuf.message import EncodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.errors import Permanent, TooLarge
from processor.receiver.json_fields import Fields, Set, deeper, fill, repeated, scalar, scalars, submessage
from processor.receiver.json_scalars import (
    WrongType,
    read_base64,
    read_bool,
    read_double,
    read_enum,
    read_fixed32,
    read_fixed64,
    read_hex,
    read_int32,
    read_int64,
    read_string,
)
from processor.signals import Signal

CONTAINERS_MAX = 2_000_000
"""Objects and arrays in one body. An object of eight bytes takes over two hundred in memory, so a size is no bound."""

COMMAS_MAX = 8_000_000
"""The same for arrays of numbers, of which each takes 32 bytes."""


def serialized_request(body: bytes, signal: Signal) -> bytes:
    """An OTLP/JSON request of a signal as its serialized protobuf message.

    Errors: `Permanent` with the place, like `resourceSpans[0].scopeSpans[0].spans[3].traceId: expected hex`;
    `TooLarge` over `CONTAINERS_MAX` or `COMMAS_MAX`.
    """
    message, fields = _REQUESTS[signal]
    request = message()
    try:
        fill(request, _parse(body), fields, 0)
        serialized: bytes = request.SerializeToString()
    except WrongType as error:
        raise Permanent(str(error)) from None
    except EncodeError as error:
        raise Permanent(f"the request cannot be encoded as protobuf: {error}") from error
    return serialized


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


# `AnyValue` holds lists of itself: the two tables below are filled after they are known.
_ANY_VALUE: Final[dict[str, Set]] = {
    "stringValue": scalar("string_value", read_string),
    "boolValue": scalar("bool_value", read_bool),
    "intValue": scalar("int_value", read_int64),
    "doubleValue": scalar("double_value", read_double),
    "bytesValue": scalar("bytes_value", read_base64),
}
_KEY_VALUE: Final[Fields] = {"key": scalar("key", read_string), "value": submessage("value", _ANY_VALUE)}
_ANY_VALUE["arrayValue"] = deeper(submessage("array_value", {"values": repeated("values", _ANY_VALUE)}))
_ANY_VALUE["kvlistValue"] = deeper(submessage("kvlist_value", {"values": repeated("values", _KEY_VALUE)}))

_ATTRIBUTES: Final[Fields] = {
    "attributes": repeated("attributes", _KEY_VALUE),
    "droppedAttributesCount": scalar("dropped_attributes_count", read_fixed32),
}
_EVENT: Final[Fields] = {
    **_ATTRIBUTES,
    "timeUnixNano": scalar("time_unix_nano", read_fixed64),
    "name": scalar("name", read_string),
}
_LINK: Final[Fields] = {
    **_ATTRIBUTES,
    "traceId": scalar("trace_id", read_hex),
    "spanId": scalar("span_id", read_hex),
    "traceState": scalar("trace_state", read_string),
    "flags": scalar("flags", read_fixed32),
}
_STATUS: Final[Fields] = {
    "message": scalar("message", read_string),
    "code": scalar("code", read_enum),
}
_SPAN: Final[Fields] = {
    **_LINK,
    "parentSpanId": scalar("parent_span_id", read_hex),
    "name": scalar("name", read_string),
    "kind": scalar("kind", read_enum),
    "startTimeUnixNano": scalar("start_time_unix_nano", read_fixed64),
    "endTimeUnixNano": scalar("end_time_unix_nano", read_fixed64),
    "events": repeated("events", _EVENT),
    "droppedEventsCount": scalar("dropped_events_count", read_fixed32),
    "links": repeated("links", _LINK),
    "droppedLinksCount": scalar("dropped_links_count", read_fixed32),
    "status": submessage("status", _STATUS),
}
_SCOPE: Final[Fields] = {
    **_ATTRIBUTES,
    "name": scalar("name", read_string),
    "version": scalar("version", read_string),
}
_SCOPE_SPANS: Final[Fields] = {
    "scope": submessage("scope", _SCOPE),
    "spans": repeated("spans", _SPAN),
    "schemaUrl": scalar("schema_url", read_string),
}
_ENTITY_REF: Final[Fields] = {
    "schemaUrl": scalar("schema_url", read_string),
    "type": scalar("type", read_string),
    "idKeys": scalars("id_keys", read_string),
    "descriptionKeys": scalars("description_keys", read_string),
}
_RESOURCE: Final[Fields] = {**_ATTRIBUTES, "entityRefs": repeated("entity_refs", _ENTITY_REF)}
_RESOURCE_SPANS: Final[Fields] = {
    "resource": submessage("resource", _RESOURCE),
    "scopeSpans": repeated("scope_spans", _SCOPE_SPANS),
    "schemaUrl": scalar("schema_url", read_string),
}

_LOG_RECORD: Final[Fields] = {
    **_ATTRIBUTES,
    "timeUnixNano": scalar("time_unix_nano", read_fixed64),
    "observedTimeUnixNano": scalar("observed_time_unix_nano", read_fixed64),
    "severityNumber": scalar("severity_number", read_enum),
    "severityText": scalar("severity_text", read_string),
    "body": submessage("body", _ANY_VALUE),
    "flags": scalar("flags", read_fixed32),
    "traceId": scalar("trace_id", read_hex),
    "spanId": scalar("span_id", read_hex),
    "eventName": scalar("event_name", read_string),
}
_SCOPE_LOGS: Final[Fields] = {
    "scope": submessage("scope", _SCOPE),
    "logRecords": repeated("log_records", _LOG_RECORD),
    "schemaUrl": scalar("schema_url", read_string),
}
_RESOURCE_LOGS: Final[Fields] = {
    "resource": submessage("resource", _RESOURCE),
    "scopeLogs": repeated("scope_logs", _SCOPE_LOGS),
    "schemaUrl": scalar("schema_url", read_string),
}

_NUMBER: Final[Fields] = {"asDouble": scalar("as_double", read_double), "asInt": scalar("as_int", read_int64)}
_EXEMPLAR: Final[Fields] = {
    **_NUMBER,
    "filteredAttributes": repeated("filtered_attributes", _KEY_VALUE),
    "timeUnixNano": scalar("time_unix_nano", read_fixed64),
    "spanId": scalar("span_id", read_hex),
    "traceId": scalar("trace_id", read_hex),
}
_POINT: Final[Fields] = {
    "attributes": repeated("attributes", _KEY_VALUE),
    "startTimeUnixNano": scalar("start_time_unix_nano", read_fixed64),
    "timeUnixNano": scalar("time_unix_nano", read_fixed64),
    "flags": scalar("flags", read_fixed32),
}
_NUMBER_POINT: Final[Fields] = {**_POINT, **_NUMBER, "exemplars": repeated("exemplars", _EXEMPLAR)}
_DISTRIBUTION: Final[Fields] = {
    **_POINT,
    "count": scalar("count", read_fixed64),
    "sum": scalar("sum", read_double),
}
_HISTOGRAM_POINT: Final[Fields] = {
    **_DISTRIBUTION,
    "bucketCounts": scalars("bucket_counts", read_fixed64),
    "explicitBounds": scalars("explicit_bounds", read_double),
    "exemplars": repeated("exemplars", _EXEMPLAR),
    "min": scalar("min", read_double),
    "max": scalar("max", read_double),
}
_BUCKETS: Final[Fields] = {
    "offset": scalar("offset", read_int32),
    "bucketCounts": scalars("bucket_counts", read_fixed64),
}
_EXPONENTIAL_POINT: Final[Fields] = {
    **_DISTRIBUTION,
    "scale": scalar("scale", read_int32),
    "zeroCount": scalar("zero_count", read_fixed64),
    "positive": submessage("positive", _BUCKETS),
    "negative": submessage("negative", _BUCKETS),
    "exemplars": repeated("exemplars", _EXEMPLAR),
    "min": scalar("min", read_double),
    "max": scalar("max", read_double),
    "zeroThreshold": scalar("zero_threshold", read_double),
}
_QUANTILE: Final[Fields] = {"quantile": scalar("quantile", read_double), "value": scalar("value", read_double)}
_SUMMARY_POINT: Final[Fields] = {**_DISTRIBUTION, "quantileValues": repeated("quantile_values", _QUANTILE)}
_TEMPORALITY: Final[Fields] = {"aggregationTemporality": scalar("aggregation_temporality", read_enum)}
_METRIC: Final[Fields] = {
    "name": scalar("name", read_string),
    "description": scalar("description", read_string),
    "unit": scalar("unit", read_string),
    "metadata": repeated("metadata", _KEY_VALUE),
    "gauge": submessage("gauge", {"dataPoints": repeated("data_points", _NUMBER_POINT)}),
    "sum": submessage(
        "sum",
        {
            **_TEMPORALITY,
            "dataPoints": repeated("data_points", _NUMBER_POINT),
            "isMonotonic": scalar("is_monotonic", read_bool),
        },
    ),
    "histogram": submessage("histogram", {**_TEMPORALITY, "dataPoints": repeated("data_points", _HISTOGRAM_POINT)}),
    "exponentialHistogram": submessage(
        "exponential_histogram", {**_TEMPORALITY, "dataPoints": repeated("data_points", _EXPONENTIAL_POINT)}
    ),
    "summary": submessage("summary", {"dataPoints": repeated("data_points", _SUMMARY_POINT)}),
}
_SCOPE_METRICS: Final[Fields] = {
    "scope": submessage("scope", _SCOPE),
    "metrics": repeated("metrics", _METRIC),
    "schemaUrl": scalar("schema_url", read_string),
}
_RESOURCE_METRICS: Final[Fields] = {
    "resource": submessage("resource", _RESOURCE),
    "scopeMetrics": repeated("scope_metrics", _SCOPE_METRICS),
    "schemaUrl": scalar("schema_url", read_string),
}

_REQUESTS: Final[Mapping[Signal, tuple[Any, Fields]]] = {
    Signal.TRACES: (ExportTraceServiceRequest, {"resourceSpans": repeated("resource_spans", _RESOURCE_SPANS)}),
    Signal.LOGS: (ExportLogsServiceRequest, {"resourceLogs": repeated("resource_logs", _RESOURCE_LOGS)}),
    Signal.METRICS: (ExportMetricsServiceRequest, {"resourceMetrics": repeated("resource_metrics", _RESOURCE_METRICS)}),
}
