"""What budgets ask of the store: crossings, which of them are to be posted, and who posts them."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import polars as pl
import pyarrow as pa

from processor.model import SESSION_ROLLUPS
from processor.store.clickhouse import KEYS_MAX, ClickHouseStore
from processor.store.connection import StoreConfig
from processor.store.literals import any_of, quoted

ALERTS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "session_id": pl.String,
        "rule": pl.String,
        "sequence": pl.Int64,
        "revision": pl.Int64,
        "id": pl.String,
        "state": pl.String,
        "mark": pl.String,
        "attempts": pl.Int64,
        "due_at_ms": pl.Int64,
        "crossed_at_ms": pl.Int64,
        "payload": pl.String,
    }
)
DUE_MAX: Final = 500  # alerts taken at once
ENDED_MAX: Final = 5_000


class BudgetStore(ClickHouseStore):
    """A store with clients of its own. Errors: those of `base.Store`."""

    def __init__(self, config: StoreConfig) -> None:
        super().__init__(config)
        self._claimant = uuid4().hex
        self._alive = (
            "cityHash64(tenant, session_id) GLOBAL NOT IN "
            f"(SELECT cityHash64(tenant, session_id) FROM {self._database}.deleted_sessions)"
        )

    def last_alerts(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """The last crossing of each rule by each session. Shape: in, `tenant, session_id`; out, `ALERTS`."""
        if not self._number(f"SELECT count() FROM {self._database}.budget_alerts"):
            return pl.DataFrame(schema=ALERTS)
        parts = [pl.DataFrame(schema=ALERTS)]
        for keys in sessions.iter_slices(KEYS_MAX):
            query = f"SELECT {', '.join(ALERTS)} FROM {self._database}.budget_alerts FINAL"
            last = "ORDER BY sequence DESC LIMIT 1 BY tenant, session_id, rule"
            parts.append(self._read(f"{query} WHERE {any_of(keys, 'session_id')} {last}", ALERTS))
        return pl.concat(parts)

    def write_alerts(self, rows: list[dict[str, Any]]) -> None:
        """Write crossings, or newer revisions of them. Shape: `ALERTS`."""
        self._insert(self._rollups, "budget_alerts", pl.DataFrame(rows, schema=ALERTS).to_arrow())

    def due_alerts(self, states: tuple[str, ...], now_ms: int) -> pl.DataFrame:
        """What is to be done now, the longest due first. Shape: `ALERTS`."""
        wanted = ", ".join(quoted(state) for state in states)
        return self._read(
            f"SELECT {', '.join(ALERTS)} FROM {self._database}.budget_alerts FINAL WHERE state IN ({wanted}) "
            f"AND due_at_ms <= {now_ms:d} AND {self._alive} ORDER BY due_at_ms, id LIMIT {DUE_MAX:d}",
            ALERTS,
        )

    def alerts_in(self, state: str) -> int:
        """How many alerts are in a state."""
        return self._number(f"SELECT count() FROM {self._database}.budget_alerts FINAL WHERE state = {quoted(state)}")

    def is_claimed(self, tenant: str, message_id: str, attempt: int, for_s: float) -> bool:
        """Whether this store's process is the first to claim an attempt, for so long. Units: the store's clock.

        Each writes before it looks, so of two the later one sees the earlier one's claim.
        """
        row = pa.table(
            {
                "tenant": [tenant],
                "id": [message_id],
                "attempt": pa.array([attempt], pa.uint32()),
                "claimant": [self._claimant],
            }
        )
        self._insert(self._rollups, "budget_claims", row)
        first = self._row(
            f"SELECT argMin(claimant, (claimed_at, claimant)) FROM {self._database}.budget_claims "
            f"WHERE tenant = {quoted(tenant)} AND id = {quoted(message_id)} AND attempt = {attempt:d} "
            f"AND claimed_at > now64(6) - toIntervalMillisecond({int(for_s * 1_000):d})"
        )
        return bool(first[0] == self._claimant)

    def sessions_ended(self, after_ns: int, until_ns: int, past: tuple[str, str] | None) -> pl.DataFrame:
        """Sessions whose last span ended after one time and not after another, the next in the order of their keys.

        Shape: `model.SESSION_ROLLUPS`. Units: Unix nanoseconds.
        """
        where = f"end_ns > {after_ns:d} AND end_ns <= {until_ns:d}"
        if past is not None:
            tenant, session = (quoted(text) for text in past)
            where += f" AND (tenant > {tenant} OR (tenant = {tenant} AND session_id > {session}))"
        # The projection by end leads to rows of any version; which of them are the newest, the second look tells.
        keys = (
            f"SELECT DISTINCT tenant, session_id FROM {self._database}.session_rollups WHERE {where} AND {self._alive}"
        )
        found = self._read(
            f"{keys} ORDER BY tenant, session_id LIMIT {ENDED_MAX:d}",
            pl.Schema({"tenant": pl.String, "session_id": pl.String}),
        )
        return self.sessions_now(found)

    def sessions_now(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """The newest rows of sessions. Shape: in, `tenant, session_id`; out, `model.SESSION_ROLLUPS`."""
        return self._read_keys("session_rollups FINAL", SESSION_ROLLUPS, "session_id", sessions)

    def setting(self, name: str) -> str:
        """What `write_setting` has written last; '' for nothing."""
        query = f"SELECT any(value) FROM {self._database}.settings FINAL WHERE name = {quoted(name)}"
        return str(self._row(query)[0])
