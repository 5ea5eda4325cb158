"""SQL for lists of sessions, as data.

Must never put a value into SQL text: values are bound by the server, identifiers are ours. The tenant stands first in
every WHERE. Reads the view `sessions`, which hides the older versions that the tables below it keep until a merge.
Source of names and limits: SESSIONS_API, `GET /v1/sessions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SortOrder = Literal["asc", "desc"]
Row = dict[str, Any]
"""A row of an answer, by column name."""

SORT_COLUMNS = {
    "name": "name",
    "start": "first_seen",
    "end": "last_seen",
    "trace_count": "trace_count",
    "total_cost": "total_cost",
    "total_tokens": "total_tokens",
    "latency_ms": "duration_ms",
    "user_id": "user_id",
    "error_count": "error_count",
    "active_ms": "active_ms",
    "span_count": "span_count",
    "last_seen": "last_seen",
}
"""Sort keys of the API and the column of the view `sessions` behind each."""

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

_SESSION_COLUMNS = """session_id, name, user_id, thread_id,
    toUnixTimestamp64Nano(first_seen) AS start_ns, toUnixTimestamp64Nano(last_seen) AS end_ns,
    duration_ms, active_ms, llm_ms, ttft_ms, trace_count, span_count, error_count, llm_call_count, tool_call_count,
    input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    total_cost, input_cost, output_cost, unpriced_span_count, models, providers, services,
    tags, metadata, environment, end_state, end_reason, input_preview, output_preview"""

_STORED_COLUMNS = """session_id, name, user_id, thread_id, start_ns, end_ns,
    (end_ns - start_ns) / 1e6 AS duration_ms, active_ns / 1e6 AS active_ms, llm_ns / 1e6 AS llm_ms,
    if(ttft_count > 0, ttft_ns / ttft_count / 1e6, NULL) AS ttft_ms,
    trace_count, span_count, error_count, llm_call_count, tool_call_count,
    input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    reinterpret(cost_nano_usd, 'Decimal(18, 9)') AS total_cost,
    reinterpret(input_cost_nano_usd, 'Decimal(18, 9)') AS input_cost,
    reinterpret(output_cost_nano_usd, 'Decimal(18, 9)') AS output_cost,
    unpriced_span_count, models, providers, services,
    tags, metadata_map AS metadata, environment, end_state, end_reason, input_preview, output_preview"""
"""The same of the table below the view."""


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions are meant. It selects sessions, never parts of them: totals stay whole."""

    start_ns: int | None = None  # the session's interval ends at or after this
    end_ns: int | None = None  # and starts at or before this
    search: str = ""  # part of id or name, any case
    name: str = ""  # part of the name, any case
    user_id: str = ""  # exact, as all that follow
    thread_id: str = ""
    environment: str = ""
    tag: str = ""  # one of its tags
    model: str = ""  # one of its models
    metadata: tuple[tuple[str, str], ...] = ()  # keys it has, with these values


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` places, and what is bound to them."""

    sql: str
    parameters: dict[str, Any]


def count_sessions(database: str, tenant: str, wanted: SessionFilter) -> Statement:
    """How many sessions `wanted` selects: one row, one column."""
    where, parameters = _where(tenant, wanted)
    return Statement(f"SELECT count() AS total FROM {database}.sessions WHERE {where}", parameters)


def page_of_sessions(
    database: str,
    tenant: str,
    wanted: SessionFilter,
    *,
    sort_by: str,
    sort_order: SortOrder,
    limit: int,
    offset: int,
) -> Statement:
    """One page, ties broken by session id. The inner query reads the narrow columns of all, the outer a page of all."""
    assert sort_by in SORT_COLUMNS
    assert sort_order in ("asc", "desc")
    where, parameters = _where(tenant, wanted)
    order = f"ORDER BY {SORT_COLUMNS[sort_by]} {sort_order.upper()}, session_id ASC"
    return Statement(
        f"""SELECT {_SESSION_COLUMNS}
FROM {database}.sessions
WHERE tenant = {{tenant:String}} AND session_id IN (
    SELECT session_id FROM {database}.sessions WHERE {where}
    {order} LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}
)
{order}""",
        {**parameters, "limit": limit, "offset": offset},
    )


def one_session(database: str, tenant: str, session_id: str) -> Statement:
    """The session of this id: one row or none. From the table: planning a query of the view takes twice as long."""
    return Statement(
        f"""SELECT {_STORED_COLUMNS} FROM (
    SELECT *, metadata_map FROM {database}.session_rollups
    WHERE tenant = {{tenant:String}} AND session_id = {{session_id:String}}
    ORDER BY version DESC LIMIT 1
)
WHERE row_count > 0""",
        {"tenant": tenant, "session_id": session_id},
    )


def _where(tenant: str, wanted: SessionFilter) -> tuple[str, dict[str, Any]]:
    clauses = ["tenant = {tenant:String}"]
    parameters: dict[str, Any] = {"tenant": tenant}

    def bind(clause: str, name: str, value: object) -> None:
        clauses.append(clause)
        parameters[name] = value

    if wanted.start_ns is not None:
        bind("toUnixTimestamp64Nano(last_seen) >= {from_ns:Int64}", "from_ns", _int64(wanted.start_ns))
    if wanted.end_ns is not None:
        bind("toUnixTimestamp64Nano(first_seen) <= {to_ns:Int64}", "to_ns", _int64(wanted.end_ns))
    if wanted.search:
        bind(f"({contains('session_id', 'search')} OR {contains('name', 'search')})", "search", wanted.search)
    if wanted.name:
        bind(contains("name", "name_part"), "name_part", wanted.name)
    for column in ("user_id", "thread_id", "environment"):
        if value := getattr(wanted, column):
            bind(f"{column} = {{{column}:String}}", column, value)
    if wanted.tag:
        bind("has(tags, {tag:String})", "tag", wanted.tag)
    if wanted.model:
        bind("has(models, {model:String})", "model", wanted.model)
    for number, (key, value) in enumerate(wanted.metadata):
        place = f"{{metadata_key_{number}:String}}"
        # A key that is not there reads as ''.
        bind(f"mapContains(metadata, {place})", f"metadata_key_{number}", key)
        bind(f"metadata[{place}] = {{metadata_{number}:String}}", f"metadata_{number}", value)
    return " AND ".join(clauses), parameters


def contains(column: str, parameter: str) -> str:
    """A condition: the bound text stands in the column, in any case."""
    # Not ILIKE: `%` and `_` are ordinary characters of ids.
    return f"positionCaseInsensitiveUTF8({column}, {{{parameter}:String}}) > 0"


def _int64(ns: int) -> int:
    return max(_INT64_MIN, min(_INT64_MAX, ns))
