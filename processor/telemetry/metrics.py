"""The catalogue of metrics, served on port 8888.

Names of the Collector where it has one (`otelcol_…`), ours (`otel_sessions_…`) elsewhere. `prometheus_client` adds
`_total` to counters, as the Collector's Helm rules expect. One instance a process; nothing is registered at import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from processor.signals import Signal

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


_ITEMS: Final = {
    Signal.TRACES: ("spans", "Spans"),
    Signal.LOGS: ("log_records", "Log records"),
    Signal.METRICS: ("metric_points", "Data points of metrics"),
}


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted of one signal's items: spans, log records, data points."""

    accepted: Counter  # receiver, transport
    refused: Counter  # receiver, transport
    rejected: Counter  # reason
    sent: Counter  # exporter
    send_failed: Counter  # exporter


class Metrics:
    """Every metric of the process, on a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter(
            "otel_sessions_receiver_requests", "Export requests by outcome", "transport", "outcome"
        )
        self._counted = {signal: self._count(*names) for signal, names in _ITEMS.items()}
        self.refused_items = self._counter(
            "otel_sessions_receiver_refused_items",
            "Items of requests answered with an error, by signal and outcome",
            "signal",
            "outcome",
        )
        self.limited = self._counter(
            "otel_sessions_limited", "What was left out or cut short by a limit, by signal and limit", "signal", "limit"
        )
        self.queue_bytes = self._gauge("otelcol_exporter_queue_size", "Bytes waiting in the log", "exporter")
        self.queue_bytes_max = self._gauge("otelcol_exporter_queue_capacity", "Most bytes the log may hold", "exporter")
        self.kafka_sent_records = self._counter(
            "otel_sessions_kafka_sent_records", "Records that the brokers acknowledged"
        )
        self.kafka_producers_replaced = self._counter(
            "otel_sessions_kafka_producers_replaced", "Producers thrown away because they were stuck or not answered"
        )
        self.kafka_offset_lag = self._gauge(
            "otelcol_kafka_receiver_offset_lag", "Records of an assigned partition not taken yet", "topic", "partition"
        )
        self.kafka_dead_lettered_records = self._counter(
            "otel_sessions_kafka_dead_lettered_records", "Records that the dead-letter topic has acknowledged"
        )
        self.kafka_skipped_records = self._counter(
            "otel_sessions_kafka_skipped_records", "Records of other signals, or without a value"
        )
        self.kafka_commits_refused = self._counter(
            "otel_sessions_kafka_commits_refused", "Commits that failed; their records come again"
        )
        self.kafka_rebalances = self._counter(
            "otel_sessions_kafka_rebalances", "Times that partitions were assigned to this worker"
        )
        self.stored_rows = self._counter("otel_sessions_stored_rows", "Rows written, by table", "table")
        self.batch_seconds = self._histogram(
            "otel_sessions_batch_seconds", "Time of a step of the pipeline over one batch", "step"
        )
        self.tick_seconds = self._histogram("otel_sessions_rollup_tick_seconds", "Time of one rollup tick")
        self.rollup_lag_s = self._gauge(
            "otel_sessions_rollup_lag_seconds", "Age of the oldest stored span that its session does not show yet"
        )
        self.dirty_traces = self._gauge("otel_sessions_dirty_traces", "Traces waiting to be rolled up")
        self.dirty_sessions = self._gauge("otel_sessions_dirty_sessions", "Sessions waiting to be rolled up")
        self.unbound_spans = self._gauge("otel_sessions_unbound_spans", "Stored spans that no session claims")
        self.remembered_spans = self._gauge("otel_sessions_remembered_spans", "Recent spans held in memory for rollups")
        self.deleted_sessions = self._gauge(
            "otel_sessions_deleted_sessions", "Deleted sessions whose ids are blocked still"
        )
        self.pending_deletions = self._gauge(
            "otel_sessions_pending_deletions", "Deletions, and late spans of deleted sessions, that wait for a purge"
        )
        self.purged_sessions = self._counter("otel_sessions_purged_sessions", "Deletions of which nothing is left")
        self.purged_spans = self._counter("otel_sessions_purged_spans", "Spans removed with their session")
        self.purge_seconds = self._histogram(
            "otel_sessions_purge_seconds", "Time of one purge that had something to do"
        )
        self.budget_posted = self._counter("otel_sessions_budget_alerts_posted", "Alerts that a webhook took", "rule")
        self.budget_failed = self._counter(
            "otel_sessions_budget_posts_failed", "Posts that no webhook took; they are made again", "rule"
        )
        self.budget_given_up = self._counter(
            "otel_sessions_budget_alerts_given_up", "Alerts that are not posted again", "rule"
        )
        self.budget_pending = self._gauge("otel_sessions_budget_alerts_pending", "Alerts that wait to be posted")
        self.process_rss = self._gauge("otelcol_process_memory_rss", "Resident memory in bytes")
        self.process_uptime = self._gauge("otelcol_process_uptime", "Seconds since start")

    def of(self, signal: Signal) -> Counted:
        """The counters of one signal."""
        return self._counted[signal]

    def _count(self, items: str, what: str) -> Counted:
        return Counted(
            accepted=self._counter(
                f"otelcol_receiver_accepted_{items}", f"{what} answered with OK", "receiver", "transport"
            ),
            refused=self._counter(
                f"otelcol_receiver_refused_{items}",
                f"{what} answered with an error or counted as rejected",
                "receiver",
                "transport",
            ),
            rejected=self._counter(f"otel_sessions_rejected_{items}", f"{what} refused for good, by reason", "reason"),
            sent=self._counter(f"otelcol_exporter_sent_{items}", f"{what} written to the store", "exporter"),
            send_failed=self._counter(
                f"otelcol_exporter_send_failed_{items}",
                f"{what} whose write to the store failed (the exporter retries)",
                "exporter",
            ),
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=_SECONDS, registry=self.registry)
