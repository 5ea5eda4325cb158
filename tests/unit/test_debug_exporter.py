"""The `debug` exporter: which requests it shows, and what it says of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from structlog.testing import capture_logs

from processor.config import Config, read_config
from processor.debug.config import DebugExporterConfig
from processor.debug.exporter import Budget, DebugExporter, DebugLog, ShownWriter
from processor.errors import ConfigError, Overloaded, Permanent
from processor.log.base import Receipt
from processor.role import Role
from processor.signals import Signal

BASIC, NORMAL, DETAILED = (DebugExporterConfig(verbosity=level) for level in ("basic", "normal", "detailed"))


def spans() -> bytes:
    """Two spans, one with everything."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add(schema_url="https://schema")
    resource.resource.attributes.add(key="service.name").value.string_value = "agent"
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "lib", "1.2"
    first = scope.spans.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, name="chat", kind=3)
    first.start_time_unix_nano, first.end_time_unix_nano = 1_700_000_000_000_000_000, 1_700_000_001_500_000_000
    first.status.code, first.status.message = 2, "no"
    first.attributes.add(key="n").value.int_value = 7
    first.attributes.add(key="list").value.array_value.values.add().string_value = "two\nlines"
    first.events.add(name="token", time_unix_nano=1).attributes.add(key="ok").value.bool_value = True
    first.links.add(trace_id=b"\x03" * 16, span_id=b"\x04" * 8)
    scope.spans.add(trace_id=b"\x01" * 16, span_id=b"\x05" * 8, parent_span_id=b"\x02" * 8, name="tool")
    return request.SerializeToString()


def logs() -> bytes:
    """One log record."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(severity_text="INFO", time_unix_nano=1)
    record.body.string_value = "hello"
    record.attributes.add(key="a").value.double_value = 0.5
    return request.SerializeToString()


def metrics() -> bytes:
    """One counter with two data points, one histogram with one."""
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    points = scope.metrics.add(name="tokens", unit="{token}").sum.data_points
    points.add(as_int=3).attributes.add(key="model").value.string_value = "small"
    points.add(as_double=1.5)
    scope.metrics.add(name="seconds").histogram.data_points.add(count=2, sum=0.5)
    return request.SerializeToString()


def shown(config: DebugExporterConfig, value: bytes, signal: Signal = Signal.TRACES) -> dict[str, Any]:
    """The line of one request."""
    with capture_logs() as lines:
        asyncio.run(DebugExporter(config, signal).show(value))
    (line,) = lines
    return dict(line)


def test_basic_counts() -> None:
    """Resources and items of each signal."""
    about = {"log_level": "info"}
    assert shown(BASIC, spans()) == {"event": "Traces", "resource_spans": 1, "spans": 2} | about
    assert shown(BASIC, logs(), Signal.LOGS) == {"event": "Logs", "resource_logs": 1, "log_records": 1} | about
    line = shown(BASIC, metrics(), Signal.METRICS)
    assert line == {"event": "Metrics", "resource_metrics": 1, "metrics": 2, "data_points": 3} | about


def test_normal_is_a_line_an_item() -> None:
    """As the Collector writes it."""
    assert shown(NORMAL, spans())["details"].split("\n") == [
        "ResourceTraces #0 https://schema service.name=agent",
        "ScopeTraces #0 lib@1.2",
        f"chat {'01' * 16} {'02' * 8} n=7 list=[two\\nlines]",
        f"tool {'01' * 16} {'05' * 8}",
    ]
    assert shown(NORMAL, logs(), Signal.LOGS)["details"].split("\n")[-1] == "hello a=0.5"
    points = shown(NORMAL, metrics(), Signal.METRICS)["details"].split("\n")[-3:]
    assert points == ["tokens{model=small} 3", "tokens{} 1.5", "seconds{} count=2 sum=0.5"]


def test_detailed_has_every_field() -> None:
    """Names and forms are those of the Collector."""
    text = shown(DETAILED, spans())["details"]
    for line in (
        "ResourceSpans #0",
        "     -> service.name: Str(agent)",
        "InstrumentationScope lib 1.2",
        "Span #0",
        f"    Trace ID       : {'01' * 16}",
        f"    Parent ID      : {'02' * 8}",
        "    Kind           : Client",
        "    Start time     : 2023-11-14 22:13:20 +0000 UTC",
        "    End time       : 2023-11-14 22:13:21.5 +0000 UTC",
        "    Status code    : Error",
        "     -> list: Slice([two\\nlines])",
        "SpanEvent #0",
        "         -> ok: Bool(true)",
        "SpanLink #0",
    ):
        assert line in text.split("\n"), line
    assert "Body: Str(hello)" in shown(DETAILED, logs(), Signal.LOGS)["details"]
    assert "     -> DataType: sum" in shown(DETAILED, metrics(), Signal.METRICS)["details"]


def test_strange_values_are_shown_as_they_are() -> None:
    """A time that no calendar has, and a kind that a newer protocol knows."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(start_time_unix_nano=2**64 - 1)
    span.kind = 99
    text = shown(DETAILED, request.SerializeToString())["details"]
    assert "    Kind           : 99" in text
    assert str(2**64 - 1) in text or "2554-" in text


def test_what_is_written_of_one_request_is_bounded() -> None:
    """The rest is only counted."""
    request = ExportTraceServiceRequest()
    found = request.resource_spans.add().scope_spans.add().spans
    for _ in range(5_000):
        found.add(name="x" * 100)
    line = shown(DebugExporterConfig(verbosity="normal", output_bytes_max=2_000), request.SerializeToString())
    assert line["spans"] == 5_000
    assert len(line["details"]) < 2_100
    assert line["details"].endswith("... more than output_bytes_max")


def test_the_first_requests_of_a_second_are_shown_and_then_every_so_manyeth() -> None:
    """As the Collector samples them; with the defaults all are."""
    budget = Budget(2, 3)
    assert [budget.take(1.5) for _ in range(8)] == [True, True, False, False, True, False, False, True]
    assert budget.take(2.0)
    assert all(Budget(2, 1).take(0.0) for _ in range(10))


def test_alone_it_answers_with_what_it_was_given_and_refuses_what_is_none() -> None:
    """Items are counted; of metrics, data points."""

    async def scenario() -> None:
        for signal, value, count in (
            (Signal.TRACES, spans(), 2),
            (Signal.LOGS, logs(), 1),
            (Signal.METRICS, metrics(), 3),
        ):
            log = DebugLog(DebugExporter(BASIC, signal), signal)
            assert await log.append("default", value) == Receipt(accepted_spans=count)
            with pytest.raises(Permanent, match=f"no export request of {signal.value}"):
                await log.append("default", b"\xff\xff")

    asyncio.run(scenario())


class FullLog:
    """A log that takes nothing."""

    async def append(self, tenant: str, value: bytes) -> Receipt:
        """Never."""
        raise Overloaded("full")

    async def close(self) -> None:
        """Nothing to do."""


def test_what_the_log_does_not_take_is_not_shown() -> None:
    """It is shown when it is sent again, and taken."""

    async def scenario() -> None:
        with pytest.raises(Overloaded):
            await ShownWriter(FullLog(), DebugExporter(BASIC, Signal.TRACES)).append("default", spans())

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert lines == []


# --- Configuration ---

FILE = """
receivers: {otlp: , kafka: }
processors: {sessions: }
exporters: {debug: , kafka: , clickhouse: {dsn: 'http://clickhouse:8123'}}
service: {pipelines: {traces: {receivers: [%s], processors: [%s], exporters: [%s]}}}
"""


def test_it_stands_alone_or_beside_another_exporter() -> None:
    """And follows the file into each role; undefined, it can't be named."""
    alone = read_config(FILE % ("otlp", "", "debug"), {})
    assert alone.debug_exporter == DebugExporterConfig()
    assert alone.sessions is alone.kafka_exporter is None
    both = read_config(FILE % ("otlp", "sessions", "clickhouse, debug"), {})
    for role in (Role.RECEIVER, Role.WORKER, Role.ALL):
        assert both.as_role(role).debug_exporter is not None
    assert both.as_role(Role.API).debug_exporter is None
    assert Config().debug_exporter is None
    with pytest.raises(ConfigError, match="'debug' is not defined in exporters"):
        read_config("service: {pipelines: {traces: {exporters: [clickhouse, debug]}}}", {})


@pytest.mark.parametrize(("receivers", "processors"), [("kafka", ""), ("otlp", "sessions")])
def test_alone_it_shows_what_is_received_over_otlp(receivers: str, processors: str) -> None:
    """Nothing would be committed, nothing stored: the file says something that it does not mean."""
    with pytest.raises(ConfigError, match="debug alone shows what otlp receives"):
        read_config(FILE % (receivers, processors, "debug"), {})
