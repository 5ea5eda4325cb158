"""What statements take, and how many fail: the metrics of one store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

from processor.clock import monotonic_s
from processor.errors import OtelSessionsError, Permanent
from processor.telemetry.metrics import Metrics


class Observed:
    """Of all clients of one store. Any thread."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @contextlib.contextmanager
    def insert(self, table: str, rows: int, size_bytes: int) -> Iterator[None]:
        """Around one insert; one that fails is no part of the histograms."""
        started_s = monotonic_s()
        with self._errors("insert"):
            yield
        self._metrics.insert_seconds.labels(table).observe(monotonic_s() - started_s)
        self._metrics.insert_rows.labels(table).observe(rows)
        self._metrics.insert_bytes.labels(table).observe(size_bytes)

    def select(self) -> contextlib.AbstractContextManager[None]:
        """Around one query."""
        return self._errors("select")

    @contextlib.contextmanager
    def _errors(self, operation: Literal["insert", "select"]) -> Iterator[None]:
        try:
            yield
        except OtelSessionsError as error:
            retryable = "false" if isinstance(error, Permanent) else "true"
            self._metrics.store_errors.labels(operation, retryable).inc()
            raise
