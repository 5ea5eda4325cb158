"""Which rows a purge removes from which table, as data and as SQL.

Conditions are on keys that all versions of a row share, so that no older version is left; and they name what a table is
sorted and partitioned by, so that removing costs what is removed and not what is stored.
Must never talk to a database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from processor.model import NANOS_PER_SECOND, SESSION_ROLLUPS, SESSION_TRACES, STORED_SPANS, TRACE_SESSIONS
from processor.store.literals import any_of, listed, quoted

DAY_NS: Final = 86_400 * NANOS_PER_SECOND
_NAMES_MAX: Final = 1_000  # of spans in one condition; more say little of where rows lie
_TRACE: Final = ("tenant", "trace_id")
_SPAN: Final = (*_TRACE, "span_id")
_VERSION: Final = (*_SPAN, "content_hash", "session_id", "start_ns", "end_ns")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Rows that were written anew: older versions of them may say what is deleted.

    Shape: `session_traces`, `tenant, session_id, trace_id, version`; the others `tenant`, their key and `version`.
    """

    session_traces: pl.DataFrame
    trace_sessions: pl.DataFrame
    session_rollups: pl.DataFrame

    @classmethod
    def of(cls, session_traces: pl.DataFrame, trace_sessions: pl.DataFrame, session_rollups: pl.DataFrame) -> Rewritten:
        """Of rows as they were written."""
        return cls(
            session_traces.select("tenant", "session_id", "trace_id", "version"),
            trace_sessions.select("tenant", "trace_id", "version"),
            session_rollups.select("tenant", "session_id", "version"),
        )

    def __add__(self, other: Rewritten) -> Rewritten:
        return Rewritten(
            pl.concat([self.session_traces, other.session_traces]),
            pl.concat([self.trace_sessions, other.trace_sessions]),
            pl.concat([self.session_rollups, other.session_rollups]),
        )


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes.

    Shape: `traces`, `tenant, trace_id`: nothing stays of them. `spans`, `_VERSION`: rows of other traces. `placed`,
    `tenant, trace_id, span_id`: all deleted spans of these other traces, for their log records. `where`, `tenant, day,
    service, name`: where wide rows of all of them lie. Units: `day` in days since 1970; the times are Unix nanoseconds
    of the first start and the last end.
    """

    traces: pl.DataFrame
    spans: pl.DataFrame
    placed: pl.DataFrame
    where: pl.DataFrame
    start_ns: int
    end_ns: int
    rewritten: Rewritten

    @classmethod
    def of(cls, gone: pl.DataFrame, empty: pl.DataFrame, places: pl.DataFrame, rewritten: Rewritten) -> Removal:
        """Of judged traces. Shape: `rollup.deleted.Judged`; `places` are all of their places."""
        times = pl.concat([gone.select("start_ns", "end_ns"), places.select("start_ns", "end_ns")])
        day = (pl.col("start_ns") // DAY_NS).alias("day")
        return cls(
            traces=empty,
            spans=gone.join(empty, on=_TRACE, how="anti").select(_VERSION),
            placed=places.join(empty, on=_TRACE, how="anti").select(_SPAN).unique(),
            where=gone.select("tenant", day, "service", "name").unique(),
            start_ns=_number(times["start_ns"].min()),
            end_ns=max(_number(times["start_ns"].max()), _number(times["end_ns"].max())),
            rewritten=rewritten,
        )

    @classmethod
    def nothing(cls) -> Removal:
        """What no trace adds to."""
        none = pl.DataFrame(schema=STORED_SPANS)
        keys = [pl.DataFrame(schema=schema) for schema in (SESSION_TRACES, TRACE_SESSIONS, SESSION_ROLLUPS)]
        return cls.of(none, none.select(_TRACE), none, Rewritten.of(*keys))

    def __add__(self, other: Removal) -> Removal:
        if not other.size:
            return self
        if not self.size:
            return other
        return Removal(
            pl.concat([self.traces, other.traces]),
            pl.concat([self.spans, other.spans]),
            pl.concat([self.placed, other.placed]),
            pl.concat([self.where, other.where]).unique(),
            min(self.start_ns, other.start_ns),
            max(self.end_ns, other.end_ns),
            self.rewritten + other.rewritten,
        )

    @property
    def size(self) -> int:
        """Keys in its conditions."""
        rewritten = self.rewritten
        rows = (self.traces, self.spans, self.placed, rewritten.session_traces, rewritten.session_rollups)
        return sum(len(part) for part in rows)


def conditions(removal: Removal, sessions: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Tables and what to remove from them, in an order that may break off anywhere and begin anew.

    What leads to other rows goes after them: narrow spans lead to wide ones, a session's trace rows to its traces.
    Shape: `sessions`, `tenant, session_id`: all of their own rows go.
    """
    yield from (("otel_traces", condition) for condition in _wide(removal))
    if logs := _logs(removal, sessions):
        yield "otel_logs", logs
    if len(removal.traces):
        for table in ("trace_sessions", "shared_traces"):
            yield table, any_of(removal.traces, "trace_id")
    yield from _older(removal.rewritten)
    if narrow := _narrow(removal):
        yield "session_spans", f"start_ns BETWEEN {removal.start_ns:d} AND {removal.end_ns:d} AND ({narrow})"


def session_conditions(sessions: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """The rows of sessions themselves. To be removed after everything that `conditions` says."""
    if len(sessions):
        for table in ("session_metrics", "session_rollups", "session_traces"):
            yield table, any_of(sessions, "session_id")


def _older(rewritten: Rewritten) -> Iterator[tuple[str, str]]:
    """Versions below those that were written; what a worker has written since is above them."""
    for table, rows, key in (
        ("session_traces", rewritten.session_traces, "trace_id"),
        ("trace_sessions", rewritten.trace_sessions, "trace_id"),
        ("session_rollups", rewritten.session_rollups, "session_id"),
    ):
        parts = []
        for (tenant,), of_tenant in rows.partition_by("tenant", as_dict=True).items():
            newest = of_tenant.group_by(key).agg(pl.col("version").min())
            known = f"tenant = {quoted(str(tenant))} AND {key} IN ({listed(newest[key])})"
            if table == "session_traces":
                known += f" AND session_id IN ({listed(of_tenant['session_id'].unique())})"
            versions = f"[{listed(newest[key])}], [{listed(newest['version'])}]"
            parts.append(f"({known} AND version < transform({key}, {versions}, toUInt64(0)))")
        if parts:
            yield table, " OR ".join(parts)


def _wide(removal: Removal) -> Iterator[str]:
    """One condition a tenant and day, so a partition each."""
    whole = {tenant: ids for (tenant,), ids in removal.traces.partition_by("tenant", as_dict=True).items()}
    parts = {tenant: rows for (tenant,), rows in removal.spans.partition_by("tenant", as_dict=True).items()}
    for (tenant, day), where in (
        removal.where.sort("tenant", "day").partition_by("tenant", "day", as_dict=True, maintain_order=True).items()
    ):
        among = []
        if tenant in whole:
            among.append(f"TraceId IN ({listed(whole[tenant]['trace_id'])})")
        if tenant in parts:
            rows = parts[tenant].select("trace_id", "span_id", "session_id", "start_ns", "end_ns")
            among.append(
                "(TraceId, SpanId, SessionId, toUnixTimestamp64Nano(Timestamp), toUnixTimestamp64Nano(EndTimestamp)) "
                f"IN ({_tuples(rows)}) AND TraceId IN ({listed(rows['trace_id'].unique())})"
            )
        if among:
            begin_s = int(day) * DAY_NS // NANOS_PER_SECOND
            names = where["name"].unique()
            yield (
                f"Tenant = {quoted(str(tenant))} AND ServiceName IN ({listed(where['service'].unique())}) "
                + (f"AND SpanName IN ({listed(names)}) " if len(names) <= _NAMES_MAX else "")
                + f"AND Timestamp >= toDateTime64({begin_s}, 9) "
                f"AND Timestamp < toDateTime64({begin_s + DAY_NS // NANOS_PER_SECOND}, 9) AND ({' OR '.join(among)})"
            )


def _logs(removal: Removal, sessions: pl.DataFrame) -> str:
    """Records that name a session, at any time; those that name none, about the time of their trace."""
    of_trace = []
    if len(removal.traces):
        of_trace.append(any_of(removal.traces, "trace_id", "TraceId", "Tenant"))
    for (tenant,), rows in removal.placed.partition_by("tenant", as_dict=True).items():
        spans = _tuples(rows.select("trace_id", "span_id"))
        of_trace.append(f"(Tenant = {quoted(str(tenant))} AND (TraceId, SpanId) IN ({spans}))")
    parts = [any_of(sessions, "session_id", "SessionId", "Tenant")] if len(sessions) else []
    if of_trace:
        begin_s, end_s = (removal.start_ns - DAY_NS) // NANOS_PER_SECOND, (removal.end_ns + DAY_NS) // NANOS_PER_SECOND
        times = f"TimestampTime BETWEEN toDateTime({max(begin_s, 0)}) AND toDateTime({end_s})"
        parts.append(f"(SessionId = '' AND {times} AND ({' OR '.join(of_trace)}))")
    return " OR ".join(parts)


def _narrow(removal: Removal) -> str:
    parts = [any_of(removal.traces, "trace_id")] if len(removal.traces) else []
    for (tenant,), rows in removal.spans.partition_by("tenant", as_dict=True).items():
        keys = _tuples(rows.select("trace_id", "span_id", "content_hash"))
        among = f"trace_id IN ({listed(rows['trace_id'].unique())}) AND (trace_id, span_id, content_hash) IN ({keys})"
        parts.append(f"(tenant = {quoted(str(tenant))} AND {among})")
    return " OR ".join(parts)


def _tuples(rows: pl.DataFrame) -> str:
    return ",".join(f"({listed(row)})" for row in rows.iter_rows())


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
