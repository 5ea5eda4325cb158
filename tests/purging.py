"""Deleting sessions and purging them, one step at a time, and looking for what may be left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from processor.pricing.prices import Prices
from processor.store.connection import StoreConfig, connect
from processor.store.deletions import SessionDeletions
from processor.store.purging import PurgeStore
from processor.telemetry.metrics import Metrics
from processor.worker.purge import Purge
from tests.strategies import NOW_NS

DAY_MS = 86_400_000
NOW_MS = NOW_NS // 1_000_000
BLOCK_DAYS = 30
_LOOK_S = 0.01
TOMBSTONES = ("deleted_sessions", "deleted_spans")


class Deleting:
    """Deletions and purges on one store, by a clock of the test's own."""

    def __init__(self, config: StoreConfig, prices: Prices | None = None) -> None:
        self._client = connect(config)
        self._config = config
        self._deletions = SessionDeletions(self._client, config.database, BLOCK_DAYS)
        self._store = PurgeStore(config)
        self._prices = prices or Prices()
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is remembered."""
        self._purge = Purge(self._store, self._prices, Metrics())

    def delete(self, tenant: str, session_id: str, now_ms: int = NOW_MS) -> None:
        """What the API does."""
        self._deletions.delete(tenant, session_id, now_ms)

    def begin(self, now_ms: int = NOW_MS) -> Any:
        """The first half of a purge, after which a process may die."""
        return self._purge.begin(now_ms)

    def purge(self, now_ms: int = NOW_MS) -> bool:
        """One purge, to its end; whether there was anything to do."""
        begun = self._purge.begin(now_ms)
        if begun is not None:
            self.wait()
            self._purge.finish(begun)
            self.wait()
        return begun is not None

    def release(self) -> None:
        """Purges after all that blocks is over."""
        while self.purge(NOW_MS + 3 * BLOCK_DAYS * DAY_MS):
            pass

    def wait(self) -> None:
        """Until the store has removed what it was told to."""
        while self._purge.under_way():
            time.sleep(_LOOK_S)

    def tables_with(self, needle: str, *, but: tuple[str, ...] = ()) -> dict[str, int]:
        """Rows of each table in which a text stands, anywhere, older versions of rows included."""
        return found(self._client, self._config.database, needle, but)

    def close(self) -> None:
        """Close the clients."""
        self._client.close()
        self._store.close()


def found(client: Any, database: str, needle: str, but: tuple[str, ...] = ()) -> dict[str, int]:
    """By table, how many rows have a text anywhere: all columns of all tables that there are, whoever adds some."""
    query = (
        "SELECT table, name FROM system.columns WHERE database = {database:String} AND default_kind != 'ALIAS' "
        "AND table IN (SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree')"
    )
    columns: dict[str, list[str]] = {}
    for table, name in client.query(query, {"database": database}).result_rows:
        columns.setdefault(table, []).append(f"position(toString(`{name}`), {{needle:String}}) > 0")
    assert len(columns) > 10, "the tables are there"
    counts = {
        table: client.query(f"SELECT count() FROM {database}.{table} WHERE {' OR '.join(has)}", {"needle": needle})
        for table, has in columns.items()
        if table not in but
    }
    return {table: count for table, result in counts.items() if (count := result.result_rows[0][0])}


@pytest.fixture(scope="module")
def deleting(store: Any, store_config: StoreConfig) -> Iterator[Deleting]:
    """On this module's database."""
    opened = Deleting(store_config)
    yield opened
    opened.close()
