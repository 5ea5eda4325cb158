"""What people ask of the session tables.

Must never write. Blocking: callers with an event loop run it in a thread, one call at a time for one client.
Rows are dicts by column name; times are Unix nanoseconds, `total_cost` a Decimal in dollars.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Protocol

from processor.store.connection import driver_errors_translated
from processor.store.session_sql import (
    SORT_COLUMNS,
    SessionFilter,
    SortOrder,
    Statement,
    count_sessions,
    one_session,
    page_of_sessions,
)
from processor.store.trace_sql import count_traces, details_of_spans, page_of_traces, spans_of_traces

__all__ = ["SORT_COLUMNS", "Row", "SessionFilter", "SessionQueries", "SortOrder"]

Row = dict[str, Any]

_NO_DETAILS: Row = {"span_kind": "", "status_message": "", "attributes": {}}


class Client(Protocol):
    """The part of a clickhouse-connect client that reading needs."""

    def query(self, query: str, parameters: dict[str, Any], settings: dict[str, Any]) -> Any:
        """Run one statement with bound parameters."""


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
        total = self._total(count_sessions(self._database, tenant, wanted))
        if offset >= total:
            return [], total
        page = page_of_sessions(
            self._database, tenant, wanted, sort_by=sort_by, sort_order=sort_order, limit=limit, offset=offset
        )
        return self._rows(page), total

    def get_session(self, tenant: str, session_id: str) -> Row | None:
        """One session, None where there is none."""
        rows = self._rows(one_session(self._database, tenant, session_id))
        return rows[0] if rows else None

    def session_traces(self, tenant: str, session_id: str, limit: int = 50, offset: int = 0) -> tuple[list[Row], int]:
        """One page of the session's traces, and how many there are; empty for a session that does not exist.

        Each trace has its `spans`, the earliest first: the narrow row, and `span_kind`, `status_message` and
        `attributes` where the wide table still has the span. `span_count` counts the session's own spans of the
        trace; `spans` shows the whole trace.
        """
        total = self._total(count_traces(self._database, tenant, session_id))
        if offset >= total:
            return [], total
        traces = self._rows(page_of_traces(self._database, tenant, session_id, limit, offset))
        spans = self._spans(tenant, [trace["trace_id"] for trace in traces])
        return [{**trace, "spans": spans[trace["trace_id"]]} for trace in traces], total

    def _spans(self, tenant: str, trace_ids: list[str]) -> dict[str, list[Row]]:
        spans = self._rows(spans_of_traces(self._database, tenant, trace_ids))
        by_trace: dict[str, list[Row]] = defaultdict(list)
        if not spans:
            return by_trace
        details = {
            (row["trace_id"], row["span_id"]): row
            for row in self._rows(details_of_spans(self._database, tenant, spans))
        }
        for span in spans:
            detail = details.get((span["trace_id"], span["span_id"]), _NO_DETAILS)
            by_trace[span["trace_id"]].append({**detail, **span})
        return by_trace

    def _total(self, statement: Statement) -> int:
        return int(self._rows(statement)[0]["total"])

    def _rows(self, statement: Statement) -> list[Row]:
        with driver_errors_translated():
            result = self._client.query(statement.sql, parameters=statement.parameters, settings=self._settings)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]
