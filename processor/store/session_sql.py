"""SQL for lists of sessions, as data.

Must never put a value into SQL text: values are bound by the server, identifiers are ours. The tenant stands first in
every WHERE. Reads the view `sessions`, which hides the older versions that the tables below it keep until a merge.
Source of names and limits: SESSIONS_API, `GET /v1/sessions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SortOrder = Literal["asc", "desc"]

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
    duration_ms, active_ms, llm_ms, trace_count, span_count, error_count, llm_call_count, tool_call_count,
    input_tokens, output_tokens, total_tokens, total_cost, unpriced_span_count, models, providers, services"""


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions are meant. It selects sessions, never parts of them: totals stay whole."""

    start_ns: int | None = None  # the session's interval ends at or after this
    end_ns: int | None = None  # and starts at or before this
    search: str = ""  # part of id or name, any case
    name: str = ""  # part of the name, any case
    user_id: str = ""  # exact


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
    """The session of this id: one row or none."""
    return Statement(
        f"""SELECT {_SESSION_COLUMNS}
FROM {database}.sessions
WHERE tenant = {{tenant:String}} AND session_id = {{session_id:String}}""",
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
        bind(f"({_contains('session_id', 'search')} OR {_contains('name', 'search')})", "search", wanted.search)
    if wanted.name:
        bind(_contains("name", "name_part"), "name_part", wanted.name)
    if wanted.user_id:
        bind("user_id = {user_id:String}", "user_id", wanted.user_id)
    return " AND ".join(clauses), parameters


def _contains(column: str, parameter: str) -> str:
    # Not ILIKE: `%` and `_` are ordinary characters of ids.
    return f"positionCaseInsensitiveUTF8({column}, {{{parameter}:String}}) > 0"


def _int64(ns: int) -> int:
    return max(_INT64_MIN, min(_INT64_MAX, ns))
