"""What a purge asks of the store: which deletions there are, and to remove rows for good.

Removing is `ALTER TABLE ... DELETE`, one a table and partition that has any of it: parts that have some are written
anew without them, in the background, also after this process has died.
Must never remove what is not under a condition of `removal`. Source: ADR 0015.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from processor.errors import Permanent
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig, driver_errors_translated
from processor.store.deleted import DUE
from processor.store.literals import any_of, listed
from processor.store.removal import Removal, conditions, session_conditions
from processor.telemetry.metrics import Metrics

TRACES_PAGE: Final = 500  # traces whose spans are read at once
_TOMBSTONES: Final = pl.Schema(
    {
        "tenant": pl.String,
        "session_id": pl.String,
        "deletion": pl.String,
        "deleted_at_ms": pl.Int64,
        "blocked_until_ms": pl.Int64,
        "purged": pl.UInt8,
    }
)
_NOTES: Final = pl.Schema({**DUE, "note": pl.String()})
_KEYS_MAX: Final = 5_000
_BEGIN, _SYNC = 0, 2  # of `mutations_sync`: return at once, return when all replicas are through


@dataclass(frozen=True, slots=True)
class Pending:
    """Shape: `tombstones`, all there are, one a deletion; `due`, notes of `purge_due`. Units: Unix milliseconds."""

    tombstones: pl.DataFrame
    due: pl.DataFrame


class PurgeStore(ClickHouseStore):
    """A store with clients of its own, so that no tick waits for a purge."""

    def __init__(self, config: StoreConfig, metrics: Metrics | None = None) -> None:
        super().__init__(config, metrics)
        self._target = config.target

    def pending(self) -> Pending:
        """All tombstones and notes."""
        tombstones = self._read(
            "SELECT tenant, session_id, deletion, toUnixTimestamp64Milli(deleted_at) AS deleted_at_ms, "
            "toUnixTimestamp64Milli(blocked_until) AS blocked_until_ms, purged "
            f"FROM {self._database}.deleted_sessions FINAL",
            _TOMBSTONES,
        )
        return Pending(tombstones, self._read(f"SELECT * FROM {self._database}.purge_due FINAL", _NOTES))

    def traces_of(self, sessions: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The traces that have a row in a session, in blocks of `tenant, trace_id`. Shape: in, `tenant, session_id`."""
        for keys in sessions.iter_slices(_KEYS_MAX):
            yield from self._pages("session_traces", "trace_id", any_of(keys, "session_id"), TRACES_PAGE)

    def traces_with_places(self, hashes: list[str]) -> Iterator[pl.DataFrame]:
        """The traces that have places of deleted sessions, in blocks of `tenant, trace_id`."""
        return self._pages("deleted_spans", "trace_id", f"session_hash IN ({listed(hashes)})", TRACES_PAGE)

    def remove(self, removal: Removal, sessions: pl.DataFrame, released: pl.DataFrame) -> None:
        """Have the rows of traces removed, log records of sessions, and what may be left of those that are released; it
        is under way when this returns.
        """
        for table, condition in conditions(removal, sessions, released):
            self._remove(table, condition)

    def remove_sessions(self, sessions: pl.DataFrame) -> None:
        """Have the rows of sessions themselves removed."""
        for table, condition in session_conditions(sessions):
            self._remove(table, condition)

    def removing(self) -> int:
        """How many removals are under way.

        Errors: `Permanent` for one that fails again and again: it has to be looked at, and would never end.
        """
        system = "system.mutations"
        if self._target.cluster:
            system = f"clusterAllReplicas('{self._target.cluster}', {system})"
        where = f"WHERE database = '{self._database}' AND NOT is_done"
        count, failing = self._row(
            f"SELECT count(), anyIf(latest_fail_reason, latest_fail_reason != '') FROM {system} {where}"
        )
        if failing:
            raise Permanent(f"ClickHouse can't remove deleted rows (see system.mutations): {failing[:500]}")
        return int(count)

    def set_purged(self, tombstones: pl.DataFrame) -> None:
        """Note that nothing is left of what was there at these deletions. Shape: `Pending.tombstones`."""
        rows = tombstones.select(
            "tenant",
            "session_id",
            "deletion",
            deleted_at=pl.from_epoch("deleted_at_ms", "ms"),
            blocked_until=pl.from_epoch("blocked_until_ms", "ms"),
            purged=pl.lit(1, pl.UInt8),
        )
        self._insert(self._rollups, "deleted_sessions", rows.to_arrow())

    def remove_notes(self, due: pl.DataFrame) -> None:
        """Remove notes that are done. Shape: `Pending.due`."""
        for notes in due.select("note").unique().iter_slices(_KEYS_MAX):
            self._remove("purge_due", f"note IN ({listed(notes['note'])})", wait=True)

    def release_places(self, hashes: list[str]) -> None:
        """Remove the places of deleted sessions, and all others, of traces in which nothing is left."""
        for traces in self.traces_with_places(hashes):
            left = self._read_keys("session_spans", pl.Schema(traces.schema), "trace_id", traces)
            empty = traces.join(left, on=traces.columns, how="anti")
            if len(empty):
                self._remove("deleted_spans", any_of(empty, "trace_id"), wait=True)

    def remove_tombstones(self, tombstones: pl.DataFrame) -> None:
        """Release sessions, as far as they were not deleted once more. Shape: `Pending.tombstones`."""
        for some in tombstones.iter_slices(_KEYS_MAX):
            ids = f"deletion IN ({listed(some['deletion'])})"
            self._remove("deleted_sessions", f"({any_of(some, 'session_id')}) AND {ids}", wait=True)

    def _remove(self, table: str, condition: str, *, wait: bool = False) -> None:
        name = f"{self._database}.{table}"
        rows = f"{name}_local{self._target.on_cluster}" if self._target.cluster else name
        sync = _SYNC if wait else _BEGIN
        with driver_errors_translated():
            partitions = self._rollups.query(f"SELECT DISTINCT _partition_id FROM {name} WHERE {condition}").result_rows
            for (partition,) in partitions:
                removal = f"ALTER TABLE {rows} DELETE IN PARTITION ID '{partition}' WHERE {condition}"
                self._rollups.command(f"{removal} SETTINGS mutations_sync = {sync}")
