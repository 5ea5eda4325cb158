"""SQL for what many sessions took together, as data: totals, quantiles, a time series, the largest of each label.

Must never put a value into SQL text (see `session_sql`), nor hold an entry a session: sessions are summed as they are
read, and groups (users, sets of labels) go to disk when they take too much memory (`reading.Reader`).
Quantiles are those of mergeable sketches (DDSketch), within `QUANTILE_ERROR` of the value; all other numbers are exact.
Source: SESSIONS_API, `GET /v1/sessions/stats` and `GET /v1/users`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from processor.store.deleted_sql import none_deleted
from processor.store.session_sql import SessionFilter, SortOrder, contains, selected
from processor.store.statement import Statement

Interval = Literal["minute", "hour", "day", "week", "month"]

INTERVALS_MAX: Final = 1_000
QUANTILE_ERROR: Final = 0.01

TOPS: Final = {
    "top_models": "set.1",
    "top_services": "set.2",
    "top_environments": "[set.3]",
    "top_tags": "set.4",
}
"""Lists of the answer, and where in `_LABEL_SET` the names of each stand; users stand by themselves."""

_LABEL_SET: Final = "Tuple(Array(String), Array(String), String, Array(String))"
"""What `labels` is the JSON of: few sets beside the sessions that have them, so sessions are summed by set first."""

USER_SORT_COLUMNS: Final = {
    "id": "user_id",
    "session_count": "session_count",
    "trace_count": "trace_count",
    "error_count": "error_count",
    "total_tokens": "total_tokens",
    "total_cost": "total_cost",
    "first_seen": "start_ns",
    "last_seen": "end_ns",
}
"""Sort keys of the API and the column behind each."""

_SECOND_NS: Final = 1_000_000_000
_LENGTH_NS: Final = {
    "minute": 60 * _SECOND_NS,
    "hour": 3_600 * _SECOND_NS,
    "day": 86_400 * _SECOND_NS,
    "week": 604_800 * _SECOND_NS,
}
_MONDAY_NS: Final = 4 * 86_400 * _SECOND_NS  # of the first whole week

_SUMMED: Final = ("trace_count", "span_count", "error_count", "input_tokens", "output_tokens", "total_tokens")
_SUMMED_TOO: Final = ("llm_call_count", "tool_call_count", "input_cost", "output_cost", "unpriced_span_count")
_SUMS: Final = ", ".join(f"sum(s.{name}) AS {name}" for name in (*_SUMMED, "total_cost"))
_MORE_SUMS: Final = ", ".join(f"sum(s.{name}) AS {name}" for name in _SUMMED_TOO)
_MONEY: Final = {
    "cost_nano_usd": "total_cost",
    "input_cost_nano_usd": "input_cost",
    "output_cost_nano_usd": "output_cost",
}
_START_NS: Final = "s.start_ns"
_END_NS: Final = "s.end_ns"


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which sessions count, and whose. Sessions count whole."""

    start_ns: int | None = None
    end_ns: int | None = None
    search: str = ""  # part of the user's id, any case


def bounds_of_starts(database: str, tenant: str, wanted: SessionFilter) -> Statement:
    """When the first and the last of the sessions started, and how many rows said so: one row.

    Of rows of any version, to choose an interval by: merging them first would take ten times as long.
    """
    where, parameters = selected(tenant, wanted)
    return Statement(
        f"""SELECT count() AS total, min(start_ns) AS first_ns, max(start_ns) AS last_ns
FROM {database}.session_rollups WHERE {where} AND row_count > 0""",
        parameters,
    )


def series_of_sessions(database: str, tenant: str, wanted: SessionFilter, interval: Interval) -> Statement:
    """A row an interval in which sessions started, in order, and one over all, `is_total`.

    Shape: `at_ns` is the interval's first nanosecond; sums, quantiles (p50, p95, p99) of cost, tokens and duration.
    """
    where, parameters = selected(tenant, wanted)
    quantiles = ", ".join(
        f"quantilesDD({QUANTILE_ERROR}, 0.5, 0.95, 0.99)({value}) AS {name}"
        for name, value in (
            ("latency_ms", "s.duration_ms"),
            ("cost", "toFloat64(s.total_cost)"),
            ("tokens", "s.total_tokens"),
        )
    )
    return Statement(
        f"""SELECT {_interval_of_start(interval)} AS at_ns, grouping(at_ns) = 1 AS is_total, count() AS session_count,
    countIf(s.error_count > 0) AS error_session_count,
    min({_START_NS}) AS start_ns, max({_END_NS}) AS end_ns, {_SUMS}, {_MORE_SUMS},
    {quantiles}
FROM ({_sessions(database, where)}) AS s
GROUP BY at_ns WITH ROLLUP
ORDER BY is_total DESC, at_ns""",
        parameters,
    )


def tops_of_sessions(database: str, tenant: str, wanted: SessionFilter, top: int) -> Statement:
    """What sessions of each label took: `part` (a key of `TOPS`), `name`, sums; the most expensive first."""
    where, parameters = selected(tenant, wanted)
    labelled = ", ".join(f"arrayMap(name -> ('{part}', name), {names})" for part, names in TOPS.items())
    return Statement(
        f"""SELECT label.1 AS part, label.2 AS name, sum(sessions) AS session_count, sum(cost) AS total_cost,
    sum(tokens) AS total_tokens
FROM (
    SELECT JSONExtract(labels, '{_LABEL_SET}') AS set, arrayJoin(arrayConcat({labelled})) AS label, sessions, cost,
        tokens
    FROM (
        SELECT toString(s.labels) AS labels, count() AS sessions, sum(s.total_cost) AS cost,
            sum(s.total_tokens) AS tokens
        FROM ({_sessions(database, where)}) AS s
        GROUP BY s.labels
    )
)
WHERE name != ''
GROUP BY part, name
ORDER BY part, total_cost DESC, session_count DESC, name
LIMIT {{top:UInt64}} BY part""",
        {**parameters, "top": top},
    )


def top_users_of_sessions(database: str, tenant: str, wanted: SessionFilter, top: int) -> Statement:
    """The same for users; `user_count` is how many there are."""
    where, parameters = selected(tenant, wanted)
    return Statement(
        f"""SELECT s.user_id AS name, count() AS session_count, sum(s.total_cost) AS total_cost,
    sum(s.total_tokens) AS total_tokens, count() OVER () AS user_count
FROM ({_sessions(database, where)}) AS s
WHERE s.user_id != ''
GROUP BY name
ORDER BY total_cost DESC, session_count DESC, name
LIMIT {{top:UInt64}}""",
        {**parameters, "top": top},
    )


def page_of_users(
    database: str, tenant: str, wanted: UserFilter, *, sort_by: str, sort_order: SortOrder, limit: int, offset: int
) -> Statement:
    """One page, ties broken by the user's id; `total` is how many there are on all pages."""
    assert sort_by in USER_SORT_COLUMNS
    assert sort_order in ("asc", "desc")
    users, parameters = _users(database, tenant, wanted)
    return Statement(
        f"""SELECT *, count() OVER () AS total FROM ({users})
ORDER BY {USER_SORT_COLUMNS[sort_by]} {sort_order.upper()}, user_id ASC
LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}""",
        {**parameters, "limit": limit, "offset": offset},
    )


def count_users(database: str, tenant: str, wanted: UserFilter) -> Statement:
    """How many users there are on all pages: one row, one column."""
    users, parameters = _users(database, tenant, wanted)
    return Statement(f"SELECT count() AS total FROM ({users})", parameters)


def _users(database: str, tenant: str, wanted: UserFilter) -> tuple[str, dict[str, Any]]:
    where, parameters = selected(tenant, SessionFilter(start_ns=wanted.start_ns, end_ns=wanted.end_ns))
    if wanted.search:
        where += f" AND {contains('user_id', 'search')}"
        parameters["search"] = wanted.search
    users = f"""SELECT s.user_id AS user_id, count() AS session_count,
        countIf(s.error_count > 0) AS error_session_count, min({_START_NS}) AS start_ns, max({_END_NS}) AS end_ns,
        {_SUMS}
    FROM ({_sessions(database, where)}) AS s
    WHERE s.user_id != ''
    GROUP BY user_id"""
    return users, parameters


def _sessions(database: str, where: str) -> str:
    """The sessions that count. By themselves: in a condition beside sums, a column's name would mean the sum."""
    money = ", ".join(f"reinterpret({name}, 'Decimal(18, 9)') AS {column}" for name, column in _MONEY.items())
    return f"""SELECT *, labels, duration_ns / 1e6 AS duration_ms, {money}
    FROM {database}.session_rollups FINAL WHERE {where} AND row_count > 0 AND {none_deleted(database)}"""


def _interval_of_start(interval: Interval) -> str:
    """The first nanosecond of the interval in which a session started, in UTC; weeks begin on Mondays."""
    if interval == "month":
        month = f"toStartOfMonth(fromUnixTimestamp64Nano({_START_NS}, 'UTC'))"
        return f"1000000000 * toInt64(toUnixTimestamp(toDateTime({month}, 'UTC')))"
    from_ns = _MONDAY_NS if interval == "week" else 0
    return f"{_START_NS} - positiveModulo({_START_NS} - {from_ns}, {_LENGTH_NS[interval]})"
