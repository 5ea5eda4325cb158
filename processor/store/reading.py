"""How statements are run for people who ask: one client, bounded time, rows as dicts or as a frame.

Must never write. Blocking: callers with an event loop run it in a thread, one call at a time for one client.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, cast

import polars as pl

from processor.store.connection import driver_errors_translated
from processor.store.statement import Row, Statement

_SPILLING: Final = {
    "max_bytes_before_external_group_by": 512 * 1024 * 1024,
    "max_bytes_before_external_sort": 256 * 1024 * 1024,
}
"""What a query holds in memory before it goes on with the disk."""


class Client(Protocol):
    """The part of a clickhouse-connect client that reading needs."""

    def query(self, query: str, parameters: dict[str, Any], settings: dict[str, Any]) -> Any:
        """Run one statement with bound parameters."""

    def query_arrow(
        self, query: str, parameters: dict[str, Any], settings: dict[str, Any], *, use_strings: bool
    ) -> Any:
        """The same for many rows: an Arrow table."""


class Reader:
    """Statements about one database through one client.

    Errors: `Retryable` when the store is away or a query takes longer than `timeout_s`; `Permanent` when it refuses
    the statement or the user.
    """

    def __init__(self, client: Client, database: str, timeout_s: int = 30) -> None:
        self._client = client
        self._database = database
        self._settings = {"max_execution_time": timeout_s, **_SPILLING}

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
