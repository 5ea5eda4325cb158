"""Decoded log records to rows of `otel_logs`: every field of every record, in the contrib exporter's columns and ours.

Pure and vectorized, as `wide` is for spans. A structured body is compact JSON, like nested attribute values.

Source: contrib `clickhouseexporter` (`logs_table.sql`, `exporter_logs.go`); `store/sql/010_otel_logs.sql`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.attribute_limits import NO_LIMITS, AttributeLimits, counted, limited
from processor.decode.logs import DecodedLogs
from processor.decode.values import Attributes
from processor.decode.wide import of_scope, timestamps

_BYTE_MAX: Final = 255
_SECOND_NS: Final = np.uint64(1_000_000_000)


def otel_logs(
    decoded: DecodedLogs,
    tenants: pa.StringArray,
    services: Any,
    session_ids: Any,
    limits: AttributeLimits = NO_LIMITS,
    cut: Counter[str] | None = None,
) -> pa.Table:
    """One row a record, in order.

    Shape: `tenants` has one entry a request, `services` and `session_ids` (the records' own) one a log record. What
    `limits` leave out is added to `cut`, by limit.
    Errors: none; a severity that fits in no byte becomes the nearest that does.
    """
    records, scopes, resources = decoded.records, decoded.scopes, decoded.resources
    scope_of, resource_of = pa.array(decoded.scope), pa.array(decoded.resource)
    flags = records.field("flags").to_numpy()
    cut = Counter() if cut is None else cut
    of_record = limited(decoded.attributes, limits, cut)
    of_resources = limited(decoded.resource_attributes, limits, cut)
    of_scopes = limited(Attributes.of(pc.struct_field(scopes, ["scope", "attributes"])), limits, cut)
    return pa.table(
        {
            "Tenant": tenants.take(pa.array(decoded.record)),
            "Timestamp": timestamps(decoded.time),
            "TimestampTime": pa.array(np.minimum(decoded.time // _SECOND_NS, 2**32 - 1).astype(np.uint32)),
            "TraceId": decoded.trace_id,
            "SpanId": decoded.span_id,
            "TraceFlags": (flags & _BYTE_MAX).astype(np.uint8),
            "SeverityText": records.field("severity_text"),
            "SeverityNumber": np.clip(records.field("severity_number").to_numpy(), 0, _BYTE_MAX).astype(np.uint8),
            "ServiceName": services,
            "Body": decoded.body,
            "ResourceSchemaUrl": resources.field("schema_url").take(resource_of),
            "ResourceAttributes": of_resources.attributes.maps().take(resource_of),
            "ScopeSchemaUrl": scopes.field("schema_url").take(scope_of),
            "ScopeName": of_scope(scopes, "name", "").take(scope_of),
            "ScopeVersion": of_scope(scopes, "version", "").take(scope_of),
            "ScopeAttributes": of_scopes.attributes.maps().take(scope_of),
            "LogAttributes": of_record.attributes.maps(),
            "EventName": records.field("event_name"),
            "SessionId": session_ids,
            "ObservedTimestamp": timestamps(records.field("observed_time_unix_nano").to_numpy()),
            "Flags": flags,
            "DroppedAttributesCount": counted(records.field("dropped_attributes_count"), of_record.dropped),
            "ResourceDroppedAttributesCount": counted(
                pc.fill_null(pc.struct_field(resources, ["resource", "dropped_attributes_count"]), 0),
                of_resources.dropped,
            ).take(resource_of),
            "ScopeDroppedAttributesCount": counted(
                of_scope(scopes, "dropped_attributes_count", 0), of_scopes.dropped
            ).take(scope_of),
        }
    )
