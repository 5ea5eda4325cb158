"""A ClickHouse for benchmarks where there is none: our HTTP interface over a chDB directory, writable.

`python -m benchmarks.clickhouse DIRECTORY [--endpoint HOST:PORT]` serves it until SIGTERM or Ctrl-C. Whoever reaches
it may do everything, so it listens on loopback unless told otherwise; no configuration of the product leads here.

It stands in for a server: the engine is the same, but bodies of requests go through Python, which costs more than the
server's own HTTP.
"""

# ruff: noqa: PLC0415 (allocators are tuned before the libraries are loaded, and only in the process that serves)

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.process import HOST, Process, free_ports, get

_MIB: Final = 1024 * 1024
_LIMITS: Final[
    dict[str, Any]
] = {  # of an interface made for queries: a worker's inserts are larger, and must not be refused
    "concurrent_queries_max": 16,
    "max_execution_time_s": 600,
    "query_memory_bytes_max": 8192 * _MIB,
    "max_request_body_size_mib": 1024,
}


class ClickHouse(Process):
    """The server in a process of its own, on a store of its own. A context manager: answering on entry."""

    def __init__(self, directory: Path, yield_merges: bool = False) -> None:
        self.store = directory / "store"
        (port,) = free_ports(1)
        self.url = f"http://default@{HOST}:{port}"
        command = [sys.executable, "-m", "benchmarks.clickhouse", str(self.store), "--endpoint", f"{HOST}:{port}"]
        command += ["--yield-merges"] if yield_merges else []
        super().__init__("clickhouse", directory, command, {"PYTHONPATH": str(Path(__file__).parents[1])})
        self._port = port

    def __enter__(self) -> ClickHouse:
        super().__enter__()
        try:
            self.wait_until(lambda: get(self._port, "/ping")[0] == 200)
        except BaseException:
            self.stop(kill=True)
            raise
        return self


async def _serve(directory: Path, endpoint: str, yield_merges: bool) -> None:
    from processor.asgi import AsgiServer
    from processor.clickhouse_http.app import ClickHouseHttp
    from processor.clickhouse_http.config import ClickHouseHttpConfig
    from processor.clickhouse_http.engine import Access, Engine
    from processor.store.connection import StoreConfig, connect

    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    store = StoreConfig(dsn=f"chdb://{directory}")
    with contextlib.ExitStack() as stack:
        if yield_merges:
            stack.callback(connect(store).close)  # who opens the engine first configures it
        app = ClickHouseHttp(Engine(store, ClickHouseHttpConfig(**_LIMITS), Access.WRITE))
        stack.callback(app.close)
        server = AsgiServer(app, endpoint, "--endpoint")
        try:
            await server.start()
            print(f"http://{endpoint}", flush=True)
            await asked.wait()
        finally:
            await server.stop()


def main() -> int:
    """Exit status: 0 after a signal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clickhouse", description=__doc__)
    parser.add_argument("directory", type=Path, help="of the chDB store; created when missing")
    parser.add_argument("--endpoint", default=f"{HOST}:8123", help="host:port to listen on")
    parser.add_argument(
        "--yield-merges", action="store_true", help="the engine's settings are the embedded store's, not a server's"
    )
    options = parser.parse_args()
    from processor.allocators import tune_allocators

    tune_allocators()
    options.directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(_serve(options.directory.absolute(), options.endpoint, options.yield_merges))
    return 0


if __name__ == "__main__":
    sys.exit(main())
