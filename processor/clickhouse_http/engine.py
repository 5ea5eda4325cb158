"""The engine of the embedded store, as all queries of the interface share it: what it has, and handles of it.

Everything here blocks and is called in threads.
Source: chDB; clickhouse-connect's chDB backend, for the pitfalls.
"""

from __future__ import annotations

import contextlib
import threading
from enum import Enum
from typing import Any, Final

import chdb
import orjson

from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.clickhouse_http.formats import Formats
from processor.clickhouse_http.guard import Guard
from processor.clickhouse_http.tenancy import TABLES_QUERY, StoredTable, Tenancy
from processor.store.connection import StoreConfig

QUERY_MARK: Final = "log_comment"
"""The setting by which a running query is found again."""

_CATALOGUE: Final = """
SELECT
    version() AS version,
    timezone() AS timezone,
    (SELECT groupArray(name) FROM system.settings) AS settings,
    (SELECT groupArray([name, content_type]) FROM system.formats WHERE is_output) AS formats,
    (SELECT groupArray(lower(name)) FROM system.table_functions) AS table_functions,
    (SELECT groupArray(lower(name)) FROM system.tables WHERE database = 'system') AS system_tables
"""


class Access(Enum):
    """What clients may do. `WRITE` is for tests; no configuration leads to it."""

    READ = "read"
    WRITE = "write"


class Engine:
    """The store of one process. `close` it after its executions and before the process leaves the store."""

    def __init__(self, store: StoreConfig, config: ClickHouseHttpConfig, access: Access = Access.READ) -> None:
        assert store.directory is not None
        self.config = config
        self.access = access
        # Readers find the tables without a name before them; who writes finds what a server has.
        self.database = store.database if access is Access.READ else "default"
        self._path = str(store.directory)
        self._control: Any = self.handle()
        self._control_lock = threading.Lock()
        self._control.query("SET max_threads = 1")
        found = orjson.loads(self._control.query(_CATALOGUE, "JSONEachRow").bytes())
        self.version: str = found["version"]
        self.timezone: str = found["timezone"]
        self.settings: frozenset[str] = frozenset(found["settings"])
        self.formats = Formats({name.lower(): (name, media) for name, media in found["formats"]})
        self.guard = Guard(frozenset(found["table_functions"]), frozenset(found["system_tables"]), self.settings)
        # Nobody creates tables later: this process has the directory to itself, and migrates before it serves.
        tables = orjson.loads(
            b"[" + self._control.query(TABLES_QUERY, "JSONEachRow").bytes().replace(b"\n", b",")[:-1] + b"]"
        )
        self.tenancy = Tenancy.of(
            store.database,
            [StoredTable(row["database"], row["table"], row["engine"], tuple(row["columns"])) for row in tables],
        )

    def handle(self) -> Any:
        """A new handle of the engine, as free as the process itself."""
        return chdb.connect(self._path)  # type: ignore[no-untyped-call]  # has no annotations

    def kill(self, mark: str) -> None:
        """Ask the engine to end the query with this mark; nothing happens where there is none."""
        with self._control_lock, contextlib.suppress(Exception):
            self._control.query(f"KILL QUERY WHERE Settings['{QUERY_MARK}'] = '{mark}' ASYNC")

    def close(self) -> None:
        """Give the engine back. Safe to call twice."""
        with self._control_lock:
            self._control.close()
