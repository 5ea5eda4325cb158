"""SQL for what of a trace is deleted, as data.

Must never put a value into SQL text (see `session_sql`).
"""

from __future__ import annotations

from collections.abc import Sequence

from processor.model import DELETED_SPANS
from processor.store.statement import Statement


def count_deletions(database: str) -> Statement:
    """Whether there is anything to ask for below: one row, one column, 0 where nothing was ever deleted."""
    counts = (f"(SELECT count() FROM {database}.{table})" for table in ("deleted_sessions", "deleted_spans"))
    return Statement(f"SELECT {' + '.join(counts)} AS total", {})


def deleted_among(database: str, tenant: str, session_ids: Sequence[str]) -> Statement:
    """Those of the sessions that are deleted. Shape: `tenant, session_id`, distinct."""
    return Statement(
        f"""SELECT DISTINCT tenant, session_id FROM {database}.deleted_sessions
WHERE tenant = {{tenant:String}} AND session_id IN {{session_ids:Array(String)}}""",
        {"tenant": tenant, "session_ids": list(session_ids)},
    )


def places_of_traces(database: str, tenant: str, trace_ids: Sequence[str]) -> Statement:
    """The places of deleted spans of these traces. Shape: `model.DELETED_SPANS`, duplicates possible."""
    return Statement(
        f"""SELECT {", ".join(DELETED_SPANS.names())} FROM {database}.deleted_spans
WHERE tenant = {{tenant:String}} AND trace_id IN {{trace_ids:Array(String)}}""",
        {"tenant": tenant, "trace_ids": list(trace_ids)},
    )


def not_deleted(database: str) -> str:
    """A condition, the same for all rows: the session of the bound `tenant` and `session_id` is not deleted."""
    tombstones = f"SELECT count() FROM {database}.deleted_sessions"
    return f"({tombstones} WHERE tenant = {{tenant:String}} AND session_id = {{session_id:String}}) = 0"


def none_deleted(database: str) -> str:
    """A condition on rows with the columns `tenant` and `session_id`: the row's session is not deleted. By hashes.

    Where the tenant has deleted nothing, the condition is a constant, and no id is read for it.
    """
    tombstones = f"FROM {database}.deleted_sessions WHERE tenant = {{tenant:String}}"
    hashes = f"SELECT cityHash64(tenant, session_id) {tombstones}"
    return f"((SELECT count() {tombstones}) = 0 OR cityHash64(tenant, session_id) GLOBAL NOT IN ({hashes}))"
