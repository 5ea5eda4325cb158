"""Whole lists, streamed: the statements of their pages, without an end to the page.

Each is one statement, so that what it gives is of one moment; the engine sorts on the disk what does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final

from processor.store.log_sql import session_logs
from processor.store.reading import Block, Reader
from processor.store.session_sql import SessionFilter, SortOrder, all_sessions
from processor.store.stats_sql import UserFilter, page_of_users
from processor.store.thread_sql import ThreadFilter, page_of_threads
from processor.store.trace_sql import page_of_traces
from processor.store.usage_sql import page_of_models

ALL: Final = 2**63 - 1
"""The limit of a list without one."""

Blocks = AbstractContextManager[Iterator[Block]]


class ExportQueries(Reader):
    """The part of `queries.SessionQueries` that streams. Columns are those of the rows of the lists."""

    def stream_sessions(
        self, tenant: str, wanted: SessionFilter, sort_by: str, sort_order: SortOrder, limit: int, offset: int
    ) -> Blocks:
        """As `list_sessions`."""
        return self._blocks(all_sessions(self._database, tenant, wanted, sort_by, sort_order, limit, offset))

    def stream_threads(
        self, tenant: str, wanted: ThreadFilter, sort_by: str, sort_order: SortOrder, limit: int, offset: int
    ) -> Blocks:
        """As `list_threads`."""
        return self._blocks(
            page_of_threads(
                self._database, tenant, wanted, sort_by=sort_by, sort_order=sort_order, limit=limit, offset=offset
            )
        )

    def stream_users(
        self, tenant: str, wanted: UserFilter, sort_by: str, sort_order: SortOrder, limit: int, offset: int
    ) -> Blocks:
        """As `list_users`."""
        return self._blocks(
            page_of_users(
                self._database, tenant, wanted, sort_by=sort_by, sort_order=sort_order, limit=limit, offset=offset
            )
        )

    def stream_models(self, tenant: str, unpriced: bool, limit: int, offset: int) -> Blocks:
        """As `list_models`."""
        return self._blocks(page_of_models(self._database, tenant, unpriced, limit, offset))

    def stream_traces(self, tenant: str, session_id: str, limit: int, offset: int) -> Blocks:
        """As `session_traces`."""
        return self._blocks(page_of_traces(self._database, tenant, session_id, limit, offset))

    def stream_logs(self, tenant: str, session_id: str, limit: int, offset: int) -> Blocks:
        """As `session_logs`."""
        return self._blocks(session_logs(self._database, tenant, session_id, limit, offset))
