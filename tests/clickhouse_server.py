"""A ClickHouse over HTTP beside a test: our own interface on the embedded store, reading only or writable.

Writable stands in for a server where there is none: `StoreConfig(dsn=url)` and the store's tests run through it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from processor.clickhouse_http.app import ClickHouseHttp
from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.clickhouse_http.engine import Access, Engine
from processor.store.clickhouse import StoreConfig
from tests.integration.serving import served

UNBOUNDED: dict[str, Any] = {
    "max_execution_time_s": 600,
    "buffered_result_bytes_max": 1 << 30,
    "query_memory_bytes_max": 1 << 33,
    "max_request_body_size_mib": 1024,
    "concurrent_queries_max": 16,
}


@contextlib.contextmanager
def clickhouse_server(store: StoreConfig, *, writable: bool = False, **options: Any) -> Iterator[str]:
    """Serve the chDB directory of `store` on a free port; gives the base URL, which is a dsn as well.

    `options` are those of `ClickHouseHttpConfig`. Unqualified names are in `store.database`.
    """
    config = ClickHouseHttpConfig(**({**UNBOUNDED, **options} if writable else options))
    app = ClickHouseHttp(Engine(store, config, Access.WRITE if writable else Access.READ))
    try:
        with served(app) as url:
            yield url
    finally:
        app.close()
