"""A ClickHouse over HTTP beside a test: our own interface on the embedded store, reading only or writable.

Writable stands in for a server where there is none: `StoreConfig(dsn=url)` and the store's tests run through it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from processor.clickhouse_http.app import ClickHouseHttp
from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.clickhouse_http.engine import Access, Engine
from processor.store.connection import StoreConfig
from tests.integration.serving import served

UNBOUNDED: dict[str, Any] = {
    "max_execution_time_s": 600,
    "buffered_result_bytes_max": 1 << 30,
    "query_memory_bytes_max": 1 << 33,
    "max_request_body_size_mib": 1024,
    "concurrent_queries_max": 16,
}


@contextlib.contextmanager
def clickhouse_server(
    store: StoreConfig, *, writable: bool = False, tenant_header: str = "", **options: Any
) -> Iterator[str]:
    """Serve the chDB directory of `store` on a free port; gives the base URL, which is a dsn as well.

    `options` are those of `ClickHouseHttpConfig`. Unqualified names are in `store.database`. With a `tenant_header`,
    that header of a request names its tenant; without one, readers see all.
    """
    config = ClickHouseHttpConfig(**({**UNBOUNDED, **options} if writable else options))

    def tenant_of(scope: Any) -> str | None:
        named = dict(scope["headers"]).get(tenant_header.encode())
        return None if named is None else str(named, "latin-1")

    app = ClickHouseHttp(Engine(store, config, Access.WRITE if writable else Access.READ), tenant_of)
    try:
        with served(app) as url:
            yield url
    finally:
        app.close()


def send(url: str, body: str, *, announced: int | None = None, **parameters: str) -> socket.socket:
    """A POST on a socket of its own, its answer not read; the body may be shorter than `announced`."""
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname or "", address.port or 0))
    length = len(body) if announced is None else announced
    head = f"POST /?{urlencode(parameters)} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + body.encode())
    return connection


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come about."""
    pause = threading.Event()
    for _ in range(1_000):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it has not come about")
