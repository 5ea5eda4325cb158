"""Queries on chDB, each on a handle of its own: a handle costs a tenth of a millisecond, and forgets all it was told.

A reader's handle is told the limits and settings of its query and then `readonly = 1`, which the engine never takes
back. What runs is the statement as the engine has written it anew, so that what `guard` has judged is what runs.
Everything here blocks and is called in threads: one call at a time for one `Execution`, but `kill`, which may come from
any thread at any time.
Source: chDB; clickhouse-connect's chDB backend, for the pitfalls.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

import chdb
import orjson

from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.clickhouse_http.errors import READONLY, SYNTAX_ERROR, TOO_MANY_ROWS_OR_BYTES, QueryError, engine_error
from processor.clickhouse_http.formats import DEFAULT, Formats
from processor.clickhouse_http.guard import FILES, HARMLESS, READING, Guard, lists_settings
from processor.clickhouse_http.insert import split_insert
from processor.clickhouse_http.pipe import PipedQuery
from processor.clickhouse_http.request import Request
from processor.clickhouse_http.settings import check_name, escaped, limits, reader_settings, set_statement
from processor.clickhouse_http.statement import Token, format_clause, settings_of, tokens
from processor.store.clickhouse import CHDB, StoreConfig

_TAG: Final = "log_comment"  # how a running query is found again
_CATALOGUE: Final = """
SELECT
    version() AS version,
    timezone() AS timezone,
    (SELECT groupArray(name) FROM system.settings) AS settings,
    (SELECT groupArray((name, content_type)) FROM system.formats WHERE is_output) AS formats,
    (SELECT groupArray(lower(name)) FROM system.table_functions) AS table_functions,
    (SELECT groupArray(lower(name)) FROM system.tables WHERE database = 'system') AS system_tables
"""
_FORMATTED: Final = "SELECT formatQuerySingleLine({query:String})"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_FIRST_BYTES: Final = 256 * 1024  # what is waited for, so that an early error still has its status
_INSERT_CHUNK_BYTES: Final = 4 * 1024 * 1024


class Access(Enum):
    """What clients may do. `WRITE` is for tests; no configuration leads to it."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Plan:
    """One query, ready to run. `output_at` is where INTO OUTFILE belongs, -1 for statements with little to say.

    `parts` are an INSERT with data: statement, format, data.
    """

    sql: bytes
    format: str
    has_result: bool = False
    output_at: int = -1
    settings: Mapping[str, str] = field(default_factory=dict)
    readonly: int = 1
    parts: tuple[str, str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a query has done so far."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    elapsed_ns: int = 0


class Engine:
    """The store of one process. `close` it after its executions and before the process leaves the store."""

    def __init__(self, store: StoreConfig, config: ClickHouseHttpConfig, access: Access = Access.READ) -> None:
        assert store.dsn.startswith(CHDB)
        self.config = config
        self.access = access
        # Readers find the tables without a name before them; who writes finds what a server has.
        self.database = store.database if access is Access.READ else "default"
        self._path = str(Path(store.dsn.removeprefix(CHDB)).absolute())
        self._control: Any = self.handle()
        self._control_lock = threading.Lock()
        self._control.query("SET max_threads = 1")
        found = orjson.loads(self._control.query(_CATALOGUE, "JSONEachRow").bytes())
        self.version: str = found["version"]
        self.timezone: str = found["timezone"]
        self.settings = frozenset(found["settings"])
        self.formats = Formats({_first(item).lower(): (_first(item), _second(item)) for item in found["formats"]})
        self.guard = Guard(frozenset(found["table_functions"]), frozenset(found["system_tables"]))

    def handle(self) -> Any:
        """A new handle of the engine, as free as the process itself."""
        return chdb.connect(self._path)  # type: ignore[no-untyped-call]  # has no annotations

    def kill(self, tag: str) -> None:
        """Ask the engine to end the query with this tag; nothing happens where there is none."""
        with self._control_lock, contextlib.suppress(Exception):
            self._control.query(f"KILL QUERY WHERE Settings['{_TAG}'] = '{tag}' ASYNC")

    def close(self) -> None:
        """Give the engine back. Safe to call twice."""
        with self._control_lock:
            self._control.close()


class Execution:
    """One query from its text to its last byte. `close` frees the handle, whatever has happened."""

    def __init__(self, engine: Engine, request: Request) -> None:
        self._engine = engine
        self._request = request
        self._tag = uuid.uuid4().hex
        self._started_ns = time.monotonic_ns()
        self._handle: Any = None
        self._pipe: PipedQuery | None = None
        self._bytes_max = engine.config.max_result_bytes or sys.maxsize
        self.plan = Plan(b"", DEFAULT)
        self.summary = Summary()

    def start(self) -> bytes:
        """Run the query up to its first piece, or to its end if that comes first; nothing where there is no result.

        Errors: `QueryError`. Those that come before the piece is full are raised here.
        """
        wait = self._request.wait_end_of_query
        if wait:
            self._bytes_max = min(self._bytes_max, self._engine.config.buffered_result_bytes_max)
        with _translated():
            self._handle = self._engine.handle()
            database = self._request.database or self._engine.database
            if self._engine.access is Access.READ and database.lower() == FILES:
                database = self._engine.database  # what tools name that were told nothing
            self._handle.query(set_statement({**self._settings_before(), _TAG: self._tag}))
            self.plan = plan = self._reading(database) if self._engine.access is Access.READ else self._writing()
            if plan.settings:
                self._handle.query(set_statement(plan.settings))
            self._handle.query(f"USE `{_quoted(database)}`")
            if self._engine.access is Access.READ:
                self._handle.query(f"SET readonly = {plan.readonly}")
            if plan.parts is not None:
                self._insert(*plan.parts)
                return b""
            if plan.output_at < 0:
                return self._all_at_once(plan)
            self._pipe = PipedQuery()
            self._pipe.start(self._into(plan, self._pipe))
            return self._next(self._bytes_max + 1 if wait else _FIRST_BYTES)

    def next(self) -> bytes:
        """The next piece of the result; nothing after the last.

        Errors: `QueryError`.
        """
        with _translated():
            return self._next(1)

    def kill(self) -> None:
        """Make a call that is under way fail soon. From any thread."""
        self._engine.kill(self._tag)

    def close(self) -> None:
        """End what runs and free the handle. Safe to call twice; never during another call."""
        pipe, self._pipe = self._pipe, None
        handle, self._handle = self._handle, None
        if pipe is not None:
            pipe.close(self.kill)
        if handle is not None:
            handle.close()

    def _next(self, bytes_min: int) -> bytes:
        if self._pipe is None:
            return b""
        data = self._pipe.read(bytes_min)
        self.summary = replace(
            self.summary, result_bytes=self.summary.result_bytes + len(data), elapsed_ns=self._elapsed_ns()
        )
        if self.summary.result_bytes > self._bytes_max:
            # The engine counts a value that all rows share only once, and not what a format adds.
            size = self._bytes_max
            raise QueryError(TOO_MANY_ROWS_OR_BYTES, f"Limit for result exceeded, max bytes: {size}.")
        if self._pipe.result is not None:
            self._count(self._pipe.result)
        return data

    def _into(self, plan: Plan, pipe: PipedQuery) -> Callable[[], Any]:
        sql = plan.sql.decode("utf-8", "surrogateescape")
        outfile = f" INTO OUTFILE '{escaped(str(pipe.path))}' APPEND "
        text = (sql[: plan.output_at] + outfile + sql[plan.output_at :]).encode("utf-8", "surrogateescape")
        handle, parameters = self._handle, dict(self._request.parameters)
        return lambda: handle.query(text, plan.format, params=parameters)

    def _all_at_once(self, plan: Plan) -> bytes:
        result = self._handle.query(plan.sql, plan.format, params=dict(self._request.parameters))
        self._count(result)
        data: bytes = result.bytes()
        self.summary = replace(self.summary, result_bytes=len(data))
        return data

    def _settings_before(self) -> Mapping[str, str]:
        """What holds already while the statement is looked at."""
        if self._engine.access is Access.READ:
            return limits(self._engine.config)
        for name in self._request.settings:
            check_name(name, self._engine.settings)
        return self._request.settings

    def _reading(self, database: str) -> Plan:
        query = self._request.query
        try:
            text = query.decode()
        except UnicodeDecodeError:
            is_insert = query.lstrip()[:6].upper() == b"INSERT"
            error, why = (READONLY, "default: Cannot execute query in readonly mode.") if is_insert else _NOT_TEXT
            raise QueryError(error, why) from None
        sql = self._formatted(text)
        words = tokens(sql, self._request.parameters)
        self._engine.guard.check(words, database)
        if not (self._only_reads(sql) or _begins_with(words, *HARMLESS)):
            raise QueryError(READONLY, "default: Cannot execute query in readonly mode.")
        wanted = {**self._request.settings, **settings_of(words)}
        return replace(
            self._shaped(sql, words),
            settings=reader_settings(wanted, self._engine.settings, self._engine.config),
            readonly=2 if lists_settings(words) else 1,
        )

    def _writing(self) -> Plan:
        parts = split_insert(self._request.query)
        if parts is not None:
            return Plan(b"", DEFAULT, parts=parts)
        text = self._request.query.decode()
        if not text.strip():
            raise QueryError(SYNTAX_ERROR, "Empty query")
        sql = self._formatted(text)
        plan = self._shaped(sql, tokens(sql, self._request.parameters))
        # The data of INSERT ... VALUES is no part of the statement that was written anew.
        return plan if plan.has_result else replace(plan, sql=self._request.query)

    def _shaped(self, sql: str, words: list[Token]) -> Plan:
        clause = format_clause(words)
        name, at = clause or (self._request.default_format or DEFAULT, len(sql))
        return Plan(
            sql.encode("utf-8", "surrogateescape"),
            self._engine.formats.named(name),
            has_result=_begins_with(words, *READING),
            output_at=at if _begins_with(words, "SELECT", "WITH") else -1,
        )

    def _only_reads(self, sql: str) -> bool:
        """What the engine itself says of a statement."""
        report = self._handle._conn.classify_query(sql.encode("utf-8", "surrogateescape"))
        return bool(report["query_class"].name == "READ_ONLY" and report["statement_count"] == 1)

    def _formatted(self, text: str) -> str:
        """The statement as the engine understands it; exactly one."""
        parameters = {"query": text.translate(_ESCAPES)}
        try:
            return str(self._handle.query(_FORMATTED, "RawBLOB", params=parameters).bytes(), "utf-8", "surrogateescape")
        except Exception as error:
            told = engine_error(error)
            told.text = told.text.partition(": In scope SELECT formatQuery")[0]
            raise told from error

    def _insert(self, statement: str, output: str, data: bytes) -> None:
        inserter = self._handle.send_insert(statement, output)
        try:
            for at in range(0, len(data), _INSERT_CHUNK_BYTES):
                inserter.append(data[at : at + _INSERT_CHUNK_BYTES])
            result = inserter.finish()
        except BaseException:
            with contextlib.suppress(Exception):
                inserter.cancel()
            raise
        self.summary = Summary(
            written_rows=result.rows_written, written_bytes=result.bytes_written, elapsed_ns=self._elapsed_ns()
        )

    def _count(self, result: Any) -> None:
        self.summary = replace(
            self.summary,
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            result_rows=result.rows_read(),
            elapsed_ns=self._elapsed_ns(),
        )

    def _elapsed_ns(self) -> int:
        return time.monotonic_ns() - self._started_ns


_NOT_TEXT: Final = (SYNTAX_ERROR, "The query is not UTF-8 text")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except QueryError:
        raise
    except Exception as error:
        raise engine_error(error) from error


def _begins_with(words: list[Token], *keywords: str) -> bool:
    first = next((word for word in words if not word.is_mark("(")), None)
    return first is not None and first.is_word(*keywords)


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")


def _first(item: Any) -> str:
    return str(item[0] if isinstance(item, list) else item["1"])


def _second(item: Any) -> str:
    return str(item[1] if isinstance(item, list) else item["2"])
