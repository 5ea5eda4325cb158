"""Decoded spans to rows of `otel_traces`: every field of every span, in the contrib exporter's columns and ours.

Pure and vectorized. Ids become lowercase hex, times `timestamp[ns]`, attributes `map<string, string>`.

Source: contrib `clickhouseexporter` (column names, enum spellings); `store/sql/001_otel_traces.sql`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.attribute_limits import NO_LIMITS, AttributeLimits, counted, limited
from processor.decode.columns import hex_strings, list_owners
from processor.decode.otlp import DecodedSpans
from processor.decode.values import Attributes

_KINDS: Final = pa.array(["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer", ""])
_STATUS_CODES: Final = pa.array(["Unset", "Ok", "Error", ""])
_TIMESTAMP: Final = pa.timestamp("ns")
_TIME_NS_MAX: Final = np.uint64(2**63 - 1)


def otel_traces(
    decoded: DecodedSpans,
    tenants: pa.StringArray,
    services: Any,
    session_ids: Any,
    limits: AttributeLimits = NO_LIMITS,
    cut: Counter[str] | None = None,
) -> pa.Table:
    """One row a span, in order.

    Shape: `tenants` has one entry a record, `services` and `session_ids` (the spans' own) one a span. What `limits`
    leave out is added to `cut`, by limit.
    Errors: none; an enum value that OTLP does not know becomes ''.
    """
    spans, scopes, resources = decoded.spans, decoded.scopes, decoded.resources
    scope_of, resource_of = pa.array(decoded.scope), pa.array(decoded.resource)
    cut = Counter() if cut is None else cut
    of_span = limited(decoded.attributes, limits, cut)
    of_resources = limited(decoded.resource_attributes, limits, cut)
    of_scopes = limited(Attributes.of(pc.struct_field(scopes, ["scope", "attributes"])), limits, cut)
    start = spans.field("start_time_unix_nano").to_numpy()
    end = spans.field("end_time_unix_nano").to_numpy()
    return pa.table(
        {
            "Tenant": tenants.take(pa.array(decoded.record)),
            "Timestamp": timestamps(start),
            "TraceId": hex_strings(spans.field("trace_id")),
            "SpanId": hex_strings(spans.field("span_id")),
            "ParentSpanId": hex_strings(spans.field("parent_span_id")),
            "TraceState": spans.field("trace_state"),
            "SpanName": spans.field("name"),
            "SpanKind": _named(spans.field("kind"), _KINDS),
            "ServiceName": services,
            "ResourceAttributes": of_resources.attributes.maps().take(resource_of),
            "ScopeName": of_scope(scopes, "name", "").take(scope_of),
            "ScopeVersion": of_scope(scopes, "version", "").take(scope_of),
            "SpanAttributes": of_span.attributes.maps(),
            "Duration": np.where(end > start, end - start, 0),
            "StatusCode": _named(pc.fill_null(pc.struct_field(spans, ["status", "code"]), 0), _STATUS_CODES),
            "StatusMessage": pc.fill_null(pc.struct_field(spans, ["status", "message"]), ""),
            **_events(spans.field("events"), limits, cut),
            **_links(spans.field("links"), limits, cut),
            "SessionId": session_ids,
            "EndTimestamp": timestamps(end),
            "Flags": spans.field("flags"),
            "DroppedAttributesCount": counted(spans.field("dropped_attributes_count"), of_span.dropped),
            "DroppedEventsCount": spans.field("dropped_events_count"),
            "DroppedLinksCount": spans.field("dropped_links_count"),
            "ResourceSchemaUrl": resources.field("schema_url").take(resource_of),
            "ResourceDroppedAttributesCount": counted(
                pc.fill_null(pc.struct_field(resources, ["resource", "dropped_attributes_count"]), 0),
                of_resources.dropped,
            ).take(resource_of),
            "ScopeSchemaUrl": scopes.field("schema_url").take(scope_of),
            "ScopeAttributes": of_scopes.attributes.maps().take(scope_of),
            "ScopeDroppedAttributesCount": counted(
                of_scope(scopes, "dropped_attributes_count", 0), of_scopes.dropped
            ).take(scope_of),
        }
    )


def timestamps(nanos: Any) -> Any:
    """Unix nanoseconds as `timestamp[ns]`, up to the last that it can hold."""
    return pa.array(np.minimum(nanos, _TIME_NS_MAX).astype(np.int64)).cast(_TIMESTAMP)


def _named(codes: Any, names: pa.StringArray) -> pa.StringArray:
    """Enum numbers to names; the last name is for numbers that are out of range."""
    numbers = codes.to_numpy()
    unknown = len(names) - 1
    return names.take(pa.array(np.where((numbers >= 0) & (numbers < unknown), numbers, unknown)))


def of_scope(scopes: pa.StructArray, field: str, absent: Any) -> Any:
    """A field of each scope, `absent` where there is none."""
    return pc.fill_null(pc.struct_field(scopes, ["scope", field]), absent)


def _events(lists: Any, limits: AttributeLimits, cut: Counter[str]) -> dict[str, Any]:
    _, offsets = list_owners(lists)
    events = lists.flatten()
    kept = limited(Attributes.of(events.field("attributes")), limits, cut)
    return {
        "Events.Timestamp": _list(offsets, timestamps(events.field("time_unix_nano").to_numpy())),
        "Events.Name": _list(offsets, events.field("name")),
        "Events.Attributes": _list(offsets, kept.attributes.maps()),
        "Events.DroppedAttributesCount": _list(
            offsets, counted(events.field("dropped_attributes_count"), kept.dropped)
        ),
    }


def _links(lists: Any, limits: AttributeLimits, cut: Counter[str]) -> dict[str, Any]:
    _, offsets = list_owners(lists)
    links = lists.flatten()
    kept = limited(Attributes.of(links.field("attributes")), limits, cut)
    return {
        "Links.TraceId": _list(offsets, hex_strings(links.field("trace_id"))),
        "Links.SpanId": _list(offsets, hex_strings(links.field("span_id"))),
        "Links.TraceState": _list(offsets, links.field("trace_state")),
        "Links.Attributes": _list(offsets, kept.attributes.maps()),
        "Links.DroppedAttributesCount": _list(offsets, counted(links.field("dropped_attributes_count"), kept.dropped)),
        "Links.Flags": _list(offsets, links.field("flags")),
    }


def _list(offsets: Any, values: Any) -> Any:
    return pa.ListArray.from_arrays(offsets, values)
