"""Crossings in the store: the newest revision counts, one worker posts, and a deleted session is told of no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import polars as pl
import pytest

from processor.model import SESSION_ROLLUPS
from processor.store.budgeting import BudgetStore
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.worker.budgets.config import BudgetRule
from processor.worker.budgets.crossings import PENDING, POSTED, after_attempt
from processor.worker.budgets.watch import BudgetWatch, last_alerts
from tests.integration.stored import T0, S, session
from tests.purging import Deleting, deleting

pytestmark = pytest.mark.every_store
__all__ = ["deleting"]

NOW_MS = T0 // 1_000_000
RULE = BudgetRule("many", "ops", tokens=100)
FOR_S = 0.5


@pytest.fixture(scope="module")
def two(store: ClickHouseStore, store_config: StoreConfig) -> Iterator[tuple[BudgetStore, BudgetStore]]:
    """Two workers' stores."""
    made = BudgetStore(store_config), BudgetStore(store_config)
    yield made
    for one in made:
        one.close()


def rows(tenant: str, **values: int) -> pl.DataFrame:
    """One session's row."""
    return pl.DataFrame([session("s", tenant=tenant, **values)], schema=SESSION_ROLLUPS)


def test_two_workers_find_one_crossing(two: tuple[BudgetStore, BudgetStore], store_config: StoreConfig) -> None:
    """A late worker's row does not undo a post; a second time over is another alert."""
    told: list[int] = []
    watches = [BudgetWatch(one, [RULE], lambda: NOW_MS, lambda: told.append(1)) for one in two]
    over = rows("crossing", total_tokens=101)
    for watch in watches:
        watch(over)
    assert len(told) == 1
    (alert,) = last_alerts(two[0], over.select("tenant", "session_id")).values()
    two[1].write_alerts([asdict(after_attempt(alert, POSTED, NOW_MS))])
    two[0].write_alerts([asdict(alert)])  # of a worker that was slow
    assert last_alerts(two[0], over.select("tenant", "session_id"))[alert.key].state == POSTED
    watches[0](rows("crossing", total_tokens=50))
    watches[1](rows("crossing", total_tokens=200))
    again = last_alerts(two[0], over.select("tenant", "session_id"))[alert.key]
    assert (again.sequence, again.state) == (3, PENDING)
    assert again.id != alert.id


def test_an_attempt_is_one_workers(two: tuple[BudgetStore, BudgetStore], store_config: StoreConfig) -> None:
    """Until its time is over; the next attempt is anybody's."""
    first, second = two
    assert first.is_claimed("claims", "msg", 0, 60)
    assert not second.is_claimed("claims", "msg", 0, 60)
    assert first.is_claimed("claims", "msg", 0, 60)
    assert second.is_claimed("claims", "msg", 1, 60)
    while not first.is_claimed("claims", "msg", 1, FOR_S):
        pass


def test_a_deleted_session_is_told_of_no_more(
    two: tuple[BudgetStore, BudgetStore], store_config: StoreConfig, deleting: Deleting
) -> None:
    """At once, and its alerts go with it."""
    store = two[0]
    BudgetWatch(store, [RULE], lambda: NOW_MS, lambda: None)(rows("deleted", total_tokens=101))

    def due() -> list[str]:
        return [tenant for tenant in store.due_alerts((PENDING,), NOW_MS)["tenant"] if tenant == "deleted"]

    assert due() == ["deleted"]
    deleting.delete("deleted", "s")
    assert due() == []
    deleting.purge()
    assert not last_alerts(store, rows("deleted").select("tenant", "session_id"))


def test_endings_are_looked_for_by_the_last_span(
    two: tuple[BudgetStore, BudgetStore], store: ClickHouseStore, store_config: StoreConfig
) -> None:
    """After one time and up to another, page by page."""
    ended = [session(f"s{n}", tenant="ended", end_ns=T0 + n * S) for n in range(5)]
    store.write_sessions(pl.DataFrame(ended, schema=SESSION_ROLLUPS))
    found = two[0].sessions_ended(T0, T0 + 3 * S, None)
    of_tenant = found.filter(pl.col("tenant") == "ended")
    assert sorted(of_tenant["session_id"]) == ["s1", "s2", "s3"]
    rest = two[0].sessions_ended(T0, T0 + 3 * S, ("ended", "s1")).filter(pl.col("tenant") == "ended")
    assert sorted(rest["session_id"]) == ["s2", "s3"]
