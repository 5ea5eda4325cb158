"""One look at some sessions: all that is stored of them, what it should be, and which of them have work waiting.

Order, so that running workers give no false alarm: what is rolled up is asked first, then rows are read, then spans. A
row shows at least the batches up to the checkpoint, and a trace whose last batch came after it is waiting.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from processor.model import SESSION_TRACES, TRACE_SESSIONS
from processor.pricing.prices import Prices
from processor.rollup.rows import TraceRows
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY
from processor.store.auditing import AuditStore
from processor.store.deleted import TRACES
from processor.worker.audit.believed import Believed, Horizons, StoredRows, believed, comparable
from processor.worker.audit.differences import Difference, differences
from processor.worker.deletions import KnownDeletions, judged_rows
from processor.worker.dirty import Key
from processor.worker.rolling_up import all_rows, joined

_TRACES_AT_ONCE: Final = 1_000  # whose spans are in memory


@dataclass(frozen=True, slots=True)
class Ground:
    """What is the same for all looks: see `believed`. `has_checkpoint`: one process says how far it has rolled up."""

    prices: Prices
    horizons: Horizons
    priced_from: int | None
    has_checkpoint: bool


@dataclass(frozen=True, slots=True)
class Look:
    """`found`, the differences of each session that has any; `waiting`, sessions whose rows may be behind."""

    found: dict[Key, tuple[Difference, ...]]
    waiting: set[Key]
    traces: int
    trimmed: int
    costs_as_stored: bool


def look_at(store: AuditStore, sessions: pl.DataFrame, naming: pl.DataFrame, ground: Ground) -> Look:
    """Shape: `sessions`, `tenant, session_id`; `naming`, their traces, `tenant, session_id, trace_id`.

    Errors: those of the store.
    """
    known = KnownDeletions(store)
    known.look()
    pending = store.pending()
    purging = bool((pending.tombstones["purged"] == 0).any()) or len(pending.due) > 0
    checkpoint = store.checkpoint()
    traces = naming.select(TRACE_KEY).unique(maintain_order=True)
    stored = StoredRows(
        store.stored_session_traces(sessions),
        store.stored_trace_sessions(traces),
        store.stored_session_rollups(sessions),
    )
    made, concerned = _made(store, traces, ground.prices, known)
    ours = made.session_traces.join(sessions, on=SESSION_KEY, how="semi")
    right = believed(stored, TraceRows(ours, made.trace_sessions), ground.horizons, ground.priced_from)
    behind = concerned if purging else concerned.clear()
    if ground.has_checkpoint:
        late = store.last_batches(traces).filter(pl.col("batch_seq") > checkpoint)
        behind = pl.concat([behind, late.select(TRACE_KEY)])
    counted = store.counted_spans(traces).join(concerned, on=TRACE_KEY, how="anti")
    counted = counted.join(right.trimmed, on=TRACE_KEY, how="anti")
    found = _by_session(_differences(stored, right, counted), naming)
    waiting = naming.join(behind, on=TRACE_KEY, how="semi").select(SESSION_KEY).unique()
    return Look(found, set(waiting.iter_rows()), len(traces), len(right.trimmed), right.unpriced)


def _made(
    store: AuditStore, traces: pl.DataFrame, prices: Prices, known: KnownDeletions
) -> tuple[TraceRows, pl.DataFrame]:
    """All rows of the traces, some traces at a time; and those that a deleted session takes part in."""
    none = pl.DataFrame(schema=SESSION_TRACES), pl.DataFrame(schema=TRACE_SESSIONS)
    parts, concerned = [TraceRows(*none)], [pl.DataFrame(schema=TRACES)]
    for keys in traces.iter_slices(_TRACES_AT_ONCE):
        rows = store.read_spans(keys)
        if known:
            shared = pl.concat([known.concern(rows), known.with_places(keys)]).unique()
            if len(shared):
                concerned.append(shared)
                parts.append(judged_rows(store, shared, prices, 0, known))
                rows = rows.join(shared, on=TRACE_KEY, how="anti")
        parts.append(all_rows(store, rows, prices, 0))
    return joined(*parts), pl.concat(concerned).unique()


def _differences(stored: StoredRows, right: Believed, counted: pl.DataFrame) -> Iterator[Difference]:
    yield from differences("session_traces", comparable(stored.session_traces), right.rows.session_traces)
    yield from differences("trace_sessions", comparable(stored.trace_sessions), right.rows.trace_sessions)
    yield from differences("session_rollups", stored.session_rollups, right.rows.session_rollups)
    both = right.rows.trace_sessions.join(counted, on=TRACE_KEY, how="inner", suffix="_counted")
    for row in both.filter(pl.col("span_count") != pl.col("span_count_counted")).iter_rows(named=True):
        key = (row["tenant"], "", row["trace_id"])
        # Both recomputed, in two ways: one of the two has a fault.
        yield Difference("session_spans", *key, "span_count", row["span_count_counted"], row["span_count"])


def _by_session(found: Iterator[Difference], naming: pl.DataFrame) -> dict[Key, tuple[Difference, ...]]:
    """A trace's own differences are those of the first session that has it."""
    sessions = naming.sort(SESSION_KEY).unique(TRACE_KEY, keep="first", maintain_order=True)
    of_trace = {(tenant, trace): session for tenant, session, trace in sessions.select(naming.columns).iter_rows()}
    grouped: dict[Key, list[Difference]] = defaultdict(list)
    for one in found:
        session = one.session_id or of_trace.get((one.tenant, one.trace_id), "")
        grouped[one.tenant, session].append(one)
    return {key: tuple(some) for key, some in grouped.items()}
