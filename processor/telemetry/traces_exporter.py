"""Counts what an OTLP endpoint did not take of our own spans. Imports the SDK, so only `traces` imports this."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from processor.telemetry.metrics import Metrics


class CountingExporter(SpanExporter):
    """Another exporter, watched."""

    def __init__(self, exporter: SpanExporter, metrics: Metrics) -> None:
        self._exporter = exporter
        self._dropped = metrics.own_spans_dropped

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; the exporter has retried for its timeout when it says that it could not."""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._dropped.inc(len(spans))
        return result

    def shutdown(self) -> None:
        """End, also retrying."""
        self._exporter.shutdown()
