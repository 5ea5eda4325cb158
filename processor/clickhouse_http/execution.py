"""One query on a chDB handle of its own: a handle costs a tenth of a millisecond, and forgets all it was told.

A reader's handle is told the limits and settings of its query, whose rows it may see, and then `readonly = 1`, which
the engine never takes back.
Everything here blocks and is called in threads: one call at a time for one `Execution`, but `kill`, which may come from
any thread at any time.
"""

from __future__ import annotations

import contextlib
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from processor.clickhouse_http.engine import QUERY_MARK, Access, Engine
from processor.clickhouse_http.errors import TOO_MANY_ROWS_OR_BYTES, QueryError, engine_error
from processor.clickhouse_http.guard import FILES
from processor.clickhouse_http.pipe import PipedQuery
from processor.clickhouse_http.plan import Plan
from processor.clickhouse_http.reading import reading_plan
from processor.clickhouse_http.request import Request
from processor.clickhouse_http.settings import check_name, limits, set_statement
from processor.clickhouse_http.writing import writing_plan

_FIRST_BYTES: Final = 256 * 1024  # what is waited for, so that an early error still has its status
_INSERT_CHUNK_BYTES: Final = 4 * 1024 * 1024


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


class Execution:
    """One query from its text to its last byte. `close` frees the handle, whatever has happened."""

    def __init__(self, engine: Engine, request: Request, tenant: str | None = None) -> None:
        """A reader sees the rows of `tenant`; all there are where it is None, which no client may choose."""
        self._engine = engine
        self._request = request
        self._tenant = tenant
        self._is_reader = engine.access is Access.READ
        self._mark = uuid.uuid4().hex
        self._started_ns = time.monotonic_ns()
        self._handle: Any = None
        self._pipe: PipedQuery | None = None
        self._bytes_max = engine.config.max_result_bytes or sys.maxsize
        self.plan = Plan()
        self.summary = Summary()

    def start(self) -> bytes:
        """Run the query up to its first piece, or to its end if that comes first; nothing where there is no result.

        Errors: `QueryError`. Those that come before the piece is full are raised here.
        """
        bytes_min = _FIRST_BYTES
        if self._request.wait_end_of_query:
            self._bytes_max = min(self._bytes_max, self._engine.config.buffered_result_bytes_max)
            bytes_min = self._bytes_max + 1
        with _translated():
            self._handle = self._engine.handle()
            self.plan = self._prepare()
            if self.plan.data is not None:
                self._insert(self.plan.data)
                return b""
            if self.plan.output_at < 0:
                return self._all_at_once()
            self._pipe = PipedQuery()
            self._pipe.start(self._run_into_pipe)
            return self._next(bytes_min)

    def next(self) -> bytes:
        """The next piece of the result; nothing after the last.

        Errors: `QueryError`.
        """
        with _translated():
            return self._next(1)

    def kill(self) -> None:
        """Make a call that is under way fail soon. From any thread."""
        self._engine.kill(self._mark)

    def close(self) -> None:
        """End what runs and free the handle. Safe to call twice; never during another call."""
        pipe, self._pipe = self._pipe, None
        handle, self._handle = self._handle, None
        if pipe is not None:
            pipe.close(self.kill)
        if handle is not None:
            handle.close()

    def _prepare(self) -> Plan:
        """Judge the query, and leave the handle as it must be to run it."""
        database = self._request.database or self._engine.database
        if self._is_reader and database.lower() == FILES:
            database = self._engine.database  # what tools name that were told nothing
        self._handle.query(set_statement({**self._settings_before(), QUERY_MARK: self._mark}))
        if self._is_reader:
            plan = reading_plan(self._request, database, self._engine, self._handle, self._tenant)
        else:
            plan = writing_plan(self._request, self._engine.formats, self._handle)
        if plan.settings:
            self._handle.query(set_statement(plan.settings))
        if plan.confining:
            self._handle.query(plan.confining)
        self._handle.query(f"USE `{_quoted(database)}`")
        if self._is_reader:
            assert plan.readonly
            self._handle.query(f"SET readonly = {plan.readonly}")
        return plan

    def _settings_before(self) -> Mapping[str, str]:
        """What holds already while the statement is looked at."""
        if self._is_reader:
            return limits(self._engine.config)
        for name in self._request.settings:
            check_name(name, self._engine.settings)
        return self._request.settings

    def _run_into_pipe(self, path: str) -> Any:
        return self._handle.query(self.plan.into(path), self.plan.format, params=dict(self._request.parameters))

    def _all_at_once(self) -> bytes:
        result = self._handle.query(self.plan.sql, self.plan.format, params=dict(self._request.parameters))
        self._count(result)
        data: bytes = result.bytes()
        self.summary = replace(self.summary, result_bytes=len(data))
        return data

    def _insert(self, data: bytes) -> None:
        inserter = self._handle.send_insert(self.plan.sql.decode(), self.plan.format)
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

    def _next(self, bytes_min: int) -> bytes:
        if self._pipe is None:
            return b""
        data = self._pipe.read(bytes_min)
        self.summary = replace(
            self.summary, result_bytes=self.summary.result_bytes + len(data), elapsed_ns=self._elapsed_ns()
        )
        if self.summary.result_bytes > self._bytes_max:
            # The engine counts a value that all rows share only once, and not what a format adds.
            raise QueryError(TOO_MANY_ROWS_OR_BYTES, f"Limit for result exceeded, max bytes: {self._bytes_max}.")
        if self._pipe.result is not None:
            self._count(self._pipe.result)
        return data

    def _count(self, result: Any) -> None:
        self.summary = replace(
            self.summary,
            # What was read for a tenant includes rows of others that lie beside its own.
            read_rows=result.storage_rows_read() if self._tenant is None else 0,
            read_bytes=result.storage_bytes_read() if self._tenant is None else 0,
            result_rows=result.rows_read(),
            elapsed_ns=self._elapsed_ns(),
        )

    def _elapsed_ns(self) -> int:
        return time.monotonic_ns() - self._started_ns


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except QueryError:
        raise
    except Exception as error:
        raise engine_error(error) from error


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")
