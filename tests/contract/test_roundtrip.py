"""Every field of a span survives into `otel_traces`: request bytes in, columns of the stored row out.

What a row must say is written here from the contrib exporter's rules (`pcommon.Value.AsString`, column by column), in
plain Python over the protobuf messages. Where those rules lose something, ours hold: a NaN or an infinity stays
readable as a number, times stop at the last one that the table can hold.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from processor.log.base import Record
from processor.model import Receipt
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.worker.batch import BatchMaker
from tests.storing import insert_wide
from tests.strategies import DAY_NS, NOW_NS, any_value

pytestmark = pytest.mark.every_store

BATCHES = BatchMaker()
TENANTS = (f"example-{number}" for number in itertools.count())
TIME_NS_MAX = 2**63 - 1

KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUS_CODES = ("Unset", "Ok", "Error")

Row = dict[str, Any]


def stored(
    store: ClickHouseStore, client: Any, config: StoreConfig, request: ExportTraceServiceRequest
) -> dict[str, Row]:
    """Send a request the way the worker does, and read its rows back, whole, by span id. Times come in nanoseconds."""
    tenant = next(TENANTS)
    batch = BATCHES.make([Record(tenant, request.SerializeToString())], NOW_NS)
    spans = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
    assert batch.outcomes == [Receipt(accepted_spans=spans)]
    insert_wide(store, batch)
    result = client.query(
        f"""SELECT * REPLACE (
            toUnixTimestamp64Nano(Timestamp) AS Timestamp,
            toUnixTimestamp64Nano(EndTimestamp) AS EndTimestamp,
            arrayMap(time -> toUnixTimestamp64Nano(time), Events.Timestamp) AS `Events.Timestamp`)
        FROM {config.database}.otel_traces WHERE Tenant = %(tenant)s""",
        parameters={"tenant": tenant},
    )
    rows = {row["SpanId"]: row for row in result.named_results()}
    for row in rows.values():
        assert row.pop("Tenant") == tenant
    return rows


# --- What a row must say ---


def expected(request: ExportTraceServiceRequest) -> dict[str, Row]:
    """The rows of a request by span id; every column except the tenant."""
    return {
        span.span_id.hex(): expected_row(resource, scope, span)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


def expected_row(resource: ResourceSpans, scope: ScopeSpans, span: Span) -> Row:
    """One span with what its resource and scope say."""
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    service = [pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name"]
    return {
        "Timestamp": start_ns,
        "EndTimestamp": end_ns,
        "Duration": max(0, end_ns - start_ns),
        "TraceId": span.trace_id.hex(),
        "SpanId": span.span_id.hex(),
        "ParentSpanId": span.parent_span_id.hex(),
        "TraceState": span.trace_state,
        "SpanName": span.name,
        "SpanKind": named(KINDS, span.kind),
        "StatusCode": named(STATUS_CODES, span.status.code),
        "StatusMessage": span.status.message,
        "Flags": span.flags,
        "SpanAttributes": texts(span.attributes),
        "DroppedAttributesCount": span.dropped_attributes_count,
        "DroppedEventsCount": span.dropped_events_count,
        "DroppedLinksCount": span.dropped_links_count,
        "Events.Timestamp": [min(event.time_unix_nano, TIME_NS_MAX) for event in span.events],
        "Events.Name": [event.name for event in span.events],
        "Events.Attributes": [texts(event.attributes) for event in span.events],
        "Events.DroppedAttributesCount": [event.dropped_attributes_count for event in span.events],
        "Links.TraceId": [link.trace_id.hex() for link in span.links],
        "Links.SpanId": [link.span_id.hex() for link in span.links],
        "Links.TraceState": [link.trace_state for link in span.links],
        "Links.Attributes": [texts(link.attributes) for link in span.links],
        "Links.DroppedAttributesCount": [link.dropped_attributes_count for link in span.links],
        "Links.Flags": [link.flags for link in span.links],
        "ServiceName": service[0] if service else "",
        "ResourceAttributes": texts(resource.resource.attributes),
        "ResourceDroppedAttributesCount": resource.resource.dropped_attributes_count,
        "ResourceSchemaUrl": resource.schema_url,
        "ScopeName": scope.scope.name,
        "ScopeVersion": scope.scope.version,
        "ScopeAttributes": texts(scope.scope.attributes),
        "ScopeDroppedAttributesCount": scope.scope.dropped_attributes_count,
        "ScopeSchemaUrl": scope.schema_url,
    }


def named(names: tuple[str, ...], number: int) -> str:
    """The name of an enum value; one that OTLP does not know has none."""
    return names[number] if 0 <= number < len(names) else ""


def texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes as the map holds them; nested values in the form of `comparable`."""
    return {pair.key: as_text(pair.value) for pair in attributes}


def as_text(value: AnyValue) -> str:
    """`pcommon.Value.AsString`; of an array or a list of pairs the tree that its JSON must parse to."""
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    if kind in NESTED:
        return repr(tree(value))
    return SCALAR_TEXTS[kind](getattr(value, kind))


def number_text(number: float) -> str:
    """A double as JavaScript writes it: digits from 1e-6 to 1e21, an exponent beyond; shortest that reads back."""
    if not math.isfinite(number):
        return str(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    point = len(text) + exponent
    minus = "-" if sign else ""
    if number == 0:
        return f"{minus}0"
    if not 1e-6 <= abs(number) < 1e21:
        fraction = f".{text[1:]}" if text[1:] else ""
        return f"{minus}{text[0]}{fraction}e{point - 1:+d}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    return f"{minus}{text[:point].ljust(point, '0')}{'.' if text[point:] else ''}{text[point:]}"


def tree(value: AnyValue) -> Any:
    """A nested value as its JSON must parse: keys sorted, bytes in base64, what JSON can't say as a string."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [tree(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return dict(sorted((pair.key, tree(pair.value)) for pair in value.kvlist_value.values))
    return SCALAR_LEAVES[kind](getattr(value, kind))


def exact(number: float | str) -> Decimal:
    """A number without the choice of how to write it."""
    return Decimal(str(number)).normalize()


NESTED = ("array_value", "kvlist_value")
SCALAR_TEXTS: dict[str, Callable[[Any], str]] = {
    "string_value": str,
    "bool_value": lambda truth: str(truth).lower(),
    "int_value": str,
    "double_value": number_text,
    "bytes_value": lambda raw: base64.b64encode(raw).decode(),
}
SCALAR_LEAVES: dict[str, Callable[[Any], Any]] = {
    **SCALAR_TEXTS,
    "bool_value": bool,
    "int_value": exact,
    "double_value": lambda number: exact(number) if math.isfinite(number) else str(number),
}


def comparable(texts: dict[str, str], attributes: Iterable[KeyValue]) -> dict[str, str]:
    """A stored map with its JSON parsed, so that the spelling of a nested number does not matter."""
    nested = {pair.key for pair in attributes if pair.value.WhichOneof("value") in NESTED}
    return {
        key: repr(json.loads(text, parse_int=exact, parse_float=exact)) if key in nested else text
        for key, text in texts.items()
    }


# --- What is sent ---

TEXTS = st.one_of(st.sampled_from(["", "plain", "nul \0 inside", 'quo"te \\', "größe 会话 🧵", "<&>"]), st.text())
COUNTS = st.integers(0, 2**32 - 1)
TIMES = st.sampled_from([0, 1, NOW_NS, 2**63 - 1, 2**63, 2**64 - 1])
SCALARS = st.one_of(
    TEXTS,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.binary(max_size=12),
    st.none(),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5
)
ATTRIBUTES = st.dictionaries(TEXTS.filter(lambda key: key != "service.name"), VALUES, max_size=4).map(
    lambda pairs: [KeyValue(key=key, value=any_value(value)) for key, value in pairs.items()]
)
BARE = st.sampled_from([[], [KeyValue(key="no value at all")]])
PAIRS = st.tuples(ATTRIBUTES, BARE).map(lambda parts: [*parts[0], *parts[1]])

EVENTS = st.builds(Span.Event, name=TEXTS, time_unix_nano=TIMES, attributes=PAIRS, dropped_attributes_count=COUNTS)
LINKS = st.builds(
    Span.Link,
    trace_id=st.binary(max_size=20),
    span_id=st.binary(max_size=10),
    trace_state=TEXTS,
    attributes=PAIRS,
    dropped_attributes_count=COUNTS,
    flags=COUNTS,
)
STATUSES = st.none() | st.builds(Status, code=st.sampled_from([0, 1, 2, 3, -1]), message=TEXTS)
SCOPES = st.none() | st.builds(
    InstrumentationScope, name=TEXTS, version=TEXTS, attributes=PAIRS, dropped_attributes_count=COUNTS
)
SERVICES = st.sampled_from([[], [KeyValue(key="service.name", value=AnyValue(string_value="checkout"))]])
RESOURCES = st.none() | st.builds(
    lambda service, pairs, dropped: Resource(attributes=[*service, *pairs], dropped_attributes_count=dropped),
    SERVICES,
    PAIRS,
    COUNTS,
)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """A span with every field; its id comes later."""
    start_ns = NOW_NS - draw(st.sampled_from([0, 1, DAY_NS, 399 * DAY_NS])) + draw(st.integers(0, 10**9))
    end_ns = draw(st.sampled_from([0, start_ns - 1, start_ns, start_ns + 1, start_ns + 1_234_567_891]))
    return Span(
        trace_id=draw(st.binary(min_size=15, max_size=15)) + b"\x01",
        parent_span_id=draw(st.sampled_from([b"", b"\xff" * 8, b"\x00\x01\x02\x03\x04\x05\x06\x07"])),
        trace_state=draw(TEXTS),
        flags=draw(COUNTS),
        name=draw(TEXTS),
        kind=draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, -1])),  # type: ignore[arg-type]  # open enums take any number
        start_time_unix_nano=start_ns,
        end_time_unix_nano=end_ns,
        attributes=draw(PAIRS),
        dropped_attributes_count=draw(COUNTS),
        events=draw(st.lists(EVENTS, max_size=2)),
        dropped_events_count=draw(COUNTS),
        links=draw(st.lists(LINKS, max_size=2)),
        dropped_links_count=draw(COUNTS),
        status=draw(STATUSES),
    )


SCOPE_SPANS = st.builds(ScopeSpans, scope=SCOPES, schema_url=TEXTS, spans=st.lists(spans(), max_size=2))
RESOURCE_SPANS = st.builds(
    ResourceSpans, resource=RESOURCES, schema_url=TEXTS, scope_spans=st.lists(SCOPE_SPANS, max_size=2)
)


@st.composite
def requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    """A request whose spans have different ids."""
    request = ExportTraceServiceRequest(resource_spans=draw(st.lists(RESOURCE_SPANS, min_size=1, max_size=2)))
    numbers = itertools.count(1)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                span.span_id = next(numbers).to_bytes(8, "big")
    return request


# --- The tests ---


@settings(max_examples=100, deadline=None)
@given(request=requests())
def test_every_field_of_a_span_survives(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, request: ExportTraceServiceRequest
) -> None:
    """Every column of every row says what the span, its resource and its scope said, and there is no other column."""
    rows = stored(store, client, store_config, request)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                row = rows[span.span_id.hex()]
                del row["SessionId"]  # not a field of the span: `test_a_row_names_the_spans_own_session`
                for column, attributes in (
                    ("SpanAttributes", span.attributes),
                    ("ResourceAttributes", resource.resource.attributes),
                    ("ScopeAttributes", scope.scope.attributes),
                ):
                    row[column] = comparable(row[column], attributes)
                for column, owners in (("Events.Attributes", span.events), ("Links.Attributes", span.links)):
                    row[column] = [
                        comparable(stored_texts, owner.attributes)
                        for stored_texts, owner in zip(row[column], owners, strict=True)
                    ]
    assert rows == expected(request)


def one_span(**attributes: Any) -> ExportTraceServiceRequest:
    """A request with one span, whose attributes are these."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)
    span.start_time_unix_nano = span.end_time_unix_nano = NOW_NS
    span.attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in attributes.items())
    return request


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("as it is \0 ☃", "as it is \0 ☃"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-(2**63), "-9223372036854775808"),
        (0.0, "0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (-2.5e-7, "-2.5e-7"),
        (1e10, "10000000000"),
        (1732464000000.5, "1732464000000.5"),
        (1e21, "1e+21"),
        (math.inf, "inf"),
        (b"", ""),
        (b"\x00\xff", "AP8="),
        ([], "[]"),
        ({}, "{}"),
        ([1, "a", True, None, 2.5, [b"\x00\xff"]], '[1,"a",true,null,2.5,["AP8="]]'),
        ({"b": {"deep": ["☃", math.nan]}, "a": -1}, '{"a":-1,"b":{"deep":["☃","nan"]}}'),
    ],
    ids=repr,
)
def test_a_value_is_stored_as_the_contrib_exporter_writes_it(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, value: Any, text: str
) -> None:
    """Numbers in shortest form without an exponent up to 1e21, bytes in base64, nested values as compact JSON."""
    (row,) = stored(store, client, store_config, one_span(key=value)).values()
    assert row["SpanAttributes"] == {"key": text}


def test_a_row_names_the_spans_own_session(store: ClickHouseStore, client: Any, store_config: StoreConfig) -> None:
    """`SessionId` is the span's own session id, so that spans can be found by session without a join."""
    (row,) = stored(store, client, store_config, one_span(**{"session.id": "s-1"})).values()
    assert row["SessionId"] == "s-1"
