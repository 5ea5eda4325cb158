"""Pages of sessions out of a table that holds older versions of its rows.

A row that is no longer the newest of its session can't be told by itself, and merging all of them to see takes a second
in ten million. So the first pages are made of *candidates*: the sessions of the first rows of the list, whatever the
version of those. Every newest row is a row, so no session that belongs before the last candidate is missing among them;
their newest rows are looked up by key, and those that belong there are the list. Too few left: more candidates. Pages
far down are read from all newest rows instead.
"""

from __future__ import annotations

from typing import Final

from processor.store.reading import Reader
from processor.store.session_sql import (
    SessionFilter,
    SortOrder,
    candidates,
    count_sessions,
    newest_of,
    one_session,
    page_of_ids,
    some_sessions,
)
from processor.store.statement import Row

CANDIDATES_MAX: Final = 5_000
_SPARE: Final = 100  # candidates beside twice those that are needed: a session that changes often has many rows
_MORE: Final = 4  # times as many when they were too few


class SessionPages(Reader):
    """The part of `queries.SessionQueries` that is about lists of sessions."""

    def list_sessions(
        self,
        tenant: str,
        wanted: SessionFilter,
        *,
        sort_by: str = "start",
        sort_order: SortOrder = "desc",
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Row], int | None]:
        """One page of sessions, and how many there are on all pages where the page's making tells; else None.

        A session that changes between two statements shows what it has become.
        """
        ids, total = self._first_ids(tenant, wanted, sort_by, sort_order, offset + limit)
        if ids is None:
            page = page_of_ids(self._database, tenant, wanted, sort_by, sort_order, limit, offset)
            ids, offset = [row["session_id"] for row in self._rows(page)], 0
        shown = ids[offset : offset + limit]
        if not shown:
            return [], total
        rows = {row["session_id"]: row for row in self._rows(some_sessions(self._database, tenant, shown))}
        return [rows[session_id] for session_id in shown if session_id in rows], total

    def count_sessions(self, tenant: str, wanted: SessionFilter) -> int:
        """How many sessions there are on all pages; merges the rows of all that `wanted` selects."""
        return int(self._rows(count_sessions(self._database, tenant, wanted))[0]["total"])

    def get_session(self, tenant: str, session_id: str) -> Row | None:
        """One session, None where there is none."""
        return self._one(one_session(self._database, tenant, session_id))

    def _first_ids(
        self, tenant: str, wanted: SessionFilter, sort_by: str, sort_order: SortOrder, needed: int
    ) -> tuple[list[str] | None, int | None]:
        """The first ids of the list, at least as many as are needed or all there are, and how many there are if they
        are all; None where it would take too many candidates.
        """
        limit = 2 * needed + _SPARE
        while limit <= CANDIDATES_MAX:
            found = self._rows(candidates(self._database, tenant, wanted, sort_by, sort_order, limit))
            keys = sorted({row["session_id"] for row in found})
            rows = self._rows(newest_of(self._database, tenant, wanted, sort_by, sort_order, keys)) if keys else []
            if len(found) < limit:
                return [row["session_id"] for row in rows], len(rows)
            ids = [row["session_id"] for row in rows if _is_up_to(row, found[-1], sort_order)]
            if len(ids) >= needed:
                return ids, None
            limit *= _MORE
        return None, None


def _is_up_to(row: Row, last: Row, sort_order: SortOrder) -> bool:
    """Whether a row stands no later in the list than another. Texts compare as their UTF-8 bytes do in the store."""
    if row["place"] == last["place"]:
        return bool(row["session_id"] <= last["session_id"])
    return bool(row["place"] > last["place"]) is (sort_order == "desc")
