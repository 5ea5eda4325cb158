"""SQL for lists of threads, as data.

Must never put a value into SQL text (see `session_sql`). Reads the view `threads`, which says what is active by the
store's clock: a thread that falls idle between two pages may show on both, or on neither, where status is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from processor.store.session_sql import SortOrder, contains
from processor.store.statement import Statement

ThreadStatus = Literal["active", "idle"]

THREAD_SORT_COLUMNS: Final = ("last_seen", "total_cost", "total_tokens", "session_count")
"""Sort keys of the API, and columns of the view `threads`."""

_COLUMNS: Final = """thread_id, status, session_count, trace_count, error_count, user_ids, tags,
    toUnixTimestamp64Nano(first_seen) AS start_ns, toUnixTimestamp64Nano(last_seen) AS end_ns,
    input_tokens, output_tokens, total_tokens, total_cost, input_cost, output_cost"""


@dataclass(frozen=True, slots=True)
class ThreadFilter:
    """Which threads are meant. It selects threads, never parts of them: totals stay whole."""

    status: ThreadStatus | None = None
    user_id: str = ""  # one of its users, exactly
    search: str = ""  # part of the id, any case


def count_threads(database: str, tenant: str, wanted: ThreadFilter) -> Statement:
    """How many threads `wanted` selects: one row, one column."""
    where, parameters = _where(tenant, wanted)
    return Statement(f"SELECT count() AS total FROM {database}.threads WHERE {where}", parameters)


def page_of_threads(
    database: str,
    tenant: str,
    wanted: ThreadFilter,
    *,
    sort_by: str,
    sort_order: SortOrder,
    limit: int,
    offset: int,
) -> Statement:
    """One page, ties broken by thread id."""
    assert sort_by in THREAD_SORT_COLUMNS
    assert sort_order in ("asc", "desc")
    where, parameters = _where(tenant, wanted)
    return Statement(
        f"""SELECT {_COLUMNS}
FROM {database}.threads
WHERE {where}
ORDER BY {sort_by} {sort_order.upper()}, thread_id ASC
LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}""",
        {**parameters, "limit": limit, "offset": offset},
    )


def one_thread(database: str, tenant: str, thread_id: str) -> Statement:
    """The thread of this id: one row or none."""
    return Statement(
        f"""SELECT {_COLUMNS}
FROM {database}.threads
WHERE tenant = {{tenant:String}} AND thread_id = {{thread_id:String}}""",
        {"tenant": tenant, "thread_id": thread_id},
    )


def _where(tenant: str, wanted: ThreadFilter) -> tuple[str, dict[str, Any]]:
    clauses = ["tenant = {tenant:String}"]
    parameters: dict[str, Any] = {"tenant": tenant}
    for condition, name, value in (
        ("status = {status:String}", "status", wanted.status),
        ("has(user_ids, {user_id:String})", "user_id", wanted.user_id),
        (contains("thread_id", "search"), "search", wanted.search),
    ):
        if value:
            clauses.append(condition)
            parameters[name] = value
    return " AND ".join(clauses), parameters
