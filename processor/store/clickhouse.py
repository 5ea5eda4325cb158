"""`Store` on ClickHouse: a server over HTTP, or chDB in this process.

Must never retry, sum or deduplicate: rows are keyed so that the tables do that. Duplicates inside one insert are left
to the merges (`optimize_on_insert=0`), which halves the cost of an insert.

Source: OTLP.md, "ClickHouse"; benchmarks/RESULTS.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

import polars as pl
import pyarrow as pa

from processor.errors import ConfigError, Retryable
from processor.metric_model import SESSION_METRICS
from processor.model import SESSION_ROLLUPS, SESSION_SPANS
from processor.row_versions import from_revision
from processor.store.connection import StoreConfig, connect, driver_errors_translated
from processor.store.deleted import DeletedRows
from processor.store.literals import any_of, quoted
from processor.store.observed import Observed
from processor.store.rollup_sql import session_rollups
from processor.store.schema import check_schema, migrate_schema
from processor.telemetry.metrics import Metrics

KEYS_MAX: Final = 5_000  # keys in one IN list
PAGE: Final = 500_000  # keys read at once when all are read
_WORKER: Final = "embedded"
_REVISION_ATTEMPTS: Final = 100
_INSERT: Final = {
    "async_insert": 0,
    "optimize_on_insert": 0,
    "max_partitions_per_insert_block": 0,
    # The attribute indexes are wide and rarely asked for: merges build them, inserts don't wait for them.
    "exclude_materialize_skip_indexes_on_insert": (
        "idx_res_attr_key,idx_res_attr_value,idx_span_attr_key,idx_span_attr_value,idx_duration,"
        "idx_log_attr_key,idx_log_attr_value,idx_body"
    ),
}
_TRACES: Final = pl.Schema({"tenant": pl.String, "trace_id": pl.String})
_SESSION_SIZES: Final = pl.Schema(
    {"tenant": pl.String, "session_id": pl.String, "trace_count": pl.Int64, "version": pl.UInt64}
)


def open_store(config: StoreConfig, metrics: Metrics | None = None) -> ClickHouseStore:
    """Connect and bring the tables up to date, or only check them where the configuration says so.

    Errors: those of `connect`, `migrate_schema` and `check_schema`; `ConfigError` for tables that were only checked and
    are not what this version needs.
    """
    with connect(config):  # held to the end: chDB shuts down with its last handle, and is slow to come back
        if config.migrate:
            migrate_schema(config)
        elif found := check_schema(config, retention=False):
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            raise ConfigError(
                f"exporters.clickhouse: the tables are not what this version needs ({found[0]}{more}), and migrate is "
                "false; see 'otel-sessions schema check', and run 'otel-sessions schema migrate' as a user who may "
                "create tables"
            )
        return ClickHouseStore(config, metrics)


class ClickHouseStore(DeletedRows):
    """`Store` on clients of its own: two for spans, one for rollups, so that none waits for another."""

    def __init__(self, config: StoreConfig, metrics: Metrics | None = None) -> None:
        """Without `metrics`, nobody looks at what statements take."""
        self._observed = Observed(metrics or Metrics())
        self._database = config.database
        self._embedded = config.directory is not None
        self.loses_spans = config.ttl.spans_days > 0
        self._wide = connect(config, behind=True)
        self._narrow = connect(config, behind=True)
        self._rollups = connect(config, behind=True)

    def insert_wide(self, table: str, rows: Path) -> None:
        """Spans and log records for people, data points."""
        self._insert_file(self._wide, table, rows)

    def insert_session_spans(self, rows: Path) -> None:
        """Spans for rollups."""
        self._insert_file(self._narrow, "session_spans", rows)

    def write_traces(self, session_traces: pl.DataFrame, trace_sessions: pl.DataFrame) -> None:
        """Trace rows, and the list of traces."""
        self._insert(self._rollups, "session_traces", session_traces.to_arrow())
        self._insert(self._rollups, "trace_sessions", trace_sessions.to_arrow())

    def write_sessions(self, session_rollups: pl.DataFrame) -> None:
        """Session rows."""
        self._insert(self._rollups, "session_rollups", session_rollups.to_arrow())

    def read_spans(self, traces: pl.DataFrame) -> pl.DataFrame:
        """Narrow spans by trace."""
        return self._read_keys("session_spans", SESSION_SPANS, "trace_id", traces)

    def share_traces(self, traces: pl.DataFrame) -> None:
        """Into `shared_traces`."""
        self._insert(self._rollups, "shared_traces", traces.to_arrow())

    def shared_among(self, traces: pl.DataFrame) -> pl.DataFrame:
        """From `shared_traces`, which is empty where every producer places its spans."""
        if not self._number(f"SELECT count() FROM {self._database}.shared_traces"):
            return pl.DataFrame(schema=_TRACES)
        return self._read_keys("shared_traces", _TRACES, "trace_id", traces).unique()

    def read_session_metrics(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Data points by session."""
        return self._read_keys("session_metrics", SESSION_METRICS, "session_id", sessions)

    def read_session_rollups(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Session rows, rolled up by the engine."""
        keys = sessions.iter_slices(KEYS_MAX)
        counters = self._number(f"SELECT count() FROM {self._database}.session_metrics") > 0
        queries = (session_rollups(self._database, any_of(chunk, "session_id"), counters) for chunk in keys)
        parts = [self._read(query, SESSION_ROLLUPS) for query in queries]
        return pl.concat(parts) if parts else pl.DataFrame(schema=SESSION_ROLLUPS)

    def read_session_sizes(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Trace counts by session, in the order of their versions."""
        rows = self._read_keys("session_rollups", _SESSION_SIZES, "session_id", sessions)
        return rows.sort("version").drop("version")

    def session_keys(self) -> Iterator[pl.DataFrame]:
        """Sessions of `session_rollups`."""
        return self._pages("session_rollups", "session_id")

    def trace_keys(self, since_s: int = 0) -> Iterator[pl.DataFrame]:
        """Traces of `trace_sessions`."""
        return self._pages("trace_sessions", "trace_id", f"written_at >= {since_s:d}" if since_s else "1")

    def now_s(self) -> int:
        """By the server that answers."""
        return self._number("SELECT toUnixTimestamp(now())")

    def traces_since(self, batch_seq: int) -> pl.DataFrame:
        """Traces of batches after one."""
        return self._read(
            f"SELECT DISTINCT tenant, trace_id FROM {self._database}.session_spans WHERE batch_seq > {batch_seq:d}",
            _TRACES,
        )

    def last_batch_seq(self) -> int:
        """The largest of the batch numbers."""
        return self._number(f"SELECT max(batch_seq) FROM {self._database}.session_spans")

    def checkpoint(self) -> int:
        """The last checkpoint."""
        return self._number(f"SELECT max(batch_seq) FROM {self._database}.rollup_checkpoints")

    def write_checkpoint(self, batch_seq: int) -> None:
        """A new checkpoint."""
        row = pa.table({"worker": pa.array([_WORKER]), "batch_seq": pa.array([batch_seq], pa.uint64())})
        self._insert(self._rollups, "rollup_checkpoints", row)

    def revision(self) -> int:
        """The largest of `revisions`."""
        return self._number(f"SELECT max(revision) FROM {self._database}.revisions")

    def begin_revision(self, what: str, above: int = 0) -> int:
        """A row of `revisions`, and nobody else's of the same number."""
        mine = f"{what} ({uuid4()})"
        for _ in range(_REVISION_ATTEMPTS):
            revision = max(self.revision(), above) + 1
            row = pa.table({"revision": pa.array([revision], pa.uint32()), "what": pa.array([mine])})
            self._insert(self._rollups, "revisions", row)
            begun = f"SELECT uniqExact(what) FROM {self._database}.revisions WHERE revision = {revision:d}"
            if self._number(begun) == 1:
                return revision
        raise Retryable("other rewrites of roll-ups begin at the same time; run it again when they are under way")

    def traces_from(self, start_ns: int) -> Iterator[pl.DataFrame]:
        """Traces of `session_spans`, a page at a time."""
        return self._pages("session_spans", "trace_id", f"start_ns >= {start_ns:d}", KEYS_MAX)

    def sessions_from(self, revision: int) -> Iterator[pl.DataFrame]:
        """Sessions of `session_traces`, a page at a time."""
        return self._pages("session_traces", "session_id", from_revision(revision), KEYS_MAX)

    def write_setting(self, name: str, value: str) -> None:
        """Into `settings`."""
        known = f"FROM {self._database}.settings FINAL WHERE name = {quoted(name)} AND value = {quoted(value)}"
        if not self._number(f"SELECT count() {known}"):
            row = pa.table({"name": pa.array([name]), "value": pa.array([value])})
            self._insert(self._rollups, "settings", row)

    def unbound_span_count(self) -> int:
        """Sum over the newest row of each trace."""
        return self._number(f"SELECT sum(unbound_span_count) FROM {self._database}.trace_sessions FINAL")

    def unpriced_span_count(self) -> int:
        """Sum over the newest row of each session."""
        return self._number(f"SELECT sum(unpriced_span_count) FROM {self._database}.session_rollups FINAL")

    def close(self) -> None:
        """Close the clients."""
        self._wide.close()
        self._narrow.close()
        self._rollups.close()

    def _insert(self, client: Any, table: str, rows: pa.Table) -> None:
        if rows.num_rows:
            with self._observed.insert(table, rows.num_rows, rows.nbytes), driver_errors_translated():
                client.insert_arrow(f"{self._database}.{table}", rows, settings=_INSERT)

    def _insert_file(self, client: Any, table: str, rows: Path) -> None:
        with pa.memory_map(str(rows)) as file, pa.ipc.open_stream(file) as stream:
            columns = stream.schema.names
            count = sum(batch.num_rows for batch in stream)
        with self._observed.insert(table, count, rows.stat().st_size), driver_errors_translated():
            if not self._embedded:
                with rows.open("rb") as file:
                    client.raw_insert(f"{self._database}.{table}", columns, file, settings=_INSERT, fmt="ArrowStream")
                return
            # The driver's own way to chDB is a copy of the rows in a file like this one.
            names = ", ".join(f"`{name}`" for name in columns)
            settings = ", ".join(f"{name} = {value!r}" for name, value in _INSERT.items())
            client.command(
                f"INSERT INTO {self._database}.{table} ({names}) FROM INFILE {quoted(str(rows))} "
                f"SETTINGS {settings} FORMAT ArrowStream"
            )

    def _read_keys(self, table: str, schema: pl.Schema, key: str, keys: pl.DataFrame) -> pl.DataFrame:
        columns = ", ".join(schema.names())
        query = f"SELECT {columns} FROM {self._database}.{table} WHERE "
        parts = [self._read(query + any_of(chunk, key), schema) for chunk in keys.iter_slices(KEYS_MAX)]
        return pl.concat(parts) if parts else pl.DataFrame(schema=schema)

    def _read(self, query: str, schema: pl.Schema) -> pl.DataFrame:
        with self._observed.select(), driver_errors_translated():
            table = self._rollups.query_arrow(query, use_strings=True)
        frame = cast(pl.DataFrame, pl.from_arrow(table))
        return frame.cast(schema) if len(frame) else pl.DataFrame(schema=schema)

    def _pages(self, table: str, key: str, condition: str = "1", size: int = PAGE) -> Iterator[pl.DataFrame]:
        """The keys of a table in their order, page by page: chDB would hold the whole of a stream in memory.

        Small pages have each key once; in large ones telling repeated keys apart costs more than it saves.
        """
        after, distinct = "1", "DISTINCT " if size < PAGE else ""
        while True:
            page = self._read(
                f"SELECT {distinct}tenant, {key} FROM {self._database}.{table} WHERE ({condition}) AND ({after}) "
                f"ORDER BY tenant, {key} LIMIT {size}",
                pl.Schema({"tenant": pl.String, key: pl.String}),
            )
            yield page
            if len(page) < size:
                return
            tenant, last = (quoted(text) for text in page.row(-1))
            # Older versions of the last row may lie on both sides of the page's end: nothing is skipped but copies.
            after = f"(tenant > {tenant} OR (tenant = {tenant} AND {key} > {last}))"

    def _number(self, query: str) -> int:
        return int(self._row(query)[0])

    def _row(self, query: str) -> tuple[Any, ...]:
        with self._observed.select(), driver_errors_translated():
            return tuple(self._rollups.query(query).result_rows[0])
