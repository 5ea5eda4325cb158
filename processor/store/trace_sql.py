"""SQL for the traces of a session and their spans, as data.

Must never put a value into SQL text (see `session_sql`). `session_traces`, `session_spans` and `otel_traces` are
ReplacingMergeTrees that hold older rows until a merge: each statement picks one row a key itself, by a rule that does
not depend on order. Everything is bounded: a session may have 20,000 traces, a trace 100,000 spans, an attribute a
megabyte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from processor.model import SESSION_SPANS
from processor.store.deleted_sql import not_deleted
from processor.store.statement import BY_KEY, Statement

SPANS_PER_TRACE_MAX = 1_000  # shown
SPANS_MAX = 10_000
READ_PER_TRACE_MAX = 10_000  # to judge which of them count
READ_MAX = 110_000
"""A trace more than it takes to show `SPANS_MAX` of traces that are read up to their limit."""
ATTRIBUTE_CHARS_MAX = 8_192

NARROW_COLUMNS: Final = ", ".join("'' AS " * name.endswith("_preview") + name for name in SESSION_SPANS.names())
"""Those of `model.SESSION_SPANS`, previews left empty."""


def count_traces(database: str, tenant: str, session_id: str) -> Statement:
    """How many traces the session has: one row, one column."""
    return Statement(
        f"SELECT count() AS total FROM ({_newest_traces(database)}) WHERE span_count > 0 {BY_KEY}",
        {"tenant": tenant, "session_id": session_id},
    )


def page_of_traces(database: str, tenant: str, session_id: str, limit: int, offset: int) -> Statement:
    """One page of the session's traces, as they happened; ties broken by trace id."""
    return Statement(
        f"""SELECT trace_id, name, status_code, start_ns, end_ns, span_count, error_count, input_tokens, output_tokens,
    total_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, tags
FROM ({_newest_traces(database)})
WHERE span_count > 0
ORDER BY start_ns, trace_id
LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}
{BY_KEY}""",
        {"tenant": tenant, "session_id": session_id, "limit": limit, "offset": offset},
    )


def spans_of_traces(database: str, tenant: str, trace_ids: Sequence[str]) -> Statement:
    """The narrow rows of these traces, whole traces also where they lie in two sessions, each row once.

    Shape: `model.SESSION_SPANS`, a span that was sent twice with different content twice; the earliest rows of each
    trace, at most `READ_PER_TRACE_MAX` of it and `READ_MAX` in all. Previews are empty: they are what a span's versions
    are compared by last, so without them the same version speaks for it as far as numbers go.
    """
    return Statement(
        f"""SELECT {", ".join(SESSION_SPANS.names())} FROM (
    SELECT {NARROW_COLUMNS}, content_hash
    FROM {database}.session_spans
    WHERE tenant = {{tenant:String}} AND trace_id IN {{trace_ids:Array(String)}}
    LIMIT 1 BY trace_id, span_id, content_hash
)
ORDER BY trace_id, start_ns, span_id, content_hash
LIMIT {READ_PER_TRACE_MAX} BY trace_id
LIMIT {READ_MAX}""",
        {"tenant": tenant, "trace_ids": list(trace_ids)},
    )


def details_of_spans(
    database: str, tenant: str, spans: Sequence[dict[str, Any]], *, with_attributes: bool = True
) -> Statement:
    """What only the wide table knows of `spans` (rows of `spans_of_traces`).

    Services, names and times of the narrow rows repeat the wide table's sort key, so whole partitions and nearly all
    granules are skipped; the trace id alone would read a bloom filter over everything.
    """
    assert spans
    starts_ns = [span["start_ns"] for span in spans]
    # They are nearly all of a span's bytes.
    attributes = f"mapApply((k, v) -> (k, leftUTF8(v, {ATTRIBUTE_CHARS_MAX})), SpanAttributes)"
    return Statement(
        f"""SELECT TraceId AS trace_id, SpanId AS span_id, SpanKind AS span_kind, StatusMessage AS status_message,
    {attributes if with_attributes else "map()"} AS attributes
FROM {database}.otel_traces
WHERE Tenant = {{tenant:String}}
    AND ServiceName IN {{services:Array(String)}} AND SpanName IN {{names:Array(String)}}
    AND Timestamp >= fromUnixTimestamp64Nano({{from_ns:Int64}}, 'UTC')
    AND Timestamp <= fromUnixTimestamp64Nano({{to_ns:Int64}}, 'UTC')
    AND TraceId IN {{trace_ids:Array(String)}}
ORDER BY EndTimestamp DESC, ContentHash LIMIT 1 BY TraceId, SpanId
LIMIT {SPANS_MAX}""",
        {
            "tenant": tenant,
            "services": sorted({span["service"] for span in spans}),
            "names": sorted({span["name"] for span in spans}),
            "trace_ids": sorted({span["trace_id"] for span in spans}),
            "from_ns": min(starts_ns),
            "to_ns": max(starts_ns),
        },
    )


def _newest_traces(database: str) -> str:
    return f"""SELECT * FROM {database}.session_traces
    WHERE tenant = {{tenant:String}} AND session_id = {{session_id:String}} AND {not_deleted(database)}
    ORDER BY version DESC LIMIT 1 BY trace_id"""
