"""The store on ClickHouse: a server over HTTP, or chDB in this process, through one client library.

Must never retry, sum or deduplicate: rows are keyed so that the tables do that. Duplicates inside one insert are left
to the merges (`optimize_on_insert=0`), which halves the cost of an insert.

Source: clickhouse-connect; OTLP.md, "ClickHouse"; benchmarks/RESULTS.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import clickhouse_connect
import polars as pl
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from processor.errors import ConfigError, Permanent, Retryable
from processor.model import SESSION_ROLLUPS, SESSION_SPANS
from processor.store.ddl import Target
from processor.store.differences import differences
from processor.store.dsn import option_names, server_options, without_password
from processor.store.migrations import migrate
from processor.store.rollup_sql import session_rollups

CHDB: Final = "chdb://"
KEYS_MAX: Final = 5_000  # keys in one IN list
PAGE: Final = 500_000  # keys read at once when all are read
_WORKER: Final = "embedded"
_ENGINE: Final = Path(__file__).with_name("embedded.xml")
_INSERT: Final = {
    "async_insert": 0,
    "optimize_on_insert": 0,
    "max_partitions_per_insert_block": 0,
    # The attribute indexes are wide and rarely asked for: merges build them, inserts don't wait for them.
    "exclude_materialize_skip_indexes_on_insert": (
        "idx_res_attr_key,idx_res_attr_value,idx_span_attr_key,idx_span_attr_value,idx_duration"
    ),
}
# A literal list of KEYS_MAX keys is longer than ClickHouse's default query size.
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0"})
_SESSION_SIZES: Final = pl.Schema(
    {"tenant": pl.String, "session_id": pl.String, "trace_count": pl.Int64, "version": pl.UInt64}
)
_SESSION: Final = {"max_query_size": 64 * 1024 * 1024}
# What makes a row readable by the next statement, through whichever server of a cluster: ADR 0011.
_CLUSTER_SESSION: Final = {
    "distributed_foreground_insert": 1,
    "insert_quorum": "auto",
    "load_balancing": "in_order",
    "prefer_localhost_replica": 0,
}
# Codes of https://clickhouse.com/docs errors that no retry mends: syntax, unknown names, types, authentication.
_PERMANENT_CODES: Final = frozenset({16, 36, 44, 46, 47, 53, 60, 62, 81, 192, 193, 194, 497, 516})


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where the tables are."""

    dsn: str = field(
        default="chdb://./data/store",
        metadata={"help": "chdb://PATH for the embedded store, or http(s)://user:password@host:port for a server."},
    )
    database: str = field(default="otel", metadata={"help": "Database of the tables; created when missing."})
    cluster: str = field(
        default="",
        metadata={"help": "Cluster of servers to spread the tables over; '' is one server, without replicas."},
    )
    migrate: bool = field(
        default=True,
        metadata={"help": "Create missing tables at start; false only checks, see `otel-sessions schema`."},
    )

    @property
    def target(self) -> Target:
        """Whose tables. Errors: `ConfigError` for names that can't be, and for a cluster in this process."""
        return Target(self.database, self.cluster, self.dsn.startswith(CHDB))


def connect(config: StoreConfig) -> Any:
    """A client of the store. chDB allows many in one process, all of one path; calls on one client are serialized.

    Errors: `ConfigError` for a path that can't be used and for a server that refuses, `Retryable` for one that does
    not answer.
    """
    if config.target.embedded:
        return _connect_embedded(config)
    settings = _SESSION | (_CLUSTER_SESSION if config.cluster else {})
    try:
        return clickhouse_connect.get_client(**server_options(config.dsn, config.database), settings=settings)
    except ClickHouseError as error:
        server = f"ClickHouse at {without_password(config.dsn)}"
        if getattr(error, "code", None) in _PERMANENT_CODES:
            raise ConfigError(f"exporters.clickhouse.dsn: {server} refuses: {_first_line(error)}") from error
        raise Retryable(f"{server} does not answer: {_first_line(error)}") from error
    except (TypeError, ValueError):
        # Not from the error, which may quote a value.
        names = ", ".join(option_names(config.dsn)) or "none"
        raise ConfigError(
            f"exporters.clickhouse.dsn: clickhouse-connect does not take its options as they are ({names})"
        ) from None


def _connect_embedded(config: StoreConfig) -> Any:
    path = Path(config.dsn.removeprefix(CHDB)).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"exporters.clickhouse.dsn: can't create {path}: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise ConfigError(f"exporters.clickhouse.dsn: {path} is not writable; choose another directory")
    engine = {"config-file": str(_ENGINE)}
    try:
        return clickhouse_connect.get_client(dsn=f"{CHDB}{path}", settings=_SESSION, chdb_options=engine)
    except ClickHouseError as error:
        raise ConfigError(f"exporters.clickhouse.dsn: can't open {CHDB}{path}: {_first_line(error)}") from error


def open_store(config: StoreConfig) -> ClickHouseStore:
    """Connect and bring the tables up to date, or only check them where the configuration says so.

    Errors: those of `connect`, `migrate_schema` and `check_schema`; `ConfigError` for tables that were only checked and
    are not what this version needs.
    """
    client = connect(config)  # held to the end: chDB shuts down with its last handle, and is slow to come back
    try:
        if config.migrate:
            migrate_schema(config)
        elif found := check_schema(config):
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            raise ConfigError(
                f"exporters.clickhouse: the tables are not what this version needs ({found[0]}{more}), and migrate is "
                "false; see 'otel-sessions schema check', and run 'otel-sessions schema migrate' as a user who may "
                "create tables"
            )
        return ClickHouseStore(config)
    finally:
        client.close()


def migrate_schema(config: StoreConfig) -> list[str]:
    """Create what is missing, and say what was done.

    Errors: those of `connect` and `migrate`; `Permanent` for what the server refuses, `Retryable` for one that is away.
    """
    client = connect(config)
    try:
        with _Translated():
            return migrate(client, config.database, config.target.embedded, config.cluster)
    finally:
        client.close()


def check_schema(config: StoreConfig) -> list[str]:
    """How the tables differ from what this version needs, a sentence each. Changes nothing.

    Errors: those of `connect`; `Permanent` for what the server refuses, `Retryable` for one that is away.
    """
    client = connect(config)
    try:
        with _Translated():
            return differences(client, config.target)
    finally:
        client.close()


class ClickHouseStore:
    """`Store` on clients of its own: two for spans, one for rollups, so that none waits for another."""

    def __init__(self, config: StoreConfig) -> None:
        self._database = config.database
        self._embedded = config.dsn.startswith(CHDB)
        self._wide = connect(config)
        self._narrow = connect(config)
        self._rollups = connect(config)

    def insert_otel_traces(self, rows: Path) -> None:
        """Spans for people."""
        self._insert_file(self._wide, "otel_traces", rows)

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

    def read_session_rollups(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Session rows, rolled up by the engine."""
        keys = sessions.iter_slices(KEYS_MAX)
        queries = (session_rollups(self._database, _any_of(chunk, "session_id")) for chunk in keys)
        parts = [self._read(query, SESSION_ROLLUPS) for query in queries]
        return pl.concat(parts) if parts else pl.DataFrame(schema=SESSION_ROLLUPS)

    def read_session_sizes(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Trace counts by session, in the order of their versions."""
        rows = self._read_keys("session_rollups", _SESSION_SIZES, "session_id", sessions)
        return rows.sort("version").drop("version")

    def session_keys(self) -> Iterator[pl.DataFrame]:
        """Sessions of `session_rollups`."""
        return self._pages("session_rollups", "session_id")

    def trace_keys(self) -> Iterator[pl.DataFrame]:
        """Traces of `trace_sessions`."""
        return self._pages("trace_sessions", "trace_id")

    def traces_since(self, batch_seq: int) -> pl.DataFrame:
        """Traces of batches after one."""
        return self._read(
            f"SELECT DISTINCT tenant, trace_id FROM {self._database}.session_spans WHERE batch_seq > {batch_seq:d}",
            pl.Schema({"tenant": pl.String, "trace_id": pl.String}),
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

    def unbound_span_count(self) -> int:
        """Sum over the newest row of each trace."""
        return self._number(f"SELECT sum(unbound_span_count) FROM {self._database}.trace_sessions FINAL")

    def close(self) -> None:
        """Close the clients."""
        self._wide.close()
        self._narrow.close()
        self._rollups.close()

    def _insert(self, client: Any, table: str, rows: pa.Table) -> None:
        if rows.num_rows:
            with self._guarded():
                client.insert_arrow(f"{self._database}.{table}", rows, settings=_INSERT)

    def _insert_file(self, client: Any, table: str, rows: Path) -> None:
        with pa.memory_map(str(rows)) as file:
            columns = pa.ipc.open_stream(file).schema.names
        with self._guarded():
            if not self._embedded:
                with rows.open("rb") as file:
                    client.raw_insert(f"{self._database}.{table}", columns, file, settings=_INSERT, fmt="ArrowStream")
                return
            # The driver's own way to chDB is a copy of the rows in a file like this one.
            names = ", ".join(f"`{name}`" for name in columns)
            settings = ", ".join(f"{name} = {value!r}" for name, value in _INSERT.items())
            client.command(
                f"INSERT INTO {self._database}.{table} ({names}) FROM INFILE {_quoted(str(rows))} "
                f"SETTINGS {settings} FORMAT ArrowStream"
            )

    def _read_keys(self, table: str, schema: pl.Schema, key: str, keys: pl.DataFrame) -> pl.DataFrame:
        columns = ", ".join(schema.names())
        query = f"SELECT {columns} FROM {self._database}.{table} WHERE "
        parts = [self._read(query + _any_of(chunk, key), schema) for chunk in keys.iter_slices(KEYS_MAX)]
        return pl.concat(parts) if parts else pl.DataFrame(schema=schema)

    def _read(self, query: str, schema: pl.Schema) -> pl.DataFrame:
        with self._guarded():
            table = self._rollups.query_arrow(query, use_strings=True)
        frame = cast(pl.DataFrame, pl.from_arrow(table))
        return frame.cast(schema) if len(frame) else pl.DataFrame(schema=schema)

    def _pages(self, table: str, key: str) -> Iterator[pl.DataFrame]:
        """The keys of a table in their order, page by page: chDB would hold the whole of a stream in memory."""
        after = "1"
        while True:
            page = self._read(
                f"SELECT tenant, {key} FROM {self._database}.{table} WHERE {after} ORDER BY tenant, {key} LIMIT {PAGE}",
                pl.Schema({"tenant": pl.String, key: pl.String}),
            )
            yield page
            if len(page) < PAGE:
                return
            tenant, last = (_quoted(text) for text in page.row(-1))
            # Older versions of the last row may lie on both sides of the page's end: nothing is skipped but copies.
            after = f"(tenant > {tenant} OR (tenant = {tenant} AND {key} > {last}))"

    def _number(self, query: str) -> int:
        with self._guarded():
            return int(self._rollups.query(query).result_rows[0][0])

    def _guarded(self) -> _Translated:
        return _Translated()


class _Translated:
    """Turns the driver's errors into ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, ClickHouseError | OSError):
            code = getattr(error, "code", None)
            what = Permanent if code in _PERMANENT_CODES else Retryable
            raise what(f"ClickHouse: {_first_line(error)}") from error


def _any_of(keys: pl.DataFrame, key: str) -> str:
    """A condition for literal keys, tenant by tenant: half the time of a list of pairs.

    The driver's own binding takes 20 microseconds a key, as long as reading its rows.
    """
    tenants = keys.group_by("tenant").agg(key).iter_rows()
    return " OR ".join(
        f"(tenant = {_quoted(tenant)} AND {key} IN ({','.join(map(_quoted, ids))}))" for tenant, ids in tenants
    )


def _quoted(text: str) -> str:
    return f"'{text.translate(_ESCAPES)}'"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:500]
