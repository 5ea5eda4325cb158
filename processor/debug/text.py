"""One OTLP request as text, in the form of the Collector's debug exporter. Pure.

Source: Collector `exporter/debugexporter` and `internal/otlptext`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from processor.signals import Signal

TITLES: Final = {Signal.TRACES: "Traces", Signal.LOGS: "Logs", Signal.METRICS: "Metrics"}

_NAMES: Final[dict[Signal, tuple[type[Message], str, str, str]]] = {
    Signal.TRACES: (ExportTraceServiceRequest, "spans", "ResourceSpans", "ResourceTraces"),
    Signal.LOGS: (ExportLogsServiceRequest, "log_records", "ResourceLog", "ResourceLog"),
    Signal.METRICS: (ExportMetricsServiceRequest, "metrics", "ResourceMetrics", "ResourceMetrics"),
}


def parsed(value: bytes, signal: Signal) -> Any:
    """The request's message. Errors: `google.protobuf.message.DecodeError`."""
    return _NAMES[signal][0].FromString(value)


def counts(request: Any, signal: Signal) -> dict[str, int]:
    """What `basic` says: resources and items, of metrics also their data points."""
    items = _NAMES[signal][1]
    resources = _resources(request, signal)
    scopes = [scope for resource in resources for scope in _scopes(resource, signal)]
    said = {f"resource_{'spans' if signal is Signal.TRACES else signal.value}": len(resources)}
    said[items] = sum(len(getattr(scope, items)) for scope in scopes)
    if signal is Signal.METRICS:
        said["data_points"] = sum(len(_points(metric)) for scope in scopes for metric in scope.metrics)
    return said


def lines(request: Any, signal: Signal, detailed: bool) -> Iterator[str]:
    """What `normal` and `detailed` say, line by line, so that nobody has to make all of it."""
    _, items, title, short = _NAMES[signal]
    for number, resource in enumerate(_resources(request, signal)):
        if detailed:
            yield f"{title} #{number}"
            yield f"Resource SchemaURL: {resource.schema_url}"
            yield from _attributes("Resource attributes:", resource.resource.attributes, "")
        else:
            yield f"{short} #{number} {resource.schema_url} {_inline(resource.resource.attributes)}".rstrip()
        for place, scope in enumerate(_scopes(resource, signal)):
            named = f"{scope.scope.name}@{scope.scope.version}".rstrip("@")
            if detailed:
                yield f"Scope{title.removeprefix('Resource')} #{place}"
                yield f"InstrumentationScope {scope.scope.name} {scope.scope.version}".rstrip()
            else:
                kind = short.removeprefix("Resource")
                yield f"Scope{kind} #{place} {named} {_inline(scope.scope.attributes)}".rstrip()
            for index, item in enumerate(getattr(scope, items)):
                yield from _detailed(item, index) if detailed else _normal(item)


def _resources(request: Any, signal: Signal) -> Any:
    return getattr(request, f"resource_{'spans' if signal is Signal.TRACES else signal.value}")


def _scopes(resource: Any, signal: Signal) -> Any:
    return getattr(resource, f"scope_{'spans' if signal is Signal.TRACES else signal.value}")


def _points(metric: Metric) -> Any:
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else ()


def _normal(item: Any) -> Iterator[str]:
    match item:
        case Span():
            yield f"{item.name} {item.trace_id.hex()} {item.span_id.hex()} {_inline(item.attributes)}".rstrip()
        case LogRecord():
            yield f"{shown(item.body)} {_inline(item.attributes)}".rstrip()
        case Metric():
            for point in _points(item):
                yield f"{item.name}{{{','.join(_pairs(point.attributes))}}} {_value(point)}"


def _detailed(item: Any, index: int) -> Iterator[str]:
    match item:
        case Span():
            yield f"Span #{index}"
            yield from _span(item)
        case LogRecord():
            yield f"LogRecord #{index}"
            yield f"ObservedTimestamp: {time_of(item.observed_time_unix_nano)}"
            yield f"Timestamp: {time_of(item.time_unix_nano)}"
            yield f"SeverityText: {item.severity_text}"
            yield f"SeverityNumber: {item.severity_number}"
            if item.event_name:
                yield f"EventName: {item.event_name}"
            yield f"Body: {_kind(item.body)}({shown(item.body)})"
            yield from _attributes("Attributes:", item.attributes, "")
            yield f"Trace ID: {item.trace_id.hex()}"
            yield f"Span ID: {item.span_id.hex()}"
            yield f"Flags: {item.flags}"
        case Metric():
            yield f"Metric #{index}"
            yield "Descriptor:"
            for name in ("name", "description", "unit"):
                yield f"     -> {name.capitalize()}: {getattr(item, name)}"
            yield f"     -> DataType: {item.WhichOneof('data')}"
            for number, point in enumerate(_points(item)):
                yield f"DataPoint #{number}"
                yield from _attributes("Data point attributes:", point.attributes, "")
                yield f"Timestamp: {time_of(point.time_unix_nano)}"
                yield f"Value: {_value(point)}"


def _span(span: Span) -> Iterator[str]:
    fields = {
        "Trace ID": span.trace_id.hex(),
        "Parent ID": span.parent_span_id.hex(),
        "ID": span.span_id.hex(),
        "Name": span.name,
        "Kind": _enum(Span.SpanKind, span.kind, "SPAN_KIND_").capitalize(),
        **({"TraceState": span.trace_state} if span.trace_state else {}),
        "Start time": time_of(span.start_time_unix_nano),
        "End time": time_of(span.end_time_unix_nano),
        "Status code": _enum(Status.StatusCode, span.status.code, "STATUS_CODE_").capitalize(),
        "Status message": span.status.message,
    }
    for name, value in fields.items():
        yield f"    {name:<15}: {value}".rstrip()
    yield from _attributes("Attributes:", span.attributes, "")
    for title, parts in (("Events:", span.events), ("Links:", span.links)):
        if parts:
            yield title
        part: Any
        for index, part in enumerate(parts):
            yield f"SpanEvent #{index}" if title == "Events:" else f"SpanLink #{index}"
            if title == "Events:":
                yield f"     -> Name: {part.name}"
                yield f"     -> Timestamp: {time_of(part.time_unix_nano)}"
            else:
                yield f"     -> Trace ID: {part.trace_id.hex()}"
                yield f"     -> ID: {part.span_id.hex()}"
            yield from _attributes("     -> Attributes:", part.attributes, "    ")


def _attributes(title: str, attributes: Iterable[KeyValue], indent: str) -> Iterator[str]:
    first = True
    for attribute in attributes:
        if first:
            yield title
            first = False
        yield f"{indent}     -> {attribute.key}: {_kind(attribute.value)}({shown(attribute.value)})"


def _pairs(attributes: Iterable[KeyValue]) -> Iterator[str]:
    return (f"{attribute.key}={shown(attribute.value)}" for attribute in attributes)


def _inline(attributes: Iterable[KeyValue]) -> str:
    return " ".join(_pairs(attributes))


_KINDS: Final = {
    None: "Empty",
    "string_value": "Str",
    "bool_value": "Bool",
    "int_value": "Int",
    "double_value": "Double",
    "array_value": "Slice",
    "kvlist_value": "Map",
    "bytes_value": "Bytes",
}


def _kind(value: AnyValue) -> str:
    return _KINDS.get(value.WhichOneof("value"), "Other")


def shown(value: AnyValue) -> str:
    """A value on one line."""
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return ""
        case "array_value":
            return f"[{', '.join(map(shown, value.array_value.values))}]"
        case "kvlist_value":
            return f"{{{', '.join(_pairs(value.kvlist_value.values))}}}"
        case "bytes_value":
            return value.bytes_value.hex()
        case "bool_value":
            return "true" if value.bool_value else "false"
        case _:
            return str(getattr(value, kind)).replace("\n", "\\n").replace("\r", "\\r")


def _value(point: Any) -> str:
    kind = point.WhichOneof("value") if "value" in point.DESCRIPTOR.oneofs_by_name else None
    if kind:
        return str(getattr(point, kind))
    return f"count={point.count} sum={point.sum}"


def _enum(kind: Any, number: int, prefix: str) -> str:
    try:
        return str(kind.Name(number)).removeprefix(prefix)
    except ValueError:
        return str(number)  # one that a newer protocol knows


def time_of(unix_ns: int) -> str:
    """A time in UTC to the nanosecond, as Go writes it; what no calendar has, as the number."""
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return str(unix_ns)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return f"{at:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"
