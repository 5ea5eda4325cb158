"""Log records and metrics through the whole process: what is acknowledged is in the tables, also when it is killed."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import httpx

from processor.clock import now_ns
from tests.integration.closed_store import read
from tests.integration.process import ANY_PORTS, TIMEOUT_S, Running

RARE_TICKS = ANY_PORTS + "processors: {sessions: {rollups: {interval_s: 60}}}\n"
_LOOK_S = 0.05


def pairs(said: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP/JSON has them."""
    return [{"key": key, "value": {"stringValue": str(value)}} for key, value in said.items()]


def call_record(number: int, session: str, **said: Any) -> dict[str, Any]:
    """A model call of Claude Code: 10 tokens in, 5 out, a tenth of a cent."""
    attributes = {
        "event.name": "api_request", "session.id": session, "model": "claude-sonnet-5", "input_tokens": 10,
        "output_tokens": 5, "cost_usd": 0.001, "duration_ms": 100, "request_id": f"req-{session}-{number}", **said,
    }  # fmt: skip
    return {
        "timeUnixNano": str(now_ns()),
        "body": {"stringValue": "claude_code.api_request"},
        "attributes": pairs(attributes),
    }


def post(running: Running, path: str, body: dict[str, Any]) -> None:
    """OTLP/JSON; it must be taken whole."""
    response = httpx.post(f"{running.url('http')}{path}", json=body, timeout=TIMEOUT_S)
    assert (response.status_code, response.json()) == (200, {}), response.text


def send_logs(running: Running, *records: dict[str, Any]) -> None:
    """One request."""
    post(running, "/v1/logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]})


def session_of(running: Running, session: str) -> dict[str, Any]:
    """The session as the API shows it, once it does."""
    end_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end_s:
        answer = httpx.get(f"{running.url('sessions_api')}/v1/sessions", params={"search": session}, timeout=TIMEOUT_S)
        if found := answer.json()["data"]:
            (row,) = found
            return dict(row)
        time.sleep(_LOOK_S)
    raise AssertionError(f"{session} does not show")


def test_calls_that_only_log_records_report_make_a_session(tmp_path: Path) -> None:
    """A session without a span, with its tokens and its cost; a record sent twice is one."""
    with Running(tmp_path) as running:
        records = [call_record(number, "logged") for number in range(3)]
        send_logs(running, *records, {"body": {"stringValue": "just a line"}, "timeUnixNano": str(now_ns())})
        send_logs(running, *records)
        row = session_of(running, "logged")
        metrics = httpx.get(f"{running.url('metrics')}/metrics", timeout=TIMEOUT_S).text
        assert running.stop()[0] == 0
    assert (row["total_tokens"], float(row["total_cost"])) == (45, 0.003)
    assert 'otelcol_receiver_accepted_log_records_total{receiver="otlp",transport="http"} 7.0' in metrics
    assert 'otelcol_exporter_sent_log_records_total{exporter="clickhouse"} 7.0' in metrics
    (logs, spans) = read(
        running.data,
        "SELECT count() AS n, countIf(SessionId = 'logged') AS own FROM otel.otel_logs FINAL",
        "SELECT count() AS n FROM otel.otel_traces",
    )
    assert (logs, spans) == ([{"n": 4, "own": 3}], [{"n": 0}])


def test_what_is_no_request_is_refused_for_good_and_harms_nothing(tmp_path: Path) -> None:
    """Garbage of either signal, and JSON of a wrong type; what stands beside it in a batch is stored."""
    protobuf = {"content-type": "application/x-protobuf"}
    with Running(tmp_path) as running:
        for path, message in (("/v1/logs", "ExportLogsServiceRequest"), ("/v1/metrics", "ExportMetricsServiceRequest")):
            url = running.url("http") + path
            refused = httpx.post(url, content=b"\x0a\xff garbage", headers=protobuf, timeout=TIMEOUT_S)
            assert refused.status_code == httpx.codes.BAD_REQUEST
            assert f"malformed {message}".encode() in refused.content
            assert httpx.post(url, content=b"", headers=protobuf, timeout=TIMEOUT_S).status_code == httpx.codes.OK
        wrong = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityNumber": "INFO"}]}]}]}
        refused = httpx.post(f"{running.url('http')}/v1/logs", json=wrong, timeout=TIMEOUT_S)
        assert refused.status_code == httpx.codes.BAD_REQUEST
        assert "resourceLogs[0].scopeLogs[0].logRecords[0].severityNumber" in refused.json()["message"]
        send_logs(running, call_record(0, "beside"))
        assert session_of(running, "beside")["total_tokens"] == 15
        assert running.stop()[0] == 0


def test_metrics_are_kept_as_points(tmp_path: Path) -> None:
    """Those that count a session's tokens; all others succeed as well."""
    point = {
        "timeUnixNano": str(now_ns()), "startTimeUnixNano": str(now_ns() - 10**9), "asInt": "7",
        "attributes": pairs({"session.id": "m", "type": "output", "model": "claude-sonnet-5"}),
    }  # fmt: skip
    metrics = [
        {"name": "claude_code.token.usage", "sum": {"aggregationTemporality": 1, "dataPoints": [point]}},
        {"name": "app.requests", "gauge": {"dataPoints": [{"asDouble": 1.5, "timeUnixNano": "1"}]}},
    ]
    with Running(tmp_path) as running:
        for _ in range(2):
            post(running, "/v1/metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]})
        text = httpx.get(f"{running.url('metrics')}/metrics", timeout=TIMEOUT_S).text
        assert 'otelcol_receiver_accepted_metric_points_total{receiver="otlp",transport="http"} 4.0' in text
        assert running.stop()[0] == 0
    (rows,) = read(running.data, "SELECT session_id, measure, toInt64(amount) AS n FROM otel.session_metrics FINAL")
    assert rows == [{"session_id": "m", "measure": "output", "n": 7}]


def test_killed_after_the_acknowledgement_it_has_everything_once(tmp_path: Path) -> None:
    """Spans and log records are acknowledged, none is rolled up; the next start finds both, and counts each once."""
    spans = [
        {"traceId": f"{trace:032x}", "spanId": f"{trace:016x}", "name": "chat", "startTimeUnixNano": str(now_ns()),
         "endTimeUnixNano": str(now_ns()), "attributes": pairs({"session.id": "both", "gen_ai.operation.name": "chat",
                                                                 "gen_ai.usage.input_tokens": 100})}
        for trace in range(1, 6)
    ]  # fmt: skip
    with Running(tmp_path, RARE_TICKS) as running:
        for one in range(5):
            send_logs(running, call_record(one, "both"))
            running.export(spans[one])
        assert running.stop(signal.SIGKILL)[0] == -signal.SIGKILL
    with Running(tmp_path) as running:
        send_logs(running, call_record(9, "later"))
        session_of(running, "later")
        assert running.stop()[0] == 0
    found, logs = read(
        running.data,
        "SELECT session_id, total_tokens, toInt64(llm_call_count) AS calls FROM otel.sessions ORDER BY session_id",
        "SELECT count() AS n FROM otel.otel_logs FINAL",
    )
    assert found == [
        {"session_id": "both", "total_tokens": 5 * 100 + 5 * 15, "calls": 10},
        {"session_id": "later", "total_tokens": 15, "calls": 1},
    ]
    assert logs == [{"n": 6}]
