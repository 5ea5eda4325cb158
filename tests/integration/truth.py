"""What the tables must hold for a load: the oracle's rows, to the last token, nanosecond and nano-dollar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from processor.clock import now_ns
from processor.model import DEFAULT_TENANT
from tests.oracle import expected
from tests.prices import price

Row = dict[str, Any]


def assert_tables_hold(load: Iterable[bytes], read: Callable[[str], Sequence[Row]], database: str = "otel") -> None:
    """Spans once each, and every trace and session row exactly the oracle's. `read` runs a query."""
    truth = expected([(DEFAULT_TENANT, request) for request in load], now_ns(), price)
    count = sum(row["span_count"] for row in truth.trace_sessions.values())
    spans = read(f"SELECT count() AS all, uniqExact(TraceId, SpanId) AS distinct FROM {database}.otel_traces FINAL")
    assert spans == [{"all": count, "distinct": count}]
    for table, live, key, rows in (
        ("session_traces", "span_count > 0", ("tenant", "session_id", "trace_id"), truth.session_traces),
        ("trace_sessions", "true", ("tenant", "trace_id"), truth.trace_sessions),
        ("session_rollups", "trace_count > 0", ("tenant", "session_id"), truth.session_rollups),
    ):
        assert_same(by_key(read(f"SELECT * FROM {database}.{table} FINAL WHERE {live}"), *key), rows)


def by_key(rows: Iterable[Row], *names: str) -> dict[tuple[str, ...], Row]:
    """Rows by key, without their version."""
    return {tuple(row[name] for name in names): {k: v for k, v in row.items() if k != "version"} for row in rows}


def assert_same(stored: dict[Any, Row], truth: dict[Any, Row]) -> None:
    """Equal, and if not, a few of the rows that differ."""
    wrong = [key for key in stored.keys() | truth.keys() if stored.get(key) != truth.get(key)]
    assert not wrong, [len(wrong), *((key, stored.get(key), truth.get(key)) for key in sorted(wrong)[:3])]
