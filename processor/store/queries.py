"""What people ask of the session tables.

Must never write. Blocking: callers with an event loop run it in a thread, one call at a time for one client.
Rows are dicts by column name; times are Unix nanoseconds, costs of sessions, threads and models Decimals in dollars,
those of traces and spans nano-dollars.
"""

from __future__ import annotations

from processor.store.export_queries import ALL, Blocks, ExportQueries
from processor.store.reading import Block
from processor.store.session_pages import SessionPages
from processor.store.session_sql import (
    SORT_COLUMNS,
    STATUS_OF_END,
    SessionFilter,
    SessionStatus,
    SortOrder,
)
from processor.store.span_sql import TRACE_READ_MAX
from processor.store.statement import Row
from processor.store.stats_queries import StatsQueries
from processor.store.stats_sql import INTERVALS_MAX, TOPS, USER_SORT_COLUMNS, Interval, UserFilter
from processor.store.thread_sql import (
    THREAD_SORT_COLUMNS,
    ThreadFilter,
    ThreadStatus,
    count_threads,
    one_thread,
    page_of_threads,
)
from processor.store.trace_queries import TraceQueries
from processor.store.trace_sql import SPANS_MAX, SPANS_PER_TRACE_MAX
from processor.store.usage_sql import DIMENSIONS, breakdown, breakdown_of_session, count_models, page_of_models

__all__ = [
    "ALL",
    "DIMENSIONS",
    "INTERVALS_MAX",
    "SORT_COLUMNS",
    "SPANS_MAX",
    "SPANS_PER_TRACE_MAX",
    "STATUS_OF_END",
    "THREAD_SORT_COLUMNS",
    "TOPS",
    "TRACE_READ_MAX",
    "USER_SORT_COLUMNS",
    "Block",
    "Blocks",
    "Interval",
    "Row",
    "SessionFilter",
    "SessionQueries",
    "SessionStatus",
    "SortOrder",
    "ThreadFilter",
    "ThreadStatus",
    "UserFilter",
]


class SessionQueries(SessionPages, TraceQueries, StatsQueries, ExportQueries):
    """The reader of one database through one client. Errors: those of `Reader`."""

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
