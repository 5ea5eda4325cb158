"""What roll-ups ask of deletions, and tell them: tombstones, places of deleted spans, and what is left to purge.

Part of `ClickHouseStore`. Must never remove anything: that is `purge`'s.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol
from uuid import uuid4

import polars as pl
import pyarrow as pa

from processor.model import DELETED_SPANS, STORED_SPANS, TRACE_SESSIONS

SESSIONS: Final = pl.Schema({"tenant": pl.String, "session_id": pl.String})
TRACES: Final = pl.Schema({"tenant": pl.String, "trace_id": pl.String})
DUE: Final = pl.Schema({"tenant": pl.String, "session_id": pl.String, "trace_id": pl.String})


class DeletionsState(NamedTuple):
    """Changes when a session is deleted or released, at times also when nothing has; `places` counts their rows."""

    sessions: int
    places: int


class DeletedStore(Protocol):
    """The part of `Store` that knows of deletions."""

    def deletions_state(self) -> DeletionsState:
        """Whether there is anything to ask for below, in one small query; two zeros where nothing was ever deleted."""

    def deleted_sessions(self) -> pl.DataFrame:
        """The sessions that are deleted now. Shape: `tenant, session_id`, distinct."""

    def read_members(self, traces: pl.DataFrame) -> pl.DataFrame:
        """All stored narrow spans of some traces. Shape: in, `tenant, trace_id`; out, `model.STORED_SPANS`."""

    def read_deleted_spans(self, traces: pl.DataFrame) -> pl.DataFrame:
        """The places and marks of some traces. Shape: in, `tenant, trace_id`; out, `model.DELETED_SPANS`."""

    def write_deleted_spans(self, rows: pl.DataFrame) -> None:
        """Write places and marks. Shape: `model.DELETED_SPANS`."""

    def read_trace_sessions(self, traces: pl.DataFrame) -> pl.DataFrame:
        """The stored rows of traces, older ones too. Shape: in, `tenant, trace_id`; out, `model.TRACE_SESSIONS`."""

    def ask_purge(self, due: pl.DataFrame) -> None:
        """Note what a purge has to look at. Shape: `tenant, session_id, trace_id`, one of the two ids empty."""


class _Tables(Protocol):
    _database: str
    _rollups: Any

    def _read(self, query: str, schema: pl.Schema) -> pl.DataFrame: ...

    def _read_keys(self, table: str, schema: pl.Schema, key: str, keys: pl.DataFrame) -> pl.DataFrame: ...

    def _row(self, query: str) -> tuple[Any, ...]: ...

    def _insert(self, client: Any, table: str, rows: pa.Table) -> None: ...


class DeletedRows:
    """The same on ClickHouse. Errors: those of `base.Store`."""

    def deletions_state(self: _Tables) -> DeletionsState:
        """A checksum of `deleted_sessions`, the size of `deleted_spans`."""
        places = f"SELECT count() FROM {self._database}.deleted_spans"
        tombstones = f"{self._database}.deleted_sessions"
        query = f"SELECT sum(cityHash64(tenant, session_id, deletion)), ({places}) FROM {tombstones}"
        return DeletionsState(*self._row(query))

    def deleted_sessions(self: _Tables) -> pl.DataFrame:
        """Those with a tombstone."""
        return self._read(f"SELECT DISTINCT tenant, session_id FROM {self._database}.deleted_sessions", SESSIONS)

    def read_members(self: _Tables, traces: pl.DataFrame) -> pl.DataFrame:
        """Narrow spans by trace, with their hashes."""
        return self._read_keys("session_spans", STORED_SPANS, "trace_id", traces)

    def read_deleted_spans(self: _Tables, traces: pl.DataFrame) -> pl.DataFrame:
        """Places by trace."""
        return self._read_keys("deleted_spans", DELETED_SPANS, "trace_id", traces)

    def write_deleted_spans(self: _Tables, rows: pl.DataFrame) -> None:
        """Into `deleted_spans`."""
        self._insert(self._rollups, "deleted_spans", rows.to_arrow())

    def read_trace_sessions(self: _Tables, traces: pl.DataFrame) -> pl.DataFrame:
        """From `trace_sessions`."""
        return self._read_keys("trace_sessions", TRACE_SESSIONS, "trace_id", traces)

    def ask_purge(self: _Tables, due: pl.DataFrame) -> None:
        """Into `purge_due`, under a name that no other note has."""
        self._insert(self._rollups, "purge_due", due.select(*DUE, note=pl.lit(uuid4().hex)).to_arrow())
