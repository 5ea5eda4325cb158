"""`otel-sessions run` and `validate`: starting, being looked at, stopping, and saying why not."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from processor.clock import now_ns
from processor.log.memory import MemoryLogConfig
from tests.integration.process import ANY_PORTS, Running, call


def span(session_id: str) -> dict[str, Any]:
    """A model call of one second that has just ended, as OTLP JSON."""
    end_ns = now_ns()
    return {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "name": "chat",
        "startTimeUnixNano": str(end_ns - 1_000_000_000),
        "endTimeUnixNano": str(end_ns),
        "attributes": [{"key": "session.id", "value": {"stringValue": session_id}}],
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_everything_stored_and_rolled_up(tmp_path: Path, number: int) -> None:
    """Exit code 0 after either signal, and the next process shows at once what the last had accepted."""
    with Running(tmp_path) as process:
        process.export(span("kept"))
        code, lines = process.stop(number)
    assert code == 0
    assert [line["event"] for line in lines] == ["stopping", "stopped"]
    with Running(tmp_path) as process:
        body = httpx.get(f"{process.url('sessions_api')}/v1/sessions/kept").json()
    assert body["data"]["span_count"] == 1


def test_health_and_metrics_are_served(tmp_path: Path) -> None:
    """`/` and `/ready` answer 200 with JSON, `/metrics` holds what was accepted, the queue, memory and uptime."""
    with Running(tmp_path) as process:
        process.export(span("counted"))
        alive = httpx.get(f"{process.url('health_check')}/")
        ready = httpx.get(f"{process.url('health_check')}/ready")
        metrics = httpx.get(f"{process.url('metrics')}/metrics")
    assert (alive.status_code, ready.status_code) == (200, 200)
    assert alive.json()["ready"] is True
    values = dict(line.rsplit(" ", 1) for line in metrics.text.splitlines() if not line.startswith("#"))
    assert float(values['otelcol_receiver_accepted_spans_total{receiver="otlp",transport="http"}']) == 1
    assert float(values['otelcol_exporter_sent_spans_total{exporter="clickhouse"}']) == 1
    assert float(values['otelcol_exporter_queue_size{exporter="clickhouse"}']) == 0
    assert float(values['otelcol_exporter_queue_capacity{exporter="clickhouse"}']) == MemoryLogConfig().queue_bytes_max
    assert float(values["otelcol_process_memory_rss"]) > 10_000_000
    assert float(values["otelcol_process_uptime"]) > 0


@pytest.mark.parametrize(
    ("section", "option"),
    [
        ("receivers: {otlp: {protocols: {grpc: {endpoint: '%s'}}}}", "receivers.otlp.protocols.grpc"),
        ("receivers: {otlp: {protocols: {http: {endpoint: '%s'}}}}", "receivers.otlp.protocols.http"),
        ("extensions: {sessions_api: {endpoint: '%s'}}", "extensions.sessions_api.endpoint"),
        ("extensions: {health_check: {endpoint: '%s'}}", "extensions.health_check.endpoint"),
        ("service: {telemetry: {metrics: {address: '%s'}}}", "service.telemetry.metrics.address"),
    ],
)
def test_a_taken_port_is_an_error_that_names_the_port_and_the_option(tmp_path: Path, section: str, option: str) -> None:
    """Exit code 1, one sentence on stderr, no traceback, whichever port it is."""
    lines = {line.partition(":")[0]: line for line in ANY_PORTS.strip().splitlines()}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        lines[section.partition(":")[0]] = section % endpoint
        config = tmp_path / "config.yaml"
        config.write_text("\n".join(lines.values()))
        result = call("run", "--config", str(config), TEST_DATA=str(tmp_path / "data"))
    assert result.returncode == 1
    (message,) = [line for line in result.stderr.splitlines() if line.startswith("otel-sessions: ")]
    assert endpoint in message
    assert option in message
    assert "another endpoint" in message
    assert "Traceback" not in result.stderr


def test_a_data_directory_belongs_to_one_process(tmp_path: Path) -> None:
    """The second process is told who has the directory; the first does not notice."""
    with Running(tmp_path) as process:
        result = call("run", "--config", str(process.config), TEST_DATA=str(process.data))
        assert httpx.get(f"{process.url('health_check')}/ready").status_code == 200
    assert result.returncode == 1
    assert f"{process.data} is in use by process " in result.stderr
    assert "exporters.clickhouse.dsn" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unusable_data_directory_is_an_error_that_says_what_to_change(tmp_path: Path) -> None:
    """A file where the directory should be: exit code 1 and the option to change."""
    (tmp_path / "file").write_text("")
    config = tmp_path / "config.yaml"
    config.write_text(ANY_PORTS)
    result = call("run", "--config", str(config), TEST_DATA=str(tmp_path / "file" / "data"))
    assert result.returncode == 1
    assert "exporters.clickhouse.dsn" in result.stderr
    assert "Traceback" not in result.stderr


def test_validate_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    """0 for a good file, 1 with path and suggestion for a bad one, 2 without a file."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(ANY_PORTS)
    bad.write_text("receivers: {otlp: {protocols: {grcp: {}}}}")
    assert call("validate", str(good), TEST_DATA="/d").returncode == 0
    result = call("validate", str(bad))
    assert result.returncode == 1
    assert result.stderr.startswith(f"otel-sessions: {bad}: receivers.otlp.protocols.grcp: unknown key")
    assert call("validate").returncode == 2
    assert call("run", "--config", str(tmp_path / "none.yaml")).returncode == 1
