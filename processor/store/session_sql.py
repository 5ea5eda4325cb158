"""SQL for lists of sessions, as data.

Must never put a value into SQL text: values are bound by the server, identifiers are ours. The tenant stands first in
every WHERE. Reads `session_rollups`, which holds older versions of rows until a merge: each statement says how it tells
them apart. Source of names and limits: SESSIONS_API, `GET /v1/sessions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from processor.store.deleted_sql import none_deleted, not_deleted
from processor.store.statement import BY_KEY, Statement

SortOrder = Literal["asc", "desc"]
SessionStatus = Literal["UNSET", "OK", "ERROR"]

SORT_COLUMNS: Final = {
    "id": "session_id",
    "name": "name",
    "start": "start_ns",
    "end": "end_ns",
    "trace_count": "trace_count",
    "total_cost": "cost_nano_usd",
    "total_tokens": "total_tokens",
    "latency_ms": "duration_ns",
    "user_id": "user_id",
    "error_count": "error_count",
    "active_ms": "active_ns",
    "span_count": "span_count",
    "last_seen": "end_ns",
}
"""Sort keys of the API and what stands behind each in `session_rollups`."""

_READ_IN_ORDER: Final = frozenset(  # by the table or a projection of it
    {"id", "name", "user_id", "start", "end", "last_seen", "trace_count", "error_count"}
)
_TEXTS: Final = frozenset({"id", "name", "user_id"})

STATUS_OF_END: Final[dict[str, SessionStatus]] = {"success": "OK", "error": "ERROR"}
"""How a session ended, in the words of traces; what is not here is UNSET."""

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

_COLUMNS: Final = """session_id, name, user_id, thread_id, start_ns, end_ns,
    duration_ns / 1e6 AS duration_ms, active_ns / 1e6 AS active_ms, llm_ns / 1e6 AS llm_ms,
    if(ttft_count > 0, ttft_ns / ttft_count / 1e6, NULL) AS ttft_ms,
    trace_count, span_count, error_count, llm_call_count, tool_call_count,
    input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    reinterpret(cost_nano_usd, 'Decimal(18, 9)') AS total_cost,
    reinterpret(input_cost_nano_usd, 'Decimal(18, 9)') AS input_cost,
    reinterpret(output_cost_nano_usd, 'Decimal(18, 9)') AS output_cost,
    unpriced_span_count, models, providers, services,
    tags, metadata_map AS metadata, environment, end_state, end_reason, input_preview, output_preview"""

_LIVE: Final = "row_count > 0"
_NEWEST: Final = """
    SELECT *, metadata_map, searched, duration_ns FROM {database}.session_rollups
    WHERE tenant = {{tenant:String}} AND session_id IN {{session_ids:Array(String)}}
    ORDER BY version DESC LIMIT 1 BY session_id
"""
# The index says where a text may stand: to read the rows there takes less than to read on in the index. No projection
# has what is searched.
_SEARCHING: Final = "SETTINGS query_plan_direct_read_from_text_index = 0, optimize_use_projections = 0"
_LIKE_ESCAPES: Final = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


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
    service: str = ""  # one of its services
    status: SessionStatus | None = None  # how it ended
    has_error: bool | None = None  # whether any error arose in it
    min_cost_nano_usd: int = 0  # at least; 0 is any
    min_tokens: int = 0
    min_duration_ns: int = 0

    @property
    def searches(self) -> bool:
        """Whether it asks for a part of a text, which an index finds."""
        return bool(self.search or self.name)


def count_sessions(database: str, tenant: str, wanted: SessionFilter, *, by_index: bool = True) -> Statement:
    """How many sessions `wanted` selects: one row, one column. `by_index`: indexes say where they stand.

    With FINAL an index is looked through twice: where it leaves out little, to read the rows alone takes half the time.
    """
    where, parameters = selected(tenant, wanted)
    return Statement(
        f"SELECT count() AS total FROM {database}.session_rollups FINAL "
        f"WHERE {where} AND {_LIVE} AND {none_deleted(database)} SETTINGS use_skip_indexes_if_final = {by_index:d}",
        parameters,
    )


def rows_by_index(database: str, tenant: str, wanted: SessionFilter) -> Statement:
    """How many rows the indexes leave to be read, `rows`, by a row a table: none or one."""
    where, parameters = selected(tenant, wanted)
    return Statement(
        f"EXPLAIN ESTIMATE SELECT session_id FROM {database}.session_rollups WHERE {where} AND {_LIVE}", parameters
    )


def candidates(
    database: str, tenant: str, wanted: SessionFilter, sort_by: str, sort_order: SortOrder, limit: int
) -> Statement:
    """The first of all stored rows, older versions among them, of the sessions that `wanted` selects.

    Shape: `session_id, place` (what is sorted by), in the order of the list; but ties in no order, and any of the last
    ones, unless `ties_are_read_in_order`.
    """
    order = _order(sort_by, sort_order) if ties_are_read_in_order(sort_by, sort_order) else _by_place(sort_order)
    where, parameters = selected(tenant, wanted)
    return Statement(
        f"""SELECT session_id, {SORT_COLUMNS[sort_by]} AS place
FROM {database}.session_rollups
WHERE {where} AND {_LIVE}
{order} LIMIT {{limit:UInt64}}
{_SEARCHING if wanted.searches else ""}""",
        {**parameters, "limit": limit},
    )


def ties_are_read_in_order(sort_by: str, sort_order: SortOrder) -> bool:
    """Whether rows of one place are read by their ids at no cost: rising, as the table or a projection stands.

    Else the ids of all rows would be read to break a few ties, which takes many times as long as all the rest.
    """
    return sort_by in _READ_IN_ORDER and sort_order == "asc"


def newest_at(
    database: str, tenant: str, wanted: SessionFilter, sort_by: str, place: int | str, limit: int
) -> Statement:
    """The first sessions whose newest rows stand at one place, by their ids.

    Shape: `session_id`. That is the order of the table: rows are merged until there are enough, and where few stand at
    that place, an index leads to them.
    """
    where, parameters = selected(tenant, wanted)
    kind = "String" if sort_by in _TEXTS else "Int64"
    return Statement(
        f"""SELECT session_id
FROM {database}.session_rollups FINAL
WHERE {where} AND {_LIVE} AND {SORT_COLUMNS[sort_by]} = {{place:{kind}}} AND {none_deleted(database)}
ORDER BY session_id ASC LIMIT {{limit:UInt64}}""",
        {**parameters, "place": place, "limit": limit},
    )


def newest_places(
    database: str, tenant: str, wanted: SessionFilter, sort_by: str, session_ids: Sequence[str]
) -> Statement:
    """The same of the newest rows of these sessions: those that `wanted` selects, each once, in any order."""
    where, parameters = selected(tenant, wanted)
    return Statement(
        f"""SELECT session_id, argMax({SORT_COLUMNS[sort_by]}, version) AS place
FROM {database}.session_rollups
WHERE tenant = {{tenant:String}} AND session_id IN {{session_ids:Array(String)}}
    AND {none_deleted(database)}
GROUP BY session_id
HAVING argMax({where} AND {_LIVE}, version)
{BY_KEY}""",
        {**parameters, "session_ids": list(session_ids)},
    )


def newest_sessions(
    database: str, tenant: str, wanted: SessionFilter, sort_by: str, session_ids: Sequence[str]
) -> Statement:
    """The same with all columns."""
    where, parameters = selected(tenant, wanted)
    return Statement(
        f"""SELECT {_COLUMNS}, {SORT_COLUMNS[sort_by]} AS place FROM ({_NEWEST.format(database=database)})
WHERE {where} AND {_LIVE} AND {none_deleted(database)}
{BY_KEY}""",
        {**parameters, "session_ids": list(session_ids)},
    )


def some_sessions(database: str, tenant: str, session_ids: Sequence[str]) -> Statement:
    """Those of these sessions that there are, in any order."""
    return Statement(
        f"""SELECT {_COLUMNS} FROM ({_NEWEST.format(database=database)})
WHERE {_LIVE} AND {none_deleted(database)}
{BY_KEY}""",
        {"tenant": tenant, "session_ids": list(session_ids)},
    )


def page_of_ids(
    database: str, tenant: str, wanted: SessionFilter, sort_by: str, sort_order: SortOrder, limit: int, offset: int
) -> Statement:
    """The ids of one page, out of the newest rows of all sessions: any page, in the time that merging them takes."""
    return _merged("session_id", database, tenant, wanted, sort_by, sort_order, limit, offset)


def all_sessions(
    database: str, tenant: str, wanted: SessionFilter, sort_by: str, sort_order: SortOrder, limit: int, offset: int
) -> Statement:
    """Whole sessions, any number of them: read once, and sorted whole."""
    return _merged(_COLUMNS, database, tenant, wanted, sort_by, sort_order, limit, offset)


def one_session(database: str, tenant: str, session_id: str) -> Statement:
    """The session of this id: one row or none. From the table: planning a query of the view takes twice as long."""
    return Statement(
        f"""SELECT {_COLUMNS} FROM (
    SELECT *, metadata_map, searched, duration_ns FROM {database}.session_rollups
    WHERE tenant = {{tenant:String}} AND session_id = {{session_id:String}}
    ORDER BY version DESC LIMIT 1
)
WHERE {_LIVE} AND {not_deleted(database)}
{BY_KEY}""",
        {"tenant": tenant, "session_id": session_id},
    )


def selected(tenant: str, wanted: SessionFilter) -> tuple[str, dict[str, Any]]:
    """A condition on `session_rollups`, and what is bound in it."""
    clauses = ["tenant = {tenant:String}"]
    parameters: dict[str, Any] = {"tenant": tenant}
    for condition, name, value in (*_bounds(wanted), *_labels(wanted)):
        if value:
            clauses.append(condition)
            parameters[name] = value
    if wanted.start_ns is not None:
        clauses.append("end_ns >= {from_ns:Int64}")
        parameters["from_ns"] = _int64(wanted.start_ns)
    if wanted.end_ns is not None:
        clauses.append("start_ns <= {to_ns:Int64}")
        parameters["to_ns"] = _int64(wanted.end_ns)
    if wanted.status is not None:
        clauses.append(f"end_state {'NOT ' * (wanted.status == 'UNSET')}IN {{ends:Array(String)}}")
        parameters["ends"] = [end for end, status in STATUS_OF_END.items() if wanted.status in (status, "UNSET")]
    if wanted.has_error is not None:
        clauses.append("error_count > 0" if wanted.has_error else "error_count = 0")
    for number, (key, value) in enumerate(wanted.metadata):
        place = f"{{metadata_key_{number}:String}}"
        # A key that is not there reads as ''.
        clauses.append(f"mapContains(metadata_map, {place}) AND metadata_map[{place}] = {{metadata_{number}:String}}")
        parameters |= {f"metadata_key_{number}": key, f"metadata_{number}": value}
    return " AND ".join(clauses), parameters


def _bounds(wanted: SessionFilter) -> tuple[tuple[str, str, int], ...]:
    """Conditions, the name of what is bound in each, and its value; 0 for those that are not asked for."""
    return (
        ("cost_nano_usd >= {min_cost_nano_usd:Int64}", "min_cost_nano_usd", _int64(wanted.min_cost_nano_usd)),
        ("total_tokens >= {min_tokens:Int64}", "min_tokens", _int64(wanted.min_tokens)),
        ("duration_ns >= {min_duration_ns:Int64}", "min_duration_ns", _int64(wanted.min_duration_ns)),
    )


def _labels(wanted: SessionFilter) -> tuple[tuple[str, str, str], ...]:
    """The same for texts; '' for those that are not asked for."""
    name_like = "lowerUTF8({name_like:String})"
    return (
        ("searched LIKE lowerUTF8({search:String})", "search", _like(wanted.search)),
        (f"searched LIKE {name_like} AND lowerUTF8(name) LIKE {name_like}", "name_like", _like(wanted.name)),
        ("user_id = {user_id:String}", "user_id", wanted.user_id),
        ("thread_id = {thread_id:String}", "thread_id", wanted.thread_id),
        ("environment = {environment:String}", "environment", wanted.environment),
        ("has(tags, {tag:String})", "tag", wanted.tag),
        ("has(models, {model:String})", "model", wanted.model),
        ("has(services, {service:String})", "service", wanted.service),
    )


def _like(part: str) -> str:
    """A pattern: the text stands somewhere. `%` and `_` are ordinary characters of ids."""
    return f"%{part.translate(_LIKE_ESCAPES)}%" if part else ""


def _merged(
    columns: str,
    database: str,
    tenant: str,
    wanted: SessionFilter,
    sort_by: str,
    sort_order: SortOrder,
    limit: int,
    offset: int,
) -> Statement:
    where, parameters = selected(tenant, wanted)
    return Statement(
        f"""SELECT {columns}
FROM {database}.session_rollups FINAL
WHERE {where} AND {_LIVE} AND {none_deleted(database)}
{_order(sort_by, sort_order)} LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}""",
        {**parameters, "limit": limit, "offset": offset},
    )


def _by_place(sort_order: SortOrder) -> str:
    assert sort_order in ("asc", "desc")
    return f"ORDER BY place {sort_order.upper()}"


def _order(sort_by: str, sort_order: SortOrder) -> str:
    assert sort_by in SORT_COLUMNS
    assert sort_order in ("asc", "desc")
    return f"ORDER BY {SORT_COLUMNS[sort_by]} {sort_order.upper()}, session_id ASC"


def contains(column: str, parameter: str) -> str:
    """A condition: the bound text stands in the column, in any case."""
    # Not ILIKE: `%` and `_` are ordinary characters of ids.
    return f"positionCaseInsensitiveUTF8({column}, {{{parameter}:String}}) > 0"


def _int64(ns: int) -> int:
    return max(_INT64_MIN, min(_INT64_MAX, ns))
