"""What ticks tell budgets: the session rows that they have written. Runs in the tick's thread.

A crossing is in the store before the tick is over, and what the tick was about is rolled up again if it fails: so no
crossing is lost. Must never post anything: that is `delivery`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import polars as pl

from processor.rollup.span_set import SESSION_KEY
from processor.store.budgeting import BudgetStore
from processor.worker.budgets.config import BudgetRule
from processor.worker.budgets.crossings import Alert, Key, crossings


class BudgetWatch:
    """Called with session rows. `found` is called when there is something to post."""

    def __init__(
        self, store: BudgetStore, rules: Sequence[BudgetRule], now_ms: Callable[[], int], found: Callable[[], None]
    ) -> None:
        self._store = store
        self._rules = rules
        self._now_ms = now_ms
        self._found = found

    def __call__(self, rows: pl.DataFrame) -> None:
        """Shape: `model.SESSION_ROLLUPS`. Errors: those of the store."""
        if rows.is_empty():
            return
        known = last_alerts(self._store, rows.select(SESSION_KEY))
        if fresh := list(crossings(rows, self._rules, known, self._now_ms())):
            self._store.write_alerts([asdict(alert) for alert in fresh])
            self._found()


def last_alerts(store: BudgetStore, sessions: pl.DataFrame) -> dict[Key, Alert]:
    """The last crossing of each key that has any. Shape: `tenant, session_id`. Errors: those of the store."""
    rows = [Alert(**row) for row in store.last_alerts(sessions).iter_rows(named=True)]
    return {alert.key: alert for alert in rows}
