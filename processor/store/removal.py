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
SKIPPED: Final = {"logfire.span_type": "pending_span", "lmnr.internal.metadata_only": "true"}
"""Attributes of spans that roll-ups leave out, so that they have no narrow row: attributes.yaml, `skip_spans`."""

_IGNORED: Final = (
    f"({' OR '.join(f'SpanAttributes[{quoted(key)}] = {quoted(value)}' for key, value in SKIPPED.items())})"
)
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
    `tenant, trace_id, span_id`: all deleted spans of these other traces, for their log records. `days`, `tenant, day`:
    when spans of all of them began. Units: `day` in days since 1970; the times are Unix nanoseconds of the first start
    and the last end, 0 where the spans of some trace are gone already.
    """

    traces: pl.DataFrame
    spans: pl.DataFrame
    placed: pl.DataFrame
    days: pl.DataFrame
    start_ns: int
    end_ns: int
    rewritten: Rewritten

    @classmethod
    def of(cls, gone: pl.DataFrame, empty: pl.DataFrame, places: pl.DataFrame, rewritten: Rewritten) -> Removal:
        """Of judged traces. Shape: `rollup.deleted.Judged`; `places` are all of their places."""
        times = pl.concat([rows.select("tenant", "start_ns", "end_ns") for rows in (gone, places)])
        return cls(
            traces=empty,
            spans=gone.join(empty, on=_TRACE, how="anti").select(_VERSION),
            placed=places.join(empty, on=_TRACE, how="anti").select(_SPAN).unique(),
            days=times.select("tenant", day=pl.col("start_ns") // DAY_NS).unique(),
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
            pl.concat([self.days, other.days]).unique(),
            min(self.start_ns, other.start_ns),
            max(self.end_ns, other.end_ns),
            self.rewritten + other.rewritten,
        )

    @property
    def size(self) -> int:
        """Keys in its conditions."""
        written = self.rewritten
        rewritten = (written.session_traces, written.trace_sessions, written.session_rollups)
        return sum(len(part) for part in (self.traces, self.spans, self.placed, *rewritten))


def conditions(removal: Removal, sessions: pl.DataFrame, released: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Tables and what to remove from them, in an order that may break off anywhere and begin anew.

    What leads to other rows goes after them: narrow spans lead to wide ones, a session's trace rows to its traces.
    Shape: `sessions`, `tenant, session_id`: all of their own rows go; of those that are `released` also spans that came
    without a narrow row.
    """
    if len(released):
        yield "otel_traces", any_of(released, "session_id", "SessionId", "Tenant")
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
        for table in ("session_metrics", "budget_alerts", "session_rollups", "session_traces"):
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
    """One condition a tenant and day, so a partition each. Nothing more is said of where the rows lie: the parts of
    that day that have any are written anew as a whole.
    """
    whole = {tenant: ids for (tenant,), ids in removal.traces.partition_by("tenant", as_dict=True).items()}
    parts = {tenant: rows for (tenant,), rows in removal.spans.partition_by("tenant", as_dict=True).items()}
    placed = {tenant: rows for (tenant,), rows in removal.placed.partition_by("tenant", as_dict=True).items()}
    for tenant, day in removal.days.sort("tenant", "day").iter_rows():
        among = []
        if tenant in whole:
            among.append(f"TraceId IN ({listed(whole[tenant]['trace_id'])})")
        if tenant in parts:
            rows = parts[tenant].select("trace_id", "span_id", "session_id", "start_ns", "end_ns")
            among.append(
                "(TraceId, SpanId, SessionId, toUnixTimestamp64Nano(Timestamp), toUnixTimestamp64Nano(EndTimestamp)) "
                f"IN ({_tuples(rows)}) AND TraceId IN ({listed(rows['trace_id'].unique())})"
            )
            named = rows.filter(pl.col("session_id") != "").select("trace_id", "session_id").unique()
            if len(named):
                among.append(f"{_IGNORED} AND (TraceId, SessionId) IN ({_tuples(named)})")
        if tenant in placed:
            above = _tuples(placed[tenant].select("trace_id", "span_id"))
            among.append(f"{_IGNORED} AND SessionId = '' AND (TraceId, ParentSpanId) IN ({above})")
        if among:
            begin_s = day * DAY_NS // NANOS_PER_SECOND
            end_s = begin_s + DAY_NS // NANOS_PER_SECOND
            times = f"Timestamp >= toDateTime64({begin_s}, 9) AND Timestamp < toDateTime64({end_s}, 9)"
            yield f"Tenant = {quoted(tenant)} AND {times} AND ({' OR '.join(among)})"


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
        times = f"AND TimestampTime BETWEEN toDateTime({begin_s}) AND toDateTime({end_s}) " * (removal.start_ns > 0)
        parts.append(f"(SessionId = '' {times}AND ({' OR '.join(of_trace)}))")
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
