"""What a store says of its statements: how long, how large, and how many it did not carry out."""

from __future__ import annotations

import polars as pl
import pytest
from prometheus_client import CollectorRegistry

from processor.errors import Permanent
from processor.model import SESSION_ROLLUPS
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.telemetry.metrics import Metrics


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """One sample; 0 where there is none."""
    return registry.get_sample_value(name, labels) or 0.0


@pytest.mark.every_store
def test_statements_are_timed_measured_and_counted_when_they_fail(
    store: ClickHouseStore, store_config: StoreConfig
) -> None:
    """An insert is in the histograms of its table; one that fails is an error, and is not."""
    metrics = Metrics()
    watched = ClickHouseStore(store_config, metrics)
    try:
        watched.share_traces(pl.DataFrame({"tenant": ["t"] * 3, "trace_id": ["a", "b", "c"]}))
        table = {"table": "shared_traces"}
        assert value(metrics.registry, "otel_sessions_insert_rows_sum", **table) == 3
        assert value(metrics.registry, "otel_sessions_insert_seconds_count", **table) == 1
        assert value(metrics.registry, "otel_sessions_insert_bytes_sum", **table) > 0
        errors = "otel_sessions_store_errors_total"
        assert value(metrics.registry, errors, operation="insert", retryable="false") == 0
        with pytest.raises(Permanent):
            watched.write_sessions(pl.DataFrame({"no_such_column": [1]}))
        with pytest.raises(Permanent):
            watched._number("SELECT no_such_column FROM system.one")
        for operation in ("insert", "select"):
            assert value(metrics.registry, errors, operation=operation, retryable="false") == 1
        assert value(metrics.registry, "otel_sessions_insert_rows_count", table="session_rollups") == 0
        assert watched.unpriced_span_count() == 0
        rows = pl.DataFrame(schema=SESSION_ROLLUPS)
        watched.write_sessions(rows)  # of nothing, nothing is written
        assert value(metrics.registry, "otel_sessions_insert_rows_count", table="session_rollups") == 0
    finally:
        watched.close()
