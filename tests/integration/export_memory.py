"""Run as a program: exports a store's sessions through the API and says what memory that took. One JSON line.

A process of its own, since what a process once held shows in its greatest memory for good.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import httpx

from processor.api.app import create_app
from processor.api.pool import QueryPool
from processor.model import DEFAULT_TENANT
from processor.pricing.prices import Prices
from processor.store.connection import StoreConfig, connect
from processor.store.migrations import migrate
from processor.store.queries import SessionQueries
from tests.integration.serving import served
from tests.integration.stored import T0


def fill(client: object, database: str, rows: int, text_chars: int) -> None:
    """So many sessions with so long a text each."""
    client.command(  # type: ignore[attr-defined]
        f"INSERT INTO {database}.session_rollups "
        "(tenant, session_id, version, row_count, trace_count, start_ns, end_ns, input_preview) "
        f"SELECT '{DEFAULT_TENANT}', hex(cityHash64(number)), 1, 1, 1, {T0} + number, {T0} + number, "
        f"repeat(char(97 + number % 26), {text_chars}) FROM numbers({rows})"
    )


def greatest_mb() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(action: str, directory: str, rows: int, text_chars: int, kind: str) -> None:
    """`fill` or `export`."""
    config = StoreConfig(dsn=f"chdb://{directory}")
    with connect(config) as client:
        if action == "fill":
            migrate(client, config.target)
            fill(client, config.database, rows, text_chars)
            return
        app = create_app(QueryPool([SessionQueries(client, config.database)], 1), DEFAULT_TENANT, "0", Prices())
        with served(app) as url, httpx.Client(base_url=url, timeout=300) as api:
            size, marks = 0, []
            for limit in (100, rows):
                with api.stream("GET", "/v1/sessions", params={"format": kind, "limit": limit}) as response:
                    size = sum(map(len, response.iter_bytes()))
                marks.append(greatest_mb())
    json.dump({"bytes": size, "grown_mb": marks[1] - marks[0]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], str(Path(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
