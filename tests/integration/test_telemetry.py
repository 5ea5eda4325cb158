"""A process as its operator sees it: what is scraped, logged, shown and traced of spans that real exporters sent."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from prometheus_client.parser import text_string_to_metric_families

from processor.telemetry.metrics import Metrics
from tests.integration.collector import Collector, attributes_of, collecting
from tests.integration.process import ANY_PORTS, TIMEOUT_S, Running

CONFIG = """
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}, http: {endpoint: "127.0.0.1:0"}}}}
exporters:
  clickhouse: {dsn: "chdb://${env:TEST_DATA}"}
  debug: {verbosity: detailed, sampling_initial: 100}
extensions:
  health_check: {endpoint: "127.0.0.1:0"}
  sessions_api: {endpoint: "127.0.0.1:0"}
  clickhouse_http: {endpoint: "127.0.0.1:0"}
service:
  pipelines: {traces: {receivers: [otlp], processors: [sessions], exporters: [clickhouse, debug]}}
  telemetry:
    metrics: {address: "127.0.0.1:0"}
    logs: {encoding: json}
    traces: {endpoint: "${env:COLLECTOR}", schedule_delay_s: 0.1, headers: ["authorization=Bearer of-the-test"]}
"""
SPANS = {"grpc": 7, "http": 4}
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PROMPT = "a prompt that is nobody's business"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Takes the process's own spans."""
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Running]:
    """A process to which exporters have sent the spans of `SPANS`, and one request that is none."""
    folder = tmp_path_factory.mktemp("telemetry")
    with Running(folder, CONFIG, COLLECTOR=f"127.0.0.1:{collector.port}") as running:
        grpc_url, http_url = running.url("grpc"), f"{running.url('http')}/v1/traces"
        export(GrpcExporter(endpoint=grpc_url, insecure=True), SPANS["grpc"])
        export(HttpExporter(endpoint=http_url), SPANS["http"])
        headers = {"content-type": "application/x-protobuf"}
        assert httpx.post(http_url, content=b"\xff\xff", headers=headers).status_code == 400
        yield running


def export(exporter: SpanExporter, count: int, service: str = "agent") -> None:
    """Send spans, one a request, each acknowledged."""
    provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    for number in range(count):
        attributes = {"session.id": f"{service} {number}", "gen_ai.operation.name": "chat", "input.value": PROMPT}
        tracer.start_span("chat", attributes=attributes).end()
    provider.shutdown()


def scrape(process: Running) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels."""
    answer = httpx.get(f"{process.url('metrics')}/metrics", timeout=TIMEOUT_S)
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def sample(samples: dict[Any, float], name: str, **labels: str) -> float:
    """One sample's value; 0 where there is none."""
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def test_a_scrape_says_what_was_sent(process: Running) -> None:
    """Accepted, refused, answered, inserted and stored: the numbers are those of the exporters."""
    samples = scrape(process)
    for transport, count in SPANS.items():
        labels = {"receiver": "otlp", "transport": transport}
        assert sample(samples, "otelcol_receiver_accepted_spans_total", **labels) == count
        assert sample(samples, "otel_sessions_receiver_requests_total", transport=transport, outcome="ok") == count
    responses = "otel_sessions_receiver_responses_total"
    assert sample(samples, responses, transport="grpc", status="OK") == SPANS["grpc"]
    assert sample(samples, responses, transport="http", status="200") == SPANS["http"]
    assert sample(samples, responses, transport="http", status="400") == 1
    total = sum(SPANS.values())
    assert sample(samples, "otelcol_exporter_sent_spans_total", exporter="clickhouse") == total
    for table in ("otel_traces", "session_spans"):
        assert sample(samples, "otel_sessions_stored_rows_total", table=table) == total
        assert sample(samples, "otel_sessions_insert_rows_sum", table=table) == total
        inserts = sample(samples, "otel_sessions_insert_seconds_count", table=table)
        assert 1 <= inserts <= total
        assert sample(samples, "otel_sessions_insert_bytes_count", table=table) == inserts
        assert sample(samples, "otel_sessions_insert_bytes_sum", table=table) > total
    for exporter in ("clickhouse", "clickhouse/logs", "clickhouse/metrics"):
        assert sample(samples, "otelcol_exporter_queue_size", exporter=exporter) == 0
        assert sample(samples, "otelcol_exporter_queue_capacity", exporter=exporter) > 0
        assert sample(samples, "otel_sessions_oldest_unflushed_seconds", exporter=exporter) == 0
    assert not [key for key in samples if key[0] == "otel_sessions_store_errors_total"]
    assert sample(samples, "otelcol_process_cpu_seconds_total") > 0
    assert sample(samples, "otel_sessions_ready") == 1
    (build,) = [dict(labels) for name, labels in samples if name == "otel_sessions_build_info"]
    assert build["version"]


def test_everything_that_is_scraped_is_in_the_catalogue(process: Running) -> None:
    """No family of a living process is missing in docs/metrics.md."""
    names = {name for metric in Metrics().described for name in metric.series}
    assert {name for name, _ in scrape(process) if not name.endswith("_created")} <= names


def test_rollups_catch_up_and_say_so(process: Running) -> None:
    """The lag goes to nothing, and spans without a price are counted."""

    def caught_up() -> bool:
        samples = scrape(process)
        ticks = sample(samples, "otel_sessions_rollup_tick_seconds_count")
        waiting = [sample(samples, f"otel_sessions_{what}") for what in ("rollup_lag_seconds", "dirty_sessions")]
        written = sample(samples, "otel_sessions_insert_rows_sum", table="session_rollups")
        return ticks > 0 and waiting == [0, 0] and written >= sum(SPANS.values())

    until(caught_up)


def test_api_requests_are_timed_by_route_and_status(process: Running) -> None:
    """The template of the path, never the path; what no route takes is `other`."""
    api = process.url("sessions_api")
    paths = ("/v1/sessions", "/v1/sessions/agent%200", "/v1/sessions/none", "/v1/sessions?limit=x", "/nothing/of/ours")
    assert [httpx.get(f"{api}{path}", timeout=TIMEOUT_S).status_code for path in paths] == [200, 200, 404, 400, 404]
    sql = httpx.get(f"{process.url('clickhouse_http')}/?query=SELECT%201", timeout=TIMEOUT_S)
    assert sql.status_code == 200

    def counted() -> dict[tuple[str, str, str], float]:
        return {
            (said["api"], said["route"], said["status"]): value
            for (name, labels), value in scrape(process).items()
            if name == "otel_sessions_api_request_seconds_count" and (said := dict(labels))["method"] == "GET"
        }

    expected = {
        ("sessions_api", "/v1/sessions", "200"): 1,
        ("sessions_api", "/v1/sessions", "400"): 1,
        ("sessions_api", "/v1/sessions/{session_id}", "200"): 1,
        ("sessions_api", "/v1/sessions/{session_id}", "404"): 1,
        ("sessions_api", "other", "404"): 1,
        ("clickhouse_http", "/", "200"): 1,
    }
    until(lambda: counted() == expected, counted)


def test_health_says_that_all_is_well(process: Running) -> None:
    """Four questions, four times 200, in JSON."""
    for path, status in (("/live", "live"), ("/ready", "ready"), ("/startup", "started"), ("/", "Server available")):
        answer = httpx.get(f"{process.url('health_check')}{path}", timeout=TIMEOUT_S)
        assert (answer.status_code, answer.json()["status"]) == (200, status)


def test_the_debug_exporter_shows_what_goes_through_beside_the_store(process: Running) -> None:
    """One line a request, in JSON like all others, with every field of its spans."""
    shown = [line for line in process.logged() if line["event"] == "Traces"]
    assert len(shown) >= sum(SPANS.values())
    assert all(line["level"] == "info" and line["spans"] == 1 for line in shown)
    assert f"     -> input.value: Str({PROMPT})" in shown[0]["details"]


def test_lines_are_json_without_what_was_sent(process: Running) -> None:
    """Every line is an object with a time, a level and an event; but for the debug exporter none quotes a span."""
    lines = process.logged()
    assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
    others = json.dumps([line for line in lines if line["event"] != "Traces"])
    assert PROMPT not in others
    assert "of-the-test" not in others


def test_batches_inserts_and_ticks_are_traced(process: Running, collector: Collector) -> None:
    """Each batch is a trace of its decoding and its insert; ticks follow."""
    collector.wait(lambda: bool(collector.named("tick")) and bool(collector.named("insert")))
    batch = collector.named("batch")[0]
    assert not batch.parent_span_id
    assert attributes_of(batch)["otel_sessions.signal"] == "traces"
    assert attributes_of(batch)["otel_sessions.requests"] >= 1
    children = [span.name for span in collector.spans if span.parent_span_id == batch.span_id]
    assert children == ["decode", "insert"]
    tick = collector.named("tick")[0]
    assert [span.name for span in collector.spans if span.parent_span_id == tick.span_id] == ["roll up", "commit"]
    resource = {
        each.key: each.value.string_value for each in collector.requests[0].resource_spans[0].resource.attributes
    }
    assert resource["service.name"] == "otel-sessions"
    assert collector.metadata[0]["authorization"] == "Bearer of-the-test"
    assert PROMPT not in str(collector.requests)


def test_a_request_to_the_api_belongs_to_its_callers_trace(process: Running, collector: Collector) -> None:
    """By `traceparent`; a caller that does not sample is followed as well."""
    url = f"{process.url('sessions_api')}/v1/sessions/traced"
    httpx.get(url, headers={"traceparent": f"00-{'1' * 32}-{CALLER}-00"}, timeout=TIMEOUT_S)
    httpx.get(url, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"}, timeout=TIMEOUT_S)
    collector.wait(lambda: any(span.trace_id.hex() == TRACE for span in collector.spans))
    (span,) = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    assert (span.name, span.parent_span_id.hex()) == ("GET /v1/sessions/{session_id}", CALLER)
    assert attributes_of(span)["http.response.status_code"] == 404
    assert "traced" not in str(span)
    assert not [span for span in collector.spans if span.trace_id.hex() == "1" * 32]


def test_our_own_spans_make_no_spans(process: Running, collector: Collector) -> None:
    """What a processor tells of itself is stored like any other, and nothing is told of that: there is no loop."""
    before = len(collector.named("batch"))
    export(GrpcExporter(endpoint=process.url("grpc"), insecure=True), 3, service="otel-sessions")
    export(GrpcExporter(endpoint=process.url("grpc"), insecure=True), 1)
    collector.wait(lambda: len(collector.named("batch")) > before)
    assert len(collector.named("batch")) == before + 1
    stored = f"{process.url('sessions_api')}/v1/sessions/otel-sessions%200"
    until(lambda: httpx.get(stored, timeout=TIMEOUT_S).status_code == 200)


def until(holds: Any, shown: Any = None) -> None:
    """Until it does. Errors: `AssertionError` after far longer than it takes."""
    end_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < end_s, shown and shown()
        time.sleep(0.05)


def test_a_process_whose_collector_is_away_loses_its_own_spans_alone(tmp_path: Path) -> None:
    """Exporters notice nothing, the loss is counted, and stopping takes no longer than an export may."""
    traces = "traces: {endpoint: '127.0.0.1:1', timeout_s: 0.2, schedule_delay_s: 0.05}, logs:"
    with Running(tmp_path, ANY_PORTS.replace("logs:", traces)) as process:
        export(HttpExporter(endpoint=f"{process.url('http')}/v1/traces"), 2)
        until(lambda: sample(scrape(process), "otel_sessions_dropped_own_spans_total") > 0)
        assert process.stop()[0] == 0
