"""What an audit reads: which sessions there are, by anything that names them, and their rows as people see them.

Must never write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from processor.model import SESSION_ROLLUPS, SESSION_TRACES, TRACE_SESSIONS, Source
from processor.store.clickhouse import KEYS_MAX
from processor.store.deleted import SESSIONS, TRACES
from processor.store.literals import any_of, quoted
from processor.store.purging import PurgeStore

PRICES_USED: Final = "prices: "
"""What stands before a price table's name in `settings`: roll-ups were made by it."""

_NAMING: Final = pl.Schema({"tenant": pl.String, "session_id": pl.String, "trace_id": pl.String})
_BATCHES: Final = pl.Schema({**TRACES, "batch_seq": pl.UInt64()})
_COUNTED: Final = pl.Schema({**TRACES, "span_count": pl.Int64()})
_HASH_MAX: Final = 2**64 - 2048  # the largest number below it that a float says exactly
_SPARE: Final = 4  # as many candidates as are wanted: their number is estimated


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of a store. Units: Unix nanoseconds; None is without a bound, '' is every tenant."""

    since_ns: int | None = None
    until_ns: int | None = None
    tenant: str = ""

    def condition(self, starts: str, ends: str) -> str:
        """Of rows between two times: they overlap the range."""
        parts = [f"tenant = {quoted(self.tenant)}"] if self.tenant else []
        parts += [f"{ends} >= {self.since_ns:d}"] if self.since_ns is not None else []
        parts += [f"{starts} < {self.until_ns:d}"] if self.until_ns is not None else []
        return " AND ".join(parts) or "1"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A deliberate rewrite of roll-ups, by which prices, and when it began. Units: Unix seconds."""

    revision: int
    prices: str
    at_s: int


class AuditStore(PurgeStore):
    """A store with clients of its own, so that no tick waits for an audit. Errors: those of `base.Store`."""

    def sampled_sessions(self, scope: Scope, count: int, seed: int) -> pl.DataFrame:
        """So many sessions that are not deleted, the same for the same seed: those of the smallest hashes.

        Known by a row of any table: one that has spans and no roll-up is among them. Shape: `tenant, session_id`.
        """
        known = self._number(f"SELECT uniq(tenant, session_id) FROM {self._named(scope)}")
        for share in (_SPARE * count / max(known, 1), 1.0):
            bound = f"toUInt64({min(share, 1.0)!r} * {_HASH_MAX})"
            found = self._read(
                f"SELECT DISTINCT tenant, session_id FROM {self._named(scope)} "
                f"WHERE cityHash64({seed:d}, tenant, session_id) <= {bound} "
                f"ORDER BY cityHash64({seed:d}, tenant, session_id), tenant, session_id LIMIT {count:d}",
                SESSIONS,
            )
            if len(found) == count or share >= 1.0:
                return found
        return found

    def traces_naming(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """The traces that have a row in a session, or a span that names it. Shape: `tenant, session_id, trace_id`."""
        parts = [pl.DataFrame(schema=_NAMING)]
        for table in ("session_spans", "session_traces"):
            for keys in sessions.iter_slices(KEYS_MAX):
                where = any_of(keys, "session_id")
                query = f"SELECT DISTINCT tenant, session_id, trace_id FROM {self._database}.{table} WHERE {where}"
                parts.append(self._read(query, _NAMING))
        return pl.concat(parts).unique()

    def stored_session_traces(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """The newest trace rows of sessions. Shape: `model.SESSION_TRACES`."""
        return self._read_keys("session_traces FINAL", SESSION_TRACES, "session_id", sessions)

    def stored_session_rollups(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """The newest rows of sessions. Shape: `model.SESSION_ROLLUPS`."""
        return self._read_keys("session_rollups FINAL", SESSION_ROLLUPS, "session_id", sessions)

    def stored_trace_sessions(self, traces: pl.DataFrame) -> pl.DataFrame:
        """The newest rows of traces. Shape: `model.TRACE_SESSIONS`."""
        return self._read_keys("trace_sessions FINAL", TRACE_SESSIONS, "trace_id", traces)

    def last_batches(self, traces: pl.DataFrame) -> pl.DataFrame:
        """The largest number of a batch that brought a span of each trace. Shape: `tenant, trace_id, batch_seq`."""
        return self._of_traces("max(batch_seq) AS batch_seq", traces, _BATCHES)

    def counted_spans(self, traces: pl.DataFrame) -> pl.DataFrame:
        """What the engine counts of traces, without any code of the roll-up. Shape: `tenant, trace_id, span_count`.

        Traces of counters have no row.
        """
        return self._of_traces("uniqExact(span_id) AS span_count", traces, _COUNTED, f"source != {Source.METRIC:d}")

    def prices_used(self) -> dict[str, int]:
        """Price tables by name, and when a worker that uses it was last started. Units: Unix seconds."""
        query = f"SELECT name, toUnixTimestamp64Milli(written_at) AS ms FROM {self._database}.settings FINAL"
        rows = self._read(
            f"{query} WHERE startsWith(name, {quoted(PRICES_USED)})", pl.Schema({"name": pl.String, "ms": pl.Int64})
        )
        return {name.removeprefix(PRICES_USED): ms // 1_000 for name, ms in rows.iter_rows()}

    def rewrites(self) -> list[Rewrite]:
        """All deliberate rewrites there were."""
        query = f"SELECT revision, what, toUnixTimestamp(written_at) AS at FROM {self._database}.revisions"
        schema = pl.Schema({"revision": pl.Int64, "what": pl.String, "at": pl.Int64})
        return [
            Rewrite(revision, _prices_of(what), at_s) for revision, what, at_s in self._read(query, schema).iter_rows()
        ]

    def _named(self, scope: Scope) -> str:
        ranges = {
            "session_rollups": scope.condition("start_ns", "end_ns"),
            "session_traces": scope.condition("start_ns", "end_ns"),
            "session_spans": f"session_id != '' AND {scope.condition('start_ns', 'greatest(start_ns, end_ns)')}",
        }
        alive = (
            "cityHash64(tenant, session_id) GLOBAL NOT IN "
            f"(SELECT cityHash64(tenant, session_id) FROM {self._database}.deleted_sessions)"
        )
        parts = (
            f"SELECT tenant, session_id FROM {self._database}.{table} WHERE {where} AND {alive}"
            for table, where in ranges.items()
        )
        return f"({' UNION ALL '.join(parts)})"

    def _of_traces(self, columns: str, traces: pl.DataFrame, schema: pl.Schema, condition: str = "1") -> pl.DataFrame:
        query = f"SELECT tenant, trace_id, {columns} FROM {self._database}.session_spans WHERE {condition} AND "
        parts = [
            self._read(f"{query} ({any_of(keys, 'trace_id')}) GROUP BY tenant, trace_id", schema)
            for keys in traces.iter_slices(KEYS_MAX)
        ]
        return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def _prices_of(what: str) -> str:
    """Of a rewrite's name: what it is, a colon, its prices, and a name of its own in parentheses."""
    return what.partition(": ")[2].rpartition(" (")[0]
