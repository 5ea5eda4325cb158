"""SQL for one trace and one span of it, as data.

Must never put a value into SQL text (see `session_sql`), nor read more of a trace than it says: a trace may have any
number of spans, and the narrow rows of the first `TRACE_READ_MAX` take some 100 MB.
"""

from __future__ import annotations

from typing import Any, Final

from processor.model import SESSION_SPANS
from processor.store.statement import Statement
from processor.store.trace_sql import NARROW_COLUMNS

TRACE_READ_MAX: Final = 110_000
"""Narrow rows of one trace that are read at once, to judge its spans together."""


def rows_of_trace(database: str, tenant: str, trace_id: str) -> Statement:
    """The narrow rows of a trace, each once, the earliest `TRACE_READ_MAX`. Shape: `model.SESSION_SPANS`."""
    return Statement(
        f"""SELECT {", ".join(SESSION_SPANS.names())} FROM (
    SELECT {NARROW_COLUMNS}, content_hash
    FROM {database}.session_spans
    WHERE tenant = {{tenant:String}} AND trace_id = {{trace_id:String}}
    LIMIT 1 BY span_id, content_hash
)
ORDER BY start_ns, span_id, content_hash
LIMIT {TRACE_READ_MAX}""",
        {"tenant": tenant, "trace_id": trace_id},
    )


def count_spans(database: str, tenant: str, trace_id: str) -> Statement:
    """How many spans a trace has: one row, one column."""
    return Statement(
        f"""SELECT uniqExact(span_id) AS total FROM {database}.session_spans
WHERE tenant = {{tenant:String}} AND trace_id = {{trace_id:String}}""",
        {"tenant": tenant, "trace_id": trace_id},
    )


def page_of_spans(database: str, tenant: str, trace_id: str, limit: int, offset: int) -> Statement:
    """One page of a trace's spans as they started, ties broken by id. Shape: `model.SESSION_SPANS`, one row a span.

    Of a span's versions the one that ends last, as in `rollup.span_set`, but for ties.
    """
    return Statement(
        f"""SELECT {", ".join(SESSION_SPANS.names())} FROM (
    SELECT {NARROW_COLUMNS}, content_hash
    FROM {database}.session_spans
    WHERE tenant = {{tenant:String}} AND trace_id = {{trace_id:String}}
    ORDER BY end_ns DESC, content_hash
    LIMIT 1 BY span_id
)
ORDER BY start_ns, span_id
LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}""",
        {"tenant": tenant, "trace_id": trace_id, "limit": limit, "offset": offset},
    )


def rows_of_span(database: str, tenant: str, trace_id: str, span_id: str) -> Statement:
    """The narrow rows of one span, its versions. Shape: `model.SESSION_SPANS`."""
    return Statement(
        f"""SELECT {NARROW_COLUMNS} FROM {database}.session_spans
WHERE tenant = {{tenant:String}} AND trace_id = {{trace_id:String}} AND span_id = {{span_id:String}}
LIMIT {TRACE_READ_MAX}""",
        {"tenant": tenant, "trace_id": trace_id, "span_id": span_id},
    )


def whole_span(database: str, tenant: str, span: dict[str, Any]) -> Statement:
    """All that the wide table knows of a span (a row of the above): one row or none; times are Unix nanoseconds."""
    return Statement(
        f"""SELECT SpanKind AS span_kind, StatusMessage AS status_message, SpanAttributes AS attributes,
    TraceState AS trace_state, Flags AS flags, DroppedAttributesCount AS dropped_attributes_count,
    DroppedEventsCount AS dropped_events_count, DroppedLinksCount AS dropped_links_count,
    ResourceAttributes AS resource_attributes, ResourceSchemaUrl AS resource_schema_url,
    ScopeName AS scope_name, ScopeVersion AS scope_version, ScopeAttributes AS scope_attributes,
    ScopeSchemaUrl AS scope_schema_url,
    arrayMap(t -> toUnixTimestamp64Nano(t), Events.Timestamp) AS event_times_ns, Events.Name AS event_names,
    Events.Attributes AS event_attributes,
    Links.TraceId AS link_trace_ids, Links.SpanId AS link_span_ids, Links.TraceState AS link_trace_states,
    Links.Attributes AS link_attributes
FROM {database}.otel_traces
WHERE Tenant = {{tenant:String}} AND ServiceName = {{service:String}} AND SpanName = {{name:String}}
    AND Timestamp = fromUnixTimestamp64Nano({{start_ns:Int64}}, 'UTC')
    AND TraceId = {{trace_id:String}} AND SpanId = {{span_id:String}}
ORDER BY EndTimestamp DESC, ContentHash LIMIT 1""",
        {"tenant": tenant} | {name: span[name] for name in ("service", "name", "start_ns", "trace_id", "span_id")},
    )
