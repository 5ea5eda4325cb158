"""A store with many spans in it: `python -m benchmarks.fill DIRECTORY --spans N --sessions M`.

Writes the tables that rollups read back (`session_spans`, `trace_sessions`, `session_traces`, `session_rollups`) as if
the spans had come in over `--days`, merged, with a checkpoint that says that all of it is rolled up. Not filled:
`otel_traces`, which nothing on the write path reads.

In a process of its own: chDB opens one directory a process.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import polars as pl

from benchmarks.failure import BenchmarkError
from benchmarks.fill_sql import (
    FILL_BATCH_SEQ,
    insert_session_traces,
    insert_spans,
    insert_trace_sessions,
    session_id,
)
from benchmarks.spans import SPANS_PER_TRACE
from processor.model import SESSION_ROLLUPS, SESSION_TRACES, TRACE_SESSIONS
from processor.pricing.prices import Prices
from processor.rollup.traces import trace_rows
from processor.store.clickhouse import open_store
from processor.store.connection import StoreConfig, connect
from processor.store.rollup_sql import session_rollups

_DATABASE: Final = "otel"
_CHUNK_TRACES: Final = 250_000
_ROLLED_UP_TRACES: Final = 500_000  # read at a time to make session rows
_SAMPLE: Final = 200
_TABLES: Final = ("session_spans", "session_traces", "trace_sessions", "session_rollups")
# One part a chunk: fewer merges.
_SETTINGS: Final = {
    "optimize_on_insert": 0,
    "max_partitions_per_insert_block": 0,
    "min_insert_block_size_rows": _CHUNK_TRACES * SPANS_PER_TRACE,
    "min_insert_block_size_bytes": 1024**3,
}


def fill(directory: Path, spans: int, sessions: int, days: float) -> None:
    """Fill an empty store. Errors: `BenchmarkError` when the rows are not what `processor.rollup` makes of them."""
    config = StoreConfig(dsn=f"chdb://{directory}", database=_DATABASE)
    store = open_store(config)
    client = connect(config)
    traces = spans // SPANS_PER_TRACE
    span_ns = int(days * 86_400e9)
    start_ns, step_ns = time.time_ns() - span_ns, max(1, span_ns // max(traces, 1))
    try:
        _insert_chunks(client, traces, sessions, start_ns, step_ns)
        _each("sessions", sessions, _roll_up(client, traces, sessions))
        for table in _TABLES:
            _say(f"merging {table}")
            client.command(f"OPTIMIZE TABLE {_DATABASE}.{table} FINAL")
        _check_sample(client, store.read_spans)
        store.write_checkpoint(FILL_BATCH_SEQ)
    finally:
        client.close()
        store.close()


def _insert_chunks(client: Any, traces: int, sessions: int, start_ns: int, step_ns: int) -> None:
    def chunks() -> Iterator[int]:
        for first in range(0, traces, _CHUNK_TRACES):
            count = min(_CHUNK_TRACES, traces - first)
            for statement in (
                insert_spans(_DATABASE, first, count, sessions, start_ns, step_ns),
                insert_session_traces(_DATABASE, first, count, sessions, start_ns, step_ns),
                insert_trace_sessions(_DATABASE, first, count, sessions),
            ):
                client.command(statement, settings=_SETTINGS)
            yield (first + count) * SPANS_PER_TRACE

    _each("spans", traces * SPANS_PER_TRACE, chunks())


def _roll_up(client: Any, traces: int, sessions: int) -> Iterator[int]:
    """Session rows from trace rows, by the processor's own query, some sessions at a time."""
    per_chunk = max(1, _ROLLED_UP_TRACES * sessions // max(traces, 1))
    for first in range(0, sessions, per_chunk):
        last = min(first + per_chunk, sessions) - 1
        rows = session_rollups(_DATABASE, f"t.session_id BETWEEN '{session_id(first)}' AND '{session_id(last)}'")
        columns = ", ".join(SESSION_ROLLUPS.names())
        client.command(f"INSERT INTO {_DATABASE}.session_rollups ({columns}) {rows}", settings=_SETTINGS)
        yield last + 1


def _check_sample(client: Any, read_spans: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Trace rows of some traces, computed from their spans, must be those that were written."""
    names = ", ".join(SESSION_TRACES.names())
    written = _read(client, f"SELECT {names} FROM {_DATABASE}.session_traces LIMIT {_SAMPLE}", SESSION_TRACES)
    keys = tuple(written["trace_id"].to_list())
    listed = _read(
        client,
        f"SELECT {', '.join(TRACE_SESSIONS.names())} FROM {_DATABASE}.trace_sessions WHERE trace_id IN {keys}",
        TRACE_SESSIONS,
    )
    computed = trace_rows(read_spans(written.select("tenant", "trace_id")), Prices())
    if not computed.session_traces.sort("trace_id").equals(written.sort("trace_id")):
        raise BenchmarkError("fill: session_traces are not what the spans roll up to")
    if not computed.trace_sessions.sort("trace_id").equals(listed.sort("trace_id")):
        raise BenchmarkError("fill: trace_sessions are not what the spans roll up to")


def _read(client: Any, query: str, schema: pl.Schema) -> pl.DataFrame:
    return cast(pl.DataFrame, pl.from_arrow(client.query_arrow(query, use_strings=True))).cast(schema)


def _each(what: str, total: int, steps: Iterator[int]) -> None:
    started = said = time.perf_counter()
    for done in steps:
        now = time.perf_counter()
        if now - said > 5 or done == total:
            _say(f"{done:,} of {total:,} {what}, {done / (now - started):,.0f} a second")
            said = now


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fill", description=__doc__)
    parser.add_argument("directory", type=Path, help="of the store; must be empty or missing")
    parser.add_argument("--spans", type=int, required=True)
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--days", type=float, required=True)
    options = parser.parse_args()
    try:
        fill(options.directory, options.spans, options.sessions, options.days)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
