"""How statements are run for people who ask: one client, bounded time, rows as dicts or as a frame.

Must never write. Blocking: callers with an event loop run it in a thread, one call at a time for one client.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

import polars as pl

from processor.store.connection import driver_errors_translated
from processor.store.statement import Row, Statement

_SPILLING: Final = {
    "max_bytes_before_external_group_by": 512 * 1024 * 1024,
    "max_bytes_before_external_sort": 256 * 1024 * 1024,
}
"""What a query holds in memory before it goes on with the disk."""

_STREAMING: Final = {
    # What is sorted on disk is merged by a block of each file: small ones, or they fill the memory again. 1.9 GB of
    # rows took 1.5 GB with the engine's defaults and take 0.3 GB so; one thread leaves the other core to pages.
    "max_block_size": 4_096,
    "max_bytes_before_external_sort": 128 * 1024 * 1024,
    "max_bytes_ratio_before_external_sort": 0,
    "prefer_external_sort_block_bytes": 1_000_000,
    "max_threads": 1,
}

Block = dict[str, list[Any]]
"""Some rows by column."""


class Client(Protocol):
    """The part of a clickhouse-connect client that reading needs."""

    def query(self, query: str, parameters: dict[str, Any], settings: dict[str, Any]) -> Any:
        """Run one statement with bound parameters."""

    def query_arrow(
        self, query: str, parameters: dict[str, Any], settings: dict[str, Any], *, use_strings: bool
    ) -> Any:
        """The same for many rows: an Arrow table."""

    def query_column_block_stream(self, query: str, parameters: dict[str, Any], settings: dict[str, Any]) -> Any:
        """The same for any number of rows, some at a time."""


class Reader:
    """Statements about one database through one client.

    Errors: `Retryable` when the store is away or a query takes longer than `timeout_s`, a streamed one longer than
    `stream_timeout_s`; `Permanent` when it refuses the statement or the user.
    """

    def __init__(self, client: Client, database: str, timeout_s: int = 30, stream_timeout_s: int = 3_600) -> None:
        self._client = client
        self._database = database
        self._settings = {"max_execution_time": timeout_s, **_SPILLING}
        self._stream_settings = {**self._settings, "max_execution_time": stream_timeout_s, **_STREAMING}

    def _page(self, count: Statement, page: Statement, offset: int) -> tuple[list[Row], int]:
        total = int(self._rows(count)[0]["total"])
        return (self._rows(page) if offset < total else []), total

    def _one(self, statement: Statement) -> Row | None:
        rows = self._rows(statement)
        return rows[0] if rows else None

    def _rows(self, statement: Statement) -> list[Row]:
        with driver_errors_translated():
            result = self._client.query(statement.sql, parameters=statement.parameters, settings=self._settings)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def _frame(self, statement: Statement, schema: pl.Schema) -> pl.DataFrame:
        with driver_errors_translated():
            table = self._client.query_arrow(
                statement.sql, parameters=statement.parameters, settings=self._settings, use_strings=True
            )
        rows = cast(pl.DataFrame, pl.from_arrow(table))
        return rows.cast(schema) if len(rows) else pl.DataFrame(schema=schema)

    @contextmanager
    def _blocks(self, statement: Statement) -> Iterator[Iterator[Block]]:
        """The rows of one statement as they come: what is read is of one moment, and little of it is held.

        The client answers nothing else inside. Errors of the statement are raised by the iterator too.
        """
        with driver_errors_translated():
            stream = self._client.query_column_block_stream(
                statement.sql, parameters=statement.parameters, settings=self._stream_settings
            )
        with stream:
            yield _translated(stream)


def _translated(stream: Any) -> Iterator[Block]:
    names = stream.source.column_names
    with driver_errors_translated():
        for columns in stream:
            yield dict(zip(names, columns, strict=True))
