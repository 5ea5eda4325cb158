"""What a rebuild of roll-ups asks of the store: what there is to make anew, what must go, and how far it has come.

Must never remove a row that a pass over the spans would have to make again: only such as no spans stand behind.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import polars as pl

from processor.model import CALL_TRACE, SESSION_TRACES, SUMMED, Source
from processor.row_versions import OVER_ALL, REVISION_AT, from_revision
from processor.store.auditing import AuditStore, Scope
from processor.store.clickhouse import KEYS_MAX
from processor.store.deleted import SESSIONS, TRACES
from processor.store.literals import any_of, listed, quoted

UNTIL_EVER: Final = 2**63 - 1
TRACES_PHASE, SESSIONS_PHASE, DONE = "traces", "sessions", "done"
_VERSIONED: Final = ("session_traces", "trace_sessions")
# A row that nothing beats is the key of a call.
_SAYS_NOTHING: Final = (
    f"(startsWith(trace_id, {quoted(CALL_TRACE)}) AND source = {Source.LOG:d} "
    f"AND {' AND '.join(f'{name} = 0' for name in SUMMED)} AND empty(arrayConcat(models, providers, services, tags)))"
)
_ROW: Final = pl.Schema({"tenant": pl.String(), "session_id": pl.String(), "trace_id": pl.String()})
_CALLS: Final = pl.Schema({**_ROW, "span_trace_id": pl.String()})
_PROGRESS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "since_ns": pl.Int64,
        "until_ns": pl.Int64,
        "revision": pl.UInt32,
        "prices": pl.String,
        "phase": pl.String,
        "at_tenant": pl.String,
        "at_id": pl.String,
        "traces": pl.UInt64,
        "sessions": pl.UInt64,
        "step": pl.UInt64,
    }
)


@dataclass(frozen=True, slots=True)
class Progress:
    """A row of `rebuilds`: how far the rebuild of a range has come. `step` only grows."""

    tenant: str
    since_ns: int
    until_ns: int
    revision: int
    prices: str
    phase: str = TRACES_PHASE
    at_tenant: str = ""
    at_id: str = ""
    traces: int = 0
    sessions: int = 0
    step: int = 0

    @property
    def scope(self) -> Scope:
        """The part of the store."""
        until_ns = None if self.until_ns == UNTIL_EVER else self.until_ns
        return Scope(self.since_ns, until_ns, self.tenant)


class RebuildStore(AuditStore):
    """A store with clients of its own. Errors: those of `base.Store`."""

    def unfinished(self, tenant: str, since_ns: int, until_ns: int, prices: str) -> Progress | None:
        """Where the last rebuild of just this was ended; None where there is none to go on with."""
        rows = self._read(
            f"SELECT {', '.join(_PROGRESS)} FROM {self._database}.rebuilds FINAL WHERE tenant = {quoted(tenant)} "
            f"AND since_ns = {since_ns:d} AND until_ns = {until_ns:d} ORDER BY revision DESC LIMIT 1",
            _PROGRESS,
        )
        found = [Progress(**row) for row in rows.iter_rows(named=True)]
        return next((one for one in found if one.phase != DONE and one.prices == prices), None)

    def note_progress(self, progress: Progress) -> None:
        """Write it down."""
        row = {item.name: getattr(progress, item.name) for item in fields(progress)}
        self._insert(self._rollups, "rebuilds", pl.DataFrame([row], schema=_PROGRESS).to_arrow())

    def traces_after(self, progress: Progress, size: int) -> pl.DataFrame:
        """The next traces with a span that starts in the range. Shape: `tenant, trace_id`, in this order."""
        started = f"start_ns >= {progress.since_ns:d} AND start_ns < {progress.until_ns:d}"
        return self._next(f"{self._database}.session_spans", TRACES, progress, started, size)

    def sessions_after(self, progress: Progress, size: int) -> pl.DataFrame:
        """The next sessions that have a trace row of at least its revision, or anything that overlaps the range.

        Shape: `tenant, session_id`, in this order.
        """
        overlap = progress.scope.condition("start_ns", "end_ns")
        parts = (
            f"SELECT tenant, session_id FROM {self._database}.{table} WHERE {where}"
            for table, where in (
                ("session_traces", f"{from_revision(progress.revision)} OR ({overlap})"),
                ("session_rollups", overlap),
            )
        )
        return self._next(f"({' UNION ALL '.join(parts)})", SESSIONS, progress, "1", size)

    def highest_revision(self, below: int) -> int:
        """The latest revision of any trace row, of those below a bound."""
        made = f"bitShiftRight(bitAnd(version, {OVER_ALL - 1:d}), {REVISION_AT:d})"
        parts = (f"(SELECT max({made}) FROM {self._database}.{table} WHERE {made} < {below:d})" for table in _VERSIONED)
        return self._number(f"SELECT greatest({', '.join(parts)})")

    def remove_from_revision(self, revision: int) -> None:
        """Remove trace rows of this revision and all later ones, for good, and rows that nothing beats wrongly."""
        over_all = {"session_traces": f"version >= {2 * OVER_ALL:d} OR NOT {_SAYS_NOTHING}", "trace_sessions": "1"}
        for table in _VERSIONED:
            wrong = f"{from_revision(revision)} OR (version >= {OVER_ALL:d} AND ({over_all[table]}))"
            self._remove(table, wrong, wait=True)

    def calls_of_spans(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Calls that log records report too, and that a span of the sessions counts.

        Shape: `tenant, session_id, trace_id` (the key of the row that says so), `span_trace_id`.
        """
        parts = [pl.DataFrame(schema=_CALLS)]
        for keys in sessions.iter_slices(KEYS_MAX):
            stored = f"{self._database}.session_traces WHERE ({any_of(keys, 'session_id')})"
            query = (
                f"SELECT DISTINCT tenant, session_id, concat({quoted(CALL_TRACE)}, response_id) AS call, trace_id "
                f"FROM {self._database}.session_spans "
                f"WHERE (tenant, trace_id) GLOBAL IN (SELECT tenant, trace_id FROM {stored}) "
                f"AND also_logged AND source = {Source.SPAN:d} AND response_id != '' AND session_id != ''"
            )
            calls = pl.Schema(zip(("tenant", "session_id", "call", "trace_id"), _CALLS.dtypes(), strict=True))
            parts.append(self._read(query, calls).rename({"trace_id": "span_trace_id", "call": "trace_id"}))
        return pl.concat(parts)

    def rows_over_all(self, sessions: pl.DataFrame, revision: int) -> pl.DataFrame:
        """Rows older than a revision that say a span counts what a log record reports. Shape: the keys, distinct."""
        parts = [pl.DataFrame(schema=_ROW)]
        for keys in sessions.iter_slices(KEYS_MAX):
            where = f"({any_of(keys, 'session_id')}) AND version >= {OVER_ALL:d} AND NOT {from_revision(revision)}"
            query = f"SELECT DISTINCT {', '.join(_ROW)} FROM {self._database}.session_traces WHERE {where}"
            parts.append(self._read(query, _ROW))
        return pl.concat(parts)

    def remove_trace_rows(self, rows: pl.DataFrame) -> None:
        """Remove rows of `session_traces`, all versions of them. Shape: `tenant, session_id, trace_id`."""
        for (tenant, session_id), traces in rows.partition_by("tenant", "session_id", as_dict=True).items():
            key = f"tenant = {quoted(str(tenant))} AND session_id = {quoted(str(session_id))}"
            self._remove("session_traces", f"{key} AND trace_id IN ({listed(traces['trace_id'])})", wait=True)

    def left_behind(self, sessions: pl.DataFrame, version: int) -> pl.DataFrame:
        """Trace rows of sessions that say something and are older than a version. Shape: `model.SESSION_TRACES`."""
        live = f"(span_count > 0 OR source = {Source.METRIC:d}) AND version < {version:d}"
        parts = [pl.DataFrame(schema=SESSION_TRACES)]
        for keys in sessions.iter_slices(KEYS_MAX):
            query = f"SELECT {', '.join(SESSION_TRACES)} FROM {self._database}.session_traces FINAL"
            parts.append(self._read(f"{query} WHERE ({any_of(keys, 'session_id')}) AND {live}", SESSION_TRACES))
        return pl.concat(parts)

    def without_spans(self, traces: pl.DataFrame) -> pl.DataFrame:
        """Those of the traces that have no span and no place of one. Shape: `tenant, trace_id`, distinct."""
        found = pl.concat(
            self._read_keys(table, TRACES, "trace_id", traces) for table in ("session_spans", "deleted_spans")
        )
        return traces.unique().join(found, on=traces.columns, how="anti")

    def remove_session_rows(self, sessions: pl.DataFrame) -> None:
        """Remove rows of `session_rollups`, all versions of them. Shape: `tenant, session_id`."""
        for keys in sessions.iter_slices(KEYS_MAX):
            self._remove("session_rollups", any_of(keys, "session_id"), wait=True)

    def _next(self, source: str, schema: pl.Schema, progress: Progress, condition: str, size: int) -> pl.DataFrame:
        """The next keys after where the progress is; a tenant's alone where it names one."""
        tenant, key = schema.names()
        if progress.tenant:
            condition = f"({condition}) AND tenant = {quoted(progress.tenant)}"
        last = quoted(progress.at_tenant), quoted(progress.at_id)
        after = f"(tenant > {last[0]} OR (tenant = {last[0]} AND {key} > {last[1]}))"
        return self._read(
            f"SELECT DISTINCT {tenant}, {key} FROM {source} WHERE ({condition}) AND {after} "
            f"ORDER BY {tenant}, {key} LIMIT {size:d}",
            schema,
        )


assert _PROGRESS.names() == [item.name for item in fields(Progress)]
