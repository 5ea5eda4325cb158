"""What a store holds, read after its server has stopped: `python -m benchmarks.totals DIRECTORY` prints JSON.

In a process of its own, because chDB opens one directory a process and its memory must not count as the benchmark's.
"""

# ruff: noqa: PLC0415 (only the subprocess loads chDB)

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.failure import BenchmarkError

_DATABASE = "otel"
_QUERY_S_MAX = 900


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the rows that people and rollups see."""

    sessions: int = 0
    session_spans: int = 0  # sum of span_count over `sessions`
    unbound_spans: int = 0
    traces: int = 0
    parts: int = 0  # active, of all tables
    disk_mib: int = 0

    @property
    def spans(self) -> int:
        """Every span counted once: in a session or unbound."""
        return self.session_spans + self.unbound_spans


def read_totals(store: Path) -> Totals:
    """The totals of a store that no process has open; zeros for one that does not exist."""
    if not store.exists():
        return Totals()
    command = [sys.executable, "-m", "benchmarks.totals", str(store)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=_QUERY_S_MAX)
    if done.returncode != 0:
        raise BenchmarkError(f"the store can't be read: {done.stderr.decode(errors='replace')[-2000:]}")
    return Totals(**orjson.loads(done.stdout.splitlines()[-1]))


def _totals(store: Path) -> Totals:
    from processor.store.connection import StoreConfig, connect

    client: Any = connect(StoreConfig(dsn=f"chdb://{store}", database=_DATABASE))

    def row(query: str) -> list[int]:
        return [int(value or 0) for value in client.query(query).result_rows[0]]

    try:
        sessions, session_spans = row(f"SELECT count(), sum(span_count) FROM {_DATABASE}.sessions")
        traces, unbound = row(f"SELECT count(), sum(unbound_span_count) FROM {_DATABASE}.trace_sessions FINAL")
        parts, size = row(
            f"SELECT count(), sum(bytes_on_disk) FROM system.parts WHERE active AND database = '{_DATABASE}'"
        )
    finally:
        client.close()
    return Totals(sessions, session_spans, unbound, traces, parts, size // (1024 * 1024))


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(asdict(_totals(Path(sys.argv[1])))).decode() + "\n")
