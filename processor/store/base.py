"""What the worker asks of a store. Every write is idempotent: repeating it, whole or in part, changes nothing.

Calls block; the worker makes them in threads. Errors: `Retryable` when the store is away or overloaded, `Permanent`
when the same call will fail again (a schema that does not match).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import polars as pl

from processor.store.deleted import DeletedStore


class Store(DeletedStore, Protocol):
    """The tables of `store/sql`, as far as the write path needs them."""

    loses_spans: bool
    """Whether narrow spans are removed after some time, so that a trace may have had more than are stored."""

    def insert_wide(self, table: str, rows: Path) -> None:
        """Write rows to a signal's own table (`otel_traces`, `otel_logs`, `session_metrics`), out of an Arrow IPC
        stream. A crash after the return loses none of them.
        """

    def insert_session_spans(self, rows: Path) -> None:
        """Write spans to `session_spans`, out of an Arrow IPC stream. A crash after the return loses none of them."""

    def write_traces(self, session_traces: pl.DataFrame, trace_sessions: pl.DataFrame) -> None:
        """Write trace rollups, `model.SESSION_TRACES` and `model.TRACE_SESSIONS`."""

    def write_sessions(self, session_rollups: pl.DataFrame) -> None:
        """Write session rollups, `model.SESSION_ROLLUPS`."""

    def read_spans(self, traces: pl.DataFrame) -> pl.DataFrame:
        """All stored narrow spans of some traces. Shape: in, `tenant, trace_id`; out, `model.SESSION_SPANS`."""

    def share_traces(self, traces: pl.DataFrame) -> None:
        """Note traces whose spans are not with one worker alone. Shape: `tenant, trace_id`."""

    def shared_among(self, traces: pl.DataFrame) -> pl.DataFrame:
        """Those of the traces that any worker has noted as shared. Shape: `tenant, trace_id`, distinct."""

    def read_session_metrics(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """All stored data points of some sessions, for `conventions.metric_usage`.

        Shape: in, `tenant, session_id`; out, `metric_model.SESSION_METRICS`, duplicates possible.
        """

    def read_session_rollups(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """The rows of some sessions, computed from all of their trace rows as they are stored now.

        Shape: in, `tenant, session_id`; out, `model.SESSION_ROLLUPS`. Sessions without trace rows are left out.
        """

    def read_session_sizes(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """How many traces sessions have, as last rolled up; sessions never rolled up are left out.

        Shape: in, `tenant, session_id`; out, `tenant, session_id, trace_count`, older counts possibly among them.
        """

    def session_keys(self) -> Iterator[pl.DataFrame]:
        """Every session that has a row, in blocks of `tenant, session_id`, duplicates allowed."""

    def trace_keys(self, since_s: int = 0) -> Iterator[pl.DataFrame]:
        """Every trace that has a row written since then, in blocks of `tenant, trace_id`, duplicates allowed.

        Units: Unix seconds of the store's clock, which `now_s` tells; 0 is every trace.
        """

    def now_s(self) -> int:
        """The store's clock. Unix seconds."""

    def traces_since(self, batch_seq: int) -> pl.DataFrame:
        """Traces with a span written by a batch after `batch_seq`. Shape: `tenant, trace_id`, distinct."""

    def last_batch_seq(self) -> int:
        """The largest batch number ever written; 0 for none."""

    def checkpoint(self) -> int:
        """The batch number up to which everything is rolled up; 0 for none."""

    def write_checkpoint(self, batch_seq: int) -> None:
        """Everything up to and including this batch is rolled up."""

    def revision(self) -> int:
        """The highest revision that was begun; 0 for none."""

    def begin_revision(self, what: str, above: int = 0) -> int:
        """A new revision, higher than all others and than `above`: from here on every roll-up is written under it."""

    def traces_from(self, start_ns: int) -> Iterator[pl.DataFrame]:
        """Traces with a span that starts then or later, in blocks of `tenant, trace_id`. Units: Unix nanoseconds."""

    def sessions_from(self, revision: int) -> Iterator[pl.DataFrame]:
        """Sessions with a trace row of at least this revision, in blocks of `tenant, session_id`."""

    def write_setting(self, name: str, value: str) -> None:
        """What views are told of the configuration; one row of `settings`, written only where it says something else.

        Of two workers that are configured differently, the one that started last is believed.
        """

    def unbound_span_count(self) -> int:
        """Spans that no session claims."""

    def unpriced_span_count(self) -> int:
        """Spans with tokens and no price, over all sessions."""

    def close(self) -> None:
        """Release the store. Safe to call twice."""
