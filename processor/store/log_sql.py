"""SQL for the log records of a session, as data.

A record belongs to the session that it names; one that names none, to the sessions of its trace, as they are known now.
Must never put a value into SQL text (see `session_sql`). `otel_logs` is a ReplacingMergeTree: each statement picks one
row a record itself.
"""

from __future__ import annotations

from typing import Any

from processor.store.statement import Statement

BODY_CHARS_MAX = 65_536
ATTRIBUTE_CHARS_MAX = 8_192


def session_logs(database: str, tenant: str, session_id: str, limit: int = 100, offset: int = 0) -> Statement:
    """One page of a session's log records, the earliest first.

    Shape: `time_ns, observed_ns, trace_id, span_id, severity_text, severity_number, service, scope, event_name, body,
    attributes, own_session` (whether the record itself names the session). Texts are bounded.
    """
    return Statement(
        f"""SELECT toUnixTimestamp64Nano(Timestamp) AS time_ns, toUnixTimestamp64Nano(ObservedTimestamp) AS observed_ns,
    TraceId AS trace_id, SpanId AS span_id, SeverityText AS severity_text, SeverityNumber AS severity_number,
    ServiceName AS service, ScopeName AS scope, EventName AS event_name, leftUTF8(Body, {BODY_CHARS_MAX}) AS body,
    mapApply((k, v) -> (k, leftUTF8(v, {ATTRIBUTE_CHARS_MAX})), LogAttributes) AS attributes,
    SessionId != '' AS own_session
FROM {database}.otel_logs
WHERE {_of_session(database)}
ORDER BY Timestamp, ServiceName, TraceId, SpanId, ContentHash
LIMIT 1 BY Timestamp, ServiceName, TraceId, SpanId, ContentHash
LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}""",
        {**_parameters(tenant, session_id), "limit": limit, "offset": offset},
    )


def count_session_logs(database: str, tenant: str, session_id: str) -> Statement:
    """How many log records the session has: one row, one column."""
    return Statement(
        f"""SELECT uniqExact(Timestamp, ServiceName, TraceId, SpanId, ContentHash) AS total
FROM {database}.otel_logs
WHERE {_of_session(database)}""",
        _parameters(tenant, session_id),
    )


def _of_session(database: str) -> str:
    return f"""Tenant = {{tenant:String}} AND (
    SessionId = {{session_id:String}}
    OR (SessionId = '' AND TraceId != '' AND TraceId IN (
        SELECT trace_id FROM {database}.session_traces
        WHERE tenant = {{tenant:String}} AND session_id = {{session_id:String}}
        GROUP BY trace_id HAVING argMax(span_count, version) > 0
    ))
)"""


def _parameters(tenant: str, session_id: str) -> dict[str, Any]:
    return {"tenant": tenant, "session_id": session_id}
