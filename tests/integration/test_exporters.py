"""Any OTLP exporter works: the real exporters against the real process, and what its API then says.

Spans end, and so arrive, before their parents; each in a request of its own.
"""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from processor.clock import now_ns
from tests.integration.closed_store import read
from tests.integration.process import TIMEOUT_S, Running

S = 10**9
HOUR = 3600 * S

Row = dict[str, Any]


class JsonExporter(SpanExporter):
    """OTLP/JSON as browsers and scripts send it; the Python SDK has no exporter for it."""

    def __init__(self, url: str, compress: bool) -> None:
        self._url = url
        self._compress = compress

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans in one request."""
        body = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        for resource_spans in body["resourceSpans"]:
            for scope_spans in resource_spans["scopeSpans"]:
                for span in scope_spans["spans"]:
                    for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
                        span[name] = base64.b64decode(span[name]).hex()
        request = httpx.Request("POST", self._url, json=body)
        content, headers = request.content, {"content-type": "application/json"}
        if self._compress:
            content, headers = gzip.compress(content), {**headers, "content-encoding": "gzip"}
        response = httpx.post(self._url, content=content, headers=headers, timeout=TIMEOUT_S)
        return SpanExportResult.SUCCESS if response.json() == {} else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing is held."""


EXPORTERS: dict[str, Callable[[Running], SpanExporter]] = {
    "grpc": lambda r: GrpcExporter(r.url("grpc"), insecure=True),
    "grpc gzip": lambda r: GrpcExporter(r.url("grpc"), insecure=True, compression=grpc.Compression.Gzip),
    "grpc deflate": lambda r: GrpcExporter(r.url("grpc"), insecure=True, compression=grpc.Compression.Deflate),
    "http": lambda r: HttpExporter(f"{r.url('http')}/v1/traces"),
    "http gzip": lambda r: HttpExporter(f"{r.url('http')}/v1/traces", compression=Compression.Gzip),
    "http deflate": lambda r: HttpExporter(f"{r.url('http')}/v1/traces", compression=Compression.Deflate),
    "json": lambda r: JsonExporter(f"{r.url('http')}/v1/traces", compress=False),
    "json gzip": lambda r: JsonExporter(f"{r.url('http')}/v1/traces", compress=True),
}


class Agent:
    """An instrumented program: its spans have the times they are given, and leave as soon as they end."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": "assistant"}))
        self._provider.add_span_processor(SimpleSpanProcessor(exporter))

    def start(self, name: str, start_ns: int, parent: Span | None = None, **attributes: Any) -> Span:
        """Start a span; underscores stand for the dots of attribute names."""
        context = set_span_in_context(parent) if parent else None
        dotted = {key.replace("__", "."): value for key, value in attributes.items()}
        span = self._provider.get_tracer("test").start_span(name, context, attributes=dotted, start_time=start_ns)
        assert isinstance(span, Span)
        return span

    def stop(self) -> None:
        """Flush and shut down."""
        assert self._provider.force_flush()
        self._provider.shutdown()


def call_model(agent: Agent, parent: Span | None, start_ns: int) -> None:
    """A model call of two seconds, 120 tokens in, 30 out, 0.0042 dollars."""
    agent.start(
        "chat",
        start_ns,
        parent,
        gen_ai__operation__name="chat",
        gen_ai__request__model="gpt-5",
        gen_ai__provider__name="openai",
        gen_ai__usage__input_tokens=120,
        gen_ai__usage__output_tokens=30,
        gen_ai__usage__cost=0.0042,
    ).end(start_ns + 2 * S)


def call_tool(agent: Agent, parent: Span, start_ns: int) -> None:
    """A tool call of one second that fails."""
    tool = agent.start("execute_tool search", start_ns, parent, gen_ai__operation__name="execute_tool")
    tool.record_exception(TimeoutError("no answer"), timestamp=start_ns + S)
    tool.set_status(Status(StatusCode.ERROR, "no answer"))
    tool.end(start_ns + S)


def api(running: Running, path: str, **parameters: Any) -> Row:
    """The body of a GET that must succeed or find nothing."""
    response = httpx.get(f"{running.url('sessions_api')}{path}", params=parameters, timeout=TIMEOUT_S)
    assert response.status_code in (httpx.codes.OK, httpx.codes.NOT_FOUND), response.text
    body: Row = response.json()
    return body


def wait_for_spans(running: Running, session_id: str, span_count: int) -> Row:
    """The session, as soon as it has that many spans."""
    while True:
        session: Row = api(running, f"/v1/sessions/{session_id}").get("data", {})
        if session.get("span_count", 0) >= span_count:
            return session
        time.sleep(0.02)


def metric(running: Running, name: str) -> float:
    """A sample without labels."""
    lines = httpx.get(f"{running.url('metrics')}/metrics", timeout=TIMEOUT_S).text.splitlines()
    (value,) = [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == name]
    return float(value)


def eventually(look: Callable[[], float], wanted: float) -> float:
    """What is seen last: as soon as it is what is wanted, or after a while."""
    deadline_s = time.monotonic() + 20
    while (seen := look()) != wanted and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return seen


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One process for all exporters."""
    with Running(tmp_path_factory.mktemp("exporters")) as process:
        yield process


@pytest.mark.parametrize("kind", EXPORTERS)
def test_a_conversation_is_shown_with_the_right_numbers(running: Running, kind: str) -> None:
    """Whatever the exporter, its session has the spans, tokens, cost, errors, times and names of what was sent."""
    start_ns = now_ns() - HOUR
    session_id = kind.replace(" ", "-")
    agent = Agent(EXPORTERS[kind](running))
    root = agent.start(
        "answer",
        start_ns,
        gen_ai__operation__name="invoke_agent",
        session__id=session_id,
        user__id="ada",
        agentmark__session_name=f"By {kind}",
    )
    call_model(agent, root, start_ns + S)
    call_tool(agent, root, start_ns + 4 * S)
    root.end(start_ns + 10 * S)
    agent.stop()
    session = wait_for_spans(running, session_id, 3)
    expected = {
        "name": f"By {kind}",
        "user_id": "ada",
        "trace_count": 1,
        "span_count": 3,
        "llm_call_count": 1,
        "tool_call_count": 1,
        "error_count": 1,
        "input_tokens": 120,
        "output_tokens": 30,
        "total_tokens": 150,
        "total_cost": 0.0042,
        "latency_ms": 10_000.0,
        "active_ms": 10_000.0,
        "llm_ms": 2_000.0,
        "models": ["gpt-5"],
        "providers": ["openai"],
        "services": ["assistant"],
    }
    assert {name: session[name] for name in expected} == expected
    (trace,) = api(running, "/v1/traces", session_id=session_id)["data"]
    assert [(span["name"], span["status"]) for span in trace["spans"]] == [
        ("answer", "UNSET"),
        ("chat", "UNSET"),
        ("execute_tool search", "ERROR"),
    ]


@pytest.mark.parametrize("kind", ["grpc gzip", "json"])
def test_a_session_id_an_hour_late_gives_the_session_the_whole_trace(tmp_path: Path, kind: str) -> None:
    """Everything that the trace had before counts in the session that its last span names, across a restart."""
    start_ns = now_ns() - 2 * HOUR
    with Running(tmp_path) as running:
        agent = Agent(EXPORTERS[kind](running))
        root = agent.start("job", start_ns, gen_ai__operation__name="invoke_agent")
        call_model(agent, root, start_ns + S)
        call_tool(agent, root, start_ns + 4 * S)
        agent.stop()
        assert running.stop()[0] == 0
    with Running(tmp_path) as running:
        assert api(running, "/v1/sessions")["pagination"]["total"] == 0
        agent = Agent(EXPORTERS[kind](running))
        agent.start("review", start_ns + HOUR, root, session__id="late").end(start_ns + HOUR + S)
        agent.stop()
        session = wait_for_spans(running, "late", 3)
    expected = {"span_count": 3, "trace_count": 1, "error_count": 1, "llm_call_count": 1, "tool_call_count": 1}
    expected |= {"total_tokens": 150, "total_cost": 0.0042, "latency_ms": HOUR / 10**6, "llm_ms": 2_000.0}
    assert {name: session[name] for name in expected} == expected


def test_spans_without_a_session_are_kept_and_counted(tmp_path: Path) -> None:
    """They make no session; the metric counts them, and both tables hold them."""
    with Running(tmp_path) as running:
        agent = Agent(EXPORTERS["http"](running))
        call_model(agent, None, now_ns() - HOUR)
        call_model(agent, None, now_ns() - HOUR)
        agent.start("owned", now_ns() - HOUR, session__id="owner").end(now_ns())
        agent.stop()
        wait_for_spans(running, "owner", 1)
        unbound = eventually(lambda: metric(running, "otel_sessions_unbound_spans"), 2)
        assert api(running, "/v1/sessions")["pagination"]["total"] == 1
        assert running.stop()[0] == 0
    spans, traces = read(
        running.data,
        "SELECT SpanName AS name, SpanAttributes['gen_ai.usage.input_tokens'] AS tokens FROM otel.otel_traces FINAL"
        " WHERE SpanName = 'chat'",
        "SELECT sum(unbound_span_count) AS unbound FROM otel.trace_sessions FINAL",
    )
    assert spans == [{"name": "chat", "tokens": "120"}] * 2
    assert traces == [{"unbound": 2}]
    assert unbound == 2
