"""What people ask of the session tables.

Must never write. Blocking: callers with an event loop run it in a thread, one call at a time for one client.
Rows are dicts by column name; times are Unix nanoseconds, costs of sessions, threads and models Decimals in dollars,
those of traces and spans nano-dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import polars as pl

from processor.model import SESSION_SPANS
from processor.store.connection import driver_errors_translated
from processor.store.log_sql import count_session_logs, session_logs
from processor.store.session_sql import (
    SORT_COLUMNS,
    Row,
    SessionFilter,
    SortOrder,
    Statement,
    count_sessions,
    one_session,
    page_of_sessions,
)
from processor.store.thread_sql import (
    THREAD_SORT_COLUMNS,
    ThreadFilter,
    ThreadStatus,
    count_threads,
    one_thread,
    page_of_threads,
)
from processor.store.trace_sql import (
    READ_MAX,
    SPANS_MAX,
    SPANS_PER_TRACE_MAX,
    count_traces,
    details_of_spans,
    page_of_traces,
    spans_of_traces,
)
from processor.store.usage_sql import DIMENSIONS, breakdown, breakdown_of_session, count_models, page_of_models

__all__ = [
    "DIMENSIONS",
    "SORT_COLUMNS",
    "SPANS_MAX",
    "SPANS_PER_TRACE_MAX",
    "THREAD_SORT_COLUMNS",
    "Row",
    "SessionFilter",
    "SessionQueries",
    "SortOrder",
    "ThreadFilter",
    "ThreadStatus",
]


class Client(Protocol):
    """The part of a clickhouse-connect client that reading needs."""

    def query(self, query: str, parameters: dict[str, Any], settings: dict[str, Any]) -> Any:
        """Run one statement with bound parameters."""

    def query_arrow(
        self, query: str, parameters: dict[str, Any], settings: dict[str, Any], *, use_strings: bool
    ) -> Any:
        """The same for many rows: an Arrow table."""


class SessionQueries:
    """The reader of one database through one client.

    Errors: `Retryable` when the store is away or a query takes longer than `timeout_s`; `Permanent` when it refuses
    the statement or the user.
    """

    def __init__(self, client: Client, database: str, timeout_s: int = 30) -> None:
        self._client = client
        self._database = database
        self._settings = {"max_execution_time": timeout_s}

    def list_sessions(
        self,
        tenant: str,
        wanted: SessionFilter,
        *,
        sort_by: str = "start",
        sort_order: SortOrder = "desc",
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Row], int]:
        """One page of sessions, and how many there are on all pages."""
        page = page_of_sessions(
            self._database, tenant, wanted, sort_by=sort_by, sort_order=sort_order, limit=limit, offset=offset
        )
        return self._page(count_sessions(self._database, tenant, wanted), page, offset)

    def get_session(self, tenant: str, session_id: str) -> Row | None:
        """One session, None where there is none."""
        return self._one(one_session(self._database, tenant, session_id))

    def session_breakdown(self, tenant: str, session_id: str) -> dict[str, list[Row]]:
        """What counts in a session, by each of `DIMENSIONS`: rows with `name` and sums, the most expensive first."""
        return breakdown(self._rows(breakdown_of_session(self._database, tenant, session_id)))

    def list_models(
        self, tenant: str, *, unpriced: bool = False, limit: int = 50, offset: int = 0
    ) -> tuple[list[Row], int]:
        """One page of what models took over all sessions, those without a price first, and how many there are."""
        page = page_of_models(self._database, tenant, unpriced, limit, offset)
        return self._page(count_models(self._database, tenant, unpriced), page, offset)

    def list_threads(
        self,
        tenant: str,
        wanted: ThreadFilter,
        *,
        sort_by: str = "last_seen",
        sort_order: SortOrder = "desc",
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Row], int]:
        """One page of threads, and how many there are on all pages."""
        page = page_of_threads(
            self._database, tenant, wanted, sort_by=sort_by, sort_order=sort_order, limit=limit, offset=offset
        )
        return self._page(count_threads(self._database, tenant, wanted), page, offset)

    def get_thread(self, tenant: str, thread_id: str) -> Row | None:
        """One thread, None where there is none."""
        return self._one(one_thread(self._database, tenant, thread_id))

    def session_traces(self, tenant: str, session_id: str, limit: int = 50, offset: int = 0) -> tuple[list[Row], int]:
        """One page of the session's traces, and how many there are; empty for a session that does not exist.

        What a row counts are the session's own spans of the trace.
        """
        page = page_of_traces(self._database, tenant, session_id, limit, offset)
        return self._page(count_traces(self._database, tenant, session_id), page, offset)

    def session_logs(self, tenant: str, session_id: str, limit: int = 100, offset: int = 0) -> tuple[list[Row], int]:
        """One page of the session's log records, the earliest first, and how many there are.

        Records that name the session, and those that name none and stand in one of its traces.
        """
        page = session_logs(self._database, tenant, session_id, limit, offset)
        return self._page(count_session_logs(self._database, tenant, session_id), page, offset)

    def narrow_spans(self, tenant: str, trace_ids: Sequence[str]) -> pl.DataFrame:
        """The narrow rows of some traces, as many as `trace_sql.spans_of_traces` says. Shape: `model.SESSION_SPANS`."""
        if not trace_ids:
            return pl.DataFrame(schema=SESSION_SPANS)
        statement = spans_of_traces(self._database, tenant, trace_ids)
        with driver_errors_translated():
            table = self._client.query_arrow(
                statement.sql, parameters=statement.parameters, settings=self._settings, use_strings=True
            )
        rows = cast(pl.DataFrame, pl.from_arrow(table))
        rows = rows.cast(SESSION_SPANS) if len(rows) else pl.DataFrame(schema=SESSION_SPANS)
        # The bound may have cut the last trace in two.
        return rows if len(rows) < READ_MAX else rows.filter(pl.col("trace_id") != rows["trace_id"][-1])

    def span_details(self, tenant: str, spans: Sequence[Row]) -> dict[tuple[str, str], Row]:
        """What only the wide table knows of narrow `spans`: `span_kind`, `status_message`, `attributes`.

        By trace and span id; spans that the wide table does not have (any more) are left out.
        """
        if not spans:
            return {}
        details = self._rows(details_of_spans(self._database, tenant, spans))
        return {(row["trace_id"], row["span_id"]): row for row in details}

    def _page(self, count: Statement, page: Statement, offset: int) -> tuple[list[Row], int]:
        total = int(self._rows(count)[0]["total"])
        return (self._rows(page) if offset < total else []), total

    def _one(self, statement: Statement) -> Row | None:
        rows = self._rows(statement)
        return rows[0] if rows else None

    def _rows(self, statement: Statement) -> list[Row]:
        with driver_errors_translated():
            result = self._client.query(statement.sql, parameters=statement.parameters, settings=self._settings)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]
