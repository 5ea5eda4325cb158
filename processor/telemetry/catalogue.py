"""What a metric is called and means: the text of docs/metrics.md, and of each metric's help.

Held apart from `metrics`, which says which there are, so that nothing is registered that is not described.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS: Final = (1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000)
BYTES: Final = (1_024, 16_384, 131_072, 1_048_576, 4_194_304, 16_777_216, 67_108_864, 268_435_456)

_UNITS: Final = {"seconds": "s", "bytes": "By"}
_UNITS_BY_NAME: Final = {  # which do not end in their unit
    "otel_sessions_limited_total": "1",
    "otel_sessions_kafka_commits_refused_total": "{commit}",
    "otel_sessions_kafka_producers_replaced_total": "{producer}",
    "otel_sessions_kafka_waiting_dead_letters": "{record}",
    "otelcol_exporter_queue_size": "By",
    "otelcol_exporter_queue_capacity": "By",
    "otelcol_kafka_receiver_offset_lag": "{record}",
    "otelcol_process_memory_rss": "By",
    "otelcol_process_uptime": "s",
}

M = TypeVar("M", Counter, Gauge, Histogram)


@dataclass(frozen=True, slots=True)
class Described:
    """One metric. `name` is that of the scrape; `unit` is UCUM's, as OpenTelemetry writes units."""

    name: str
    type: str
    labels: tuple[str, ...]
    unit: str
    help: str

    @property
    def series(self) -> tuple[str, ...]:
        """Names of its samples, which queries use."""
        if self.type == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


class Catalogue:
    """Makes metrics on one registry, and remembers what each of them says."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.described: list[Described] = []

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A number that only grows; the scrape adds `_total`, as the Collector's Helm rules expect."""
        return self._noted(Counter(name, text, labels, registry=self.registry), f"{name}_total", text, labels)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A number that goes up and down."""
        return self._noted(Gauge(name, text, labels, registry=self.registry), name, text, labels)

    def histogram(self, name: str, text: str, *labels: str, buckets: Sequence[float] = SECONDS) -> Histogram:
        """How often something was how much."""
        made = Histogram(name, text, labels, buckets=buckets, registry=self.registry)
        return self._noted(made, name, text, labels)

    def _noted(self, metric: M, name: str, text: str, labels: tuple[str, ...]) -> M:
        kind = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}[type(metric)]
        self.described.append(Described(name, kind, labels, unit_of(name), text))
        return metric


def unit_of(name: str) -> str:
    """The unit of a metric, by its name: `_seconds`, `_bytes`, or what it counts."""
    if name in _UNITS_BY_NAME:
        return _UNITS_BY_NAME[name]
    last = name.removesuffix("_total").rpartition("_")[2]
    if last == "info":
        return "1"
    return _UNITS.get(last) or "{" + (last.removesuffix("s") if last.endswith("s") else last) + "}"
