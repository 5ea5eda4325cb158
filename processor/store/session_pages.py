"""Pages of sessions out of a table that holds older versions of its rows.

A row that is no longer the newest of its session can't be told by itself, and merging all of them to see takes a second
in ten million. So the first pages are made of *candidates*: the first rows of the list, whatever their version. Every
newest row is a row, so no session that belongs before the last candidate is missing among them; their newest rows are
looked up by key, and those that belong there are the list. Too few left: more candidates. Pages far down are read from
all newest rows instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from processor.store.reading import Reader
from processor.store.session_sql import (
    SessionFilter,
    SortOrder,
    candidates,
    count_sessions,
    newest_at,
    newest_places,
    newest_sessions,
    one_session,
    page_of_ids,
    rows_by_index,
    some_sessions,
    ties_are_read_in_order,
)
from processor.store.statement import Row, Statement

CANDIDATES_MAX: Final = 5_000
_SPARE: Final = 100  # candidates beside twice those that are needed: a session that changes often has many rows
_LOOKED_UP_SPARE: Final = 5  # sessions looked up at first beside a quarter more than are needed
BY_INDEX_MAX: Final = 1_000_000  # rows that an index leaves to be read, for it to be worth its while
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
        first = _First(self, tenant, wanted, sort_by, sort_order, offset + limit, whole=offset == 0)
        rows, total = first.rows()
        if rows is None:
            page = page_of_ids(self._database, tenant, wanted, sort_by, sort_order, limit, offset)
            shown = [row["session_id"] for row in self._rows(page)]
        elif offset == 0:
            return rows[:limit], total
        else:
            shown = [row["session_id"] for row in rows[offset : offset + limit]]
        if not shown:
            return [], total
        by_id = {row["session_id"]: row for row in self._rows(some_sessions(self._database, tenant, shown))}
        return [by_id[session_id] for session_id in shown if session_id in by_id], total

    def count_sessions(self, tenant: str, wanted: SessionFilter) -> int:
        """How many sessions there are on all pages; merges the rows of all that `wanted` selects."""
        about = (self._database, tenant, wanted)
        left = sum(row["rows"] for row in self._rows(rows_by_index(*about))) if wanted.searches else 0
        return int(self._rows(count_sessions(*about, by_index=left < BY_INDEX_MAX))[0]["total"])

    def get_session(self, tenant: str, session_id: str) -> Row | None:
        """One session, None where there is none."""
        return self._one(one_session(self._database, tenant, session_id))


class _First:
    """The first sessions of one list, at least as many as are `needed`, or all there are.

    `whole` rows have all columns, else `session_id` and `place`: what is sorted by.
    """

    def __init__(
        self,
        reader: SessionPages,
        tenant: str,
        wanted: SessionFilter,
        sort_by: str,
        sort_order: SortOrder,
        needed: int,
        *,
        whole: bool,
    ) -> None:
        self._ask = reader._rows
        self._list = (reader._database, tenant, wanted, sort_by, sort_order)
        self._in_order = ties_are_read_in_order(sort_by, sort_order)
        self._falling = sort_order == "desc"
        self._needed = needed
        self._lookup = newest_sessions if whole else newest_places

    def rows(self) -> tuple[list[Row] | None, int | None]:
        """The rows, and how many sessions there are if these are all; None where it would take too many candidates."""
        limit = 2 * self._needed + _SPARE
        while limit <= CANDIDATES_MAX:
            found = self._ask(candidates(*self._list, limit))
            if len(found) < limit:
                return self._all(found)
            rows = self._from_the_first(found)
            if len(rows) >= self._needed:
                return rows, None
            limit *= _MORE
        return None, None

    def _all(self, found: list[Row]) -> tuple[list[Row], int]:
        """Out of all rows there are."""
        ids = _ids(found)
        if len(ids) <= self._needed:
            rows = self._looked_up(ids, self._lookup)
            return rows, len(rows)
        places = self._looked_up(ids, newest_places)
        if self._lookup is newest_places or not places:
            return places, len(places)
        return self._looked_up(_ids(places[: self._needed]), self._lookup), len(places)

    def _from_the_first(self, found: list[Row]) -> list[Row]:
        """Out of the first of all rows, as far as they tell.

        Where ties stand in no order, the list is known as far as the last place but one. Those at the last place are
        asked for if the others don't do; also where they do stand in order, but all that were read are old versions.
        """
        if self._in_order and len(rows := self._newest(found)) >= self._needed:
            return rows
        last = found[-1]["place"]
        before = self._sorted([row for row in found if row["place"] != last])
        rows = self._newest(before)
        missing = self._needed - len(rows)
        if missing <= 0:
            return rows
        known = {row["session_id"] for row in rows}  # one that has changed meanwhile may stand at both places
        tied = [row["session_id"] for row in self._ask(newest_at(*self._list[:4], last, missing))]
        return rows + self._looked_up([session_id for session_id in tied if session_id not in known], self._lookup)

    def _newest(self, found: list[Row]) -> list[Row]:
        """What the newest rows of the first candidates make of the list, as far as is needed."""
        ids = _ids(found)
        count = self._needed + self._needed // 4 + _LOOKED_UP_SPARE
        while count < len(ids):
            some = set(ids[:count])
            rows = self._looked_up(ids[:count], self._lookup)
            end = next(number for number, row in enumerate(found) if row["session_id"] not in some)
            rows = self._up_to(found[end - 1], rows)
            if len(rows) >= self._needed:
                return rows
            count *= _MORE
        return self._up_to(found[-1], self._looked_up(ids, self._lookup)) if found else []

    def _looked_up(self, ids: list[str], statement: Callable[..., Statement]) -> list[Row]:
        """The newest rows of these sessions, those that the list has, in its order."""
        return self._sorted(self._ask(statement(*self._list[:4], sorted(ids)))) if ids else []

    def _sorted(self, rows: list[Row]) -> list[Row]:
        """In the order of the list. Texts compare as their UTF-8 bytes do in the store."""
        by_id = sorted(rows, key=lambda row: row["session_id"])
        return sorted(by_id, key=lambda row: row["place"], reverse=self._falling)

    def _up_to(self, last: Row, rows: list[Row]) -> list[Row]:
        """Those of the rows that stand no later in the list than another."""
        return [
            row
            for row in rows
            if (row["session_id"] <= last["session_id"] if row["place"] == last["place"] else self._before(row, last))
        ]

    def _before(self, row: Row, last: Row) -> bool:
        return bool(row["place"] > last["place"]) is self._falling


def _ids(found: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["session_id"] for row in found))
