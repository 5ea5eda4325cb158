"""What people ask of many sessions together."""

from __future__ import annotations

from processor.store.reading import Reader
from processor.store.session_sql import SessionFilter, SortOrder
from processor.store.statement import Row
from processor.store.stats_sql import (
    TOPS,
    Interval,
    UserFilter,
    bounds_of_starts,
    count_users,
    page_of_users,
    series_of_sessions,
    top_users_of_sessions,
    tops_of_sessions,
)


class StatsQueries(Reader):
    """The part of `queries.SessionQueries` that is about many sessions together."""

    def starts_of_sessions(self, tenant: str, wanted: SessionFilter) -> tuple[int, int] | None:
        """When the first and the last of the sessions started, Unix nanoseconds; None where there are none."""
        (row,) = self._rows(bounds_of_starts(self._database, tenant, wanted))
        return (row["first_ns"], row["last_ns"]) if row["total"] else None

    def session_series(self, tenant: str, wanted: SessionFilter, interval: Interval) -> tuple[Row | None, list[Row]]:
        """Sums and quantiles over all sessions, and those of each interval in which one started, in order.

        None and nothing where there are no sessions.
        """
        rows = self._rows(series_of_sessions(self._database, tenant, wanted, interval))
        total, series = rows[:1], rows[1:]
        return (total[0], series) if series else (None, [])

    def session_tops(self, tenant: str, wanted: SessionFilter, top: int) -> dict[str, list[Row]]:
        """What sessions with the same label took, by each of `TOPS`, the most expensive first."""
        found: dict[str, list[Row]] = {part: [] for part in TOPS}
        for row in self._rows(tops_of_sessions(self._database, tenant, wanted, top)):
            found[row["part"]].append(row)
        return found

    def session_users(self, tenant: str, wanted: SessionFilter, top: int) -> tuple[list[Row], int]:
        """What the most expensive users' sessions took, and how many users there are."""
        rows = self._rows(top_users_of_sessions(self._database, tenant, wanted, top))
        return rows, rows[0]["user_count"] if rows else 0

    def list_users(
        self,
        tenant: str,
        wanted: UserFilter,
        *,
        sort_by: str = "last_seen",
        sort_order: SortOrder = "desc",
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Row], int]:
        """One page of users, and how many there are on all pages."""
        page = page_of_users(
            self._database, tenant, wanted, sort_by=sort_by, sort_order=sort_order, limit=limit, offset=offset
        )
        # The page knows the total, unless it is empty: counting users takes as long as summing them.
        rows = self._rows(page)
        if rows:
            return rows, rows[0]["total"]
        return [], int(self._rows(count_users(self._database, tenant, wanted))[0]["total"])
