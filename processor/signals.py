"""The OTLP signals, and what each is called: on the wire, in Kafka, in messages. Imports nothing of ours."""

from __future__ import annotations

from enum import Enum


class Signal(Enum):
    """A signal by its last path segment over HTTP, which is also what the Collector's `otelcol.signal` says."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"

    @property
    def item(self) -> str:
        """What requests of the signal consist of, one of it, as messages say."""
        return _ITEMS[self]

    @property
    def request(self) -> str:
        """Name of the request's message."""
        return f"Export{_SERVICES[self]}ServiceRequest"

    def suffixed(self, name: str, joint: str) -> str:
        """A component's name for this signal: the name as it is for spans, `name/logs` and the like for the others."""
        return name if self is Signal.TRACES else f"{name}{joint}{self.value}"


_ITEMS = {Signal.TRACES: "span", Signal.LOGS: "log record", Signal.METRICS: "data point"}
_SERVICES = {Signal.TRACES: "Trace", Signal.LOGS: "Logs", Signal.METRICS: "Metrics"}
