"""Bad input to a running process, over gRPC and HTTP: a clear status, the good spans kept, the next request served.

Every case is a sentence. What is refused as a whole has a status and a message; what is refused span by span is told in
`partial_success` and counted by reason; and after each of them a good request is taken and its session shown.
"""

from __future__ import annotations

import gzip
import itertools
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from backports import zstd
from google.rpc.status_pb2 import Status as RpcStatus
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processor.clock import now_ns
from tests.integration.process import ANY_PORTS, TIMEOUT_S, Running
from tests.strategies import DAY_NS, any_value

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TRANSPORTS = ("grpc", "http")
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
MIB = 1024 * 1024
LIMIT = 64 * MIB
SECOND_NS = 10**9

# Many small requests, each of them looked for.
IMPATIENT = "processors: {sessions: {poll_linger_s: 0.01, rollups: {interval_s: 0.05}}}"

NUMBERS = itertools.count(1)


def good_span(session_id: str) -> Span:
    """A model call of one second that has just ended, with ids of its own."""
    number = next(NUMBERS)
    end_ns = now_ns()
    span = Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        name="chat",
        start_time_unix_nano=end_ns - SECOND_NS,
        end_time_unix_nano=end_ns,
    )
    span.attributes.append(KeyValue(key="session.id", value=any_value(session_id)))
    return span


def request_of(*spans: Span) -> ExportTraceServiceRequest:
    """One request with these spans."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request


# --- The process, and what it says about itself ---


class Target:
    """The running process with a client for each of its ports."""

    def __init__(self, running: Running) -> None:
        self.http = httpx.Client(base_url=running.url("http"), timeout=TIMEOUT_S)
        self._api = httpx.Client(base_url=running.url("sessions_api"), timeout=TIMEOUT_S)
        self._telemetry = httpx.Client(base_url=running.url("metrics"), timeout=TIMEOUT_S)
        options = [("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(running.url("grpc").removeprefix("http://"), options=options)
        self._served: list[str] = []

    def close(self) -> None:
        """Close all connections."""
        self.channel.close()
        for client in (self.http, self._api, self._telemetry):
            client.close()

    def metrics(self) -> dict[str, float]:
        """Every sample by its exposed name."""
        lines = self._telemetry.get("/metrics").text.splitlines()
        samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def wait_for_session(self, session_id: str, span_count: int = 1) -> dict[str, Any]:
        """The session, as soon as the API lists it with so many spans, or more."""
        while not (listed := self._list(session_id)) or listed[0]["span_count"] < span_count:
            time.sleep(0.02)
        (session,) = listed
        return session

    def _list(self, session_id: str) -> list[dict[str, Any]]:
        response = self._api.get("/v1/sessions", params={"search": session_id})
        assert response.status_code == httpx.codes.OK, response.text
        listed: list[dict[str, Any]] = response.json()["data"]
        return listed

    def export(self, transport: str, body: bytes) -> ExportTracePartialSuccess:
        """Send a request that must be answered with OK."""
        if transport == "grpc":
            answer = self.channel.unary_unary(EXPORT)(body, timeout=TIMEOUT_S)
        else:
            response = self.http.post("/v1/traces", content=body, headers=PROTOBUF)
            assert response.status_code == httpx.codes.OK, response.text
            answer = response.content
        return ExportTraceServiceResponse.FromString(answer).partial_success

    def refused_grpc(self, method: str, body: bytes, compression: grpc.Compression | None = None) -> grpc.RpcError:
        """Send a request that must not be answered with OK."""
        with pytest.raises(grpc.RpcError) as caught:
            self.channel.unary_unary(method)(body, timeout=TIMEOUT_S, compression=compression)
        return caught.value

    def assert_served(self) -> None:
        """The next good request is taken over both transports; the module ends with a look at all of their sessions."""
        for transport in TRANSPORTS:
            session_id = f"after-{next(NUMBERS)}."
            partial = self.export(transport, request_of(good_span(session_id)).SerializeToString())
            assert partial == ExportTracePartialSuccess()
            self._served.append(session_id)

    def assert_shown(self) -> None:
        """Every good request after a bad one has become a session."""
        assert self._served
        for session_id in self._served:
            assert self.wait_for_session(session_id)["span_count"] == 1


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One process for all cases; at the end it has no unexpected error to report, and stops in order."""
    folder: Path = tmp_path_factory.mktemp("bad_input")
    with Running(folder, ANY_PORTS + IMPATIENT) as running:
        target = Target(running)
        yield target
        target.assert_shown()
        target.close()
        code, lines = running.stop()
    assert code == 0
    assert [line for line in lines if line["level"] in ("warning", "error", "critical")] == []


def grew(before: dict[str, float], after: dict[str, float], name: str) -> float:
    """How much a counter has grown, over all transports."""
    return sum(value - before.get(sample, 0.0) for sample, value in after.items() if sample.startswith(name))


# --- Refused as a whole ---

GOOD = request_of(good_span("never stored")).SerializeToString()


def with_text(text: bytes, place: Callable[[Span, str], None]) -> bytes:
    """A request that has these bytes, not all of them UTF-8, in one place."""
    span = good_span("never stored")
    place(span, "~" * len(text))
    return request_of(span).SerializeToString().replace(b"~" * len(text), text)


def in_name(span: Span, text: str) -> None:
    """As the span's name."""
    span.name = text


def in_key(span: Span, text: str) -> None:
    """As an attribute's key."""
    span.attributes.append(KeyValue(key=text, value=any_value("value")))


def in_value(span: Span, text: str) -> None:
    """As an attribute's value."""
    span.attributes.append(KeyValue(key="key", value=any_value(text)))


def in_array(span: Span, text: str) -> None:
    """Inside an array."""
    span.attributes.append(KeyValue(key="key", value=any_value(["first", text])))


def in_map(span: Span, text: str) -> None:
    """As a key inside a list of pairs inside an array."""
    span.attributes.append(KeyValue(key="key", value=any_value([{text: 1}])))


def in_event(span: Span, text: str) -> None:
    """As an event's attribute."""
    span.events.add(name="event").attributes.append(KeyValue(key="key", value=any_value(text)))


def wire(tag: int, content: bytes) -> bytes:
    """A length-delimited field by its tag; written by hand where protobuf's own encoder refuses."""
    length, size = b"", len(content)
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([tag]) + length + bytes([size]) + content


def nested(depth: int) -> bytes:
    """A serialized `AnyValue`: an array in an array in an array."""
    value = any_value("inner").SerializeToString()
    for _ in range(depth):
        value = wire(0x2A, wire(0x0A, value))
    return value


def too_deep() -> bytes:
    """A value nested deeper than protobuf allows."""
    attribute = wire(0x4A, wire(0x0A, b"key") + wire(0x12, nested(200)))
    span = good_span("never stored").SerializeToString() + attribute
    return wire(0x0A, wire(0x12, wire(0x12, span)))


NOT_UTF8 = b"\xff\xfe\x80"

MALFORMED = {
    "bytes that are no protobuf": b"\xff\xff\xff\xff",
    "text that is no protobuf": b"hello, is this thing on?",
    "a request that ends in the middle of a span": GOOD[:-5],
    "a length that reaches past the end": b"\x0a\xff\xff\xff\xff\x07",
    "a group that never ends": b"\x0b\x0b\x0b",
    "a span name that is not UTF-8": with_text(NOT_UTF8, in_name),
    "an attribute key that is not UTF-8": with_text(NOT_UTF8, in_key),
    "an attribute value that is not UTF-8": with_text(NOT_UTF8, in_value),
    "an event attribute that is not UTF-8": with_text(NOT_UTF8, in_event),
    "text inside an array that is not UTF-8": with_text(NOT_UTF8, in_array),
    "a key inside an array that is not UTF-8": with_text(NOT_UTF8, in_map),
    "a surrogate in UTF-8": with_text("\ud800".encode("utf-8", "surrogatepass"), in_value),
    "a value that is nested two hundred times": too_deep(),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_request_is_bad_data(target: Target, body: bytes) -> None:
    """INVALID_ARGUMENT or 400, in words, counted, and nothing of it stored."""
    before = target.metrics()
    error = target.refused_grpc(EXPORT, body)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "malformed" in error.details()
    response = target.http.post("/v1/traces", content=body, headers=PROTOBUF)
    assert response.status_code == httpx.codes.BAD_REQUEST
    assert "malformed" in RpcStatus.FromString(response.content).message
    after = target.metrics()
    for transport in TRANSPORTS:
        sample = f'otel_sessions_receiver_requests_total{{outcome="invalid",transport="{transport}"}}'
        assert after[sample] == before.get(sample, 0.0) + 1
    assert grew(before, after, "otelcol_exporter_sent_spans_total") == 0
    target.assert_served()


@dataclass(frozen=True)
class Post:
    """One HTTP request that is refused, and how."""

    status: int
    says: str
    body: bytes = GOOD
    headers: dict[str, str] = field(default_factory=lambda: PROTOBUF)
    path: str = "/v1/traces"


def json_span(**fields: Any) -> bytes:
    """An OTLP/JSON request with one span that has these fields, too."""
    end_ns = now_ns()
    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "startTimeUnixNano": str(end_ns),
        "endTimeUnixNano": str(end_ns),
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span | fields]}]}]}).encode()


def encoded(encoding: str, headers: dict[str, str] = PROTOBUF) -> dict[str, str]:
    """The headers of a body in a content encoding."""
    return {**headers, "content-encoding": encoding}


ATTRIBUTE = {"key": "k", "value": {"stringValue": "v"}}

POSTS = {
    "gzip that ends too early": Post(400, "gzip", gzip.compress(GOOD)[:-9], encoded("gzip")),
    "gzip with a wrong checksum": Post(400, "gzip", gzip.compress(GOOD)[:-8] + bytes(8), encoded("gzip")),
    "a plain body that is called gzip": Post(400, "gzip", GOOD, encoded("gzip")),
    "gzip followed by something else": Post(400, "gzip", gzip.compress(GOOD) + b"else", encoded("gzip")),
    "deflate that ends too early": Post(400, "deflate", zlib.compress(GOOD)[:-5], encoded("deflate")),
    "zstd that ends too early": Post(400, "zstd", zstd.compress(GOOD)[:-5], encoded("zstd")),
    "a gzip bomb": Post(413, "max_request_body_size_mib", gzip.compress(bytes(LIMIT + 1)), encoded("gzip")),
    "a deflate bomb": Post(413, "max_request_body_size_mib", zlib.compress(bytes(LIMIT + 1)), encoded("deflate")),
    "a zstd bomb": Post(413, "max_request_body_size_mib", zstd.compress(bytes(LIMIT + 1)), encoded("zstd")),
    "a gzip bomb of JSON": Post(
        413, "max_request_body_size_mib", gzip.compress(b"[" * (LIMIT + 1)), encoded("gzip", JSON)
    ),
    "a body over the limit": Post(413, "max_request_body_size_mib", bytes(LIMIT + 1)),
    "a content encoding nobody knows": Post(415, "content-encoding", GOOD, encoded("br")),
    "a content type that is not OTLP's": Post(415, "content-type", GOOD, {"content-type": "text/plain"}),
    "no content type": Post(415, "content-type", GOOD, {}),
    "protobuf that is called JSON": Post(400, "JSON", GOOD, JSON),
    "JSON that is called protobuf": Post(400, "malformed", json_span(), PROTOBUF),
    "an unknown path": Post(404, "/v1/traces", path="/v1/trace"),
    "an empty JSON body": Post(400, "empty", b"", JSON),
    "JSON that ends too early": Post(400, "JSON", json_span()[:-2], JSON),
    "JSON that is no object": Post(400, "object", b"[]", JSON),
    "JSON that is not UTF-8": Post(400, "JSON", json_span(name="~~").replace(b"~~", b"\xff\xfe"), JSON),
    "JSON with half of a surrogate pair": Post(400, "JSON", json_span(name="~~").replace(b"~~", b"\\ud800"), JSON),
    "JSON nested a hundred thousand times": Post(400, "JSON", b"[" * 100_000, JSON),
    "an object where a list belongs": Post(400, "resourceSpans", b'{"resourceSpans": {}}', JSON),
    "a trace id that is not hex": Post(400, "traceId", json_span(traceId="x" * 32), JSON),
    "a negative time in JSON": Post(400, "startTimeUnixNano", json_span(startTimeUnixNano="-1"), JSON),
    "a time beyond 64 bits in JSON": Post(400, "endTimeUnixNano", json_span(endTimeUnixNano=str(2**64)), JSON),
    "a kind by its name": Post(400, "kind", json_span(kind="SPAN_KIND_CLIENT"), JSON),
    "attributes as an object": Post(400, "attributes", json_span(attributes={"k": "v"}), JSON),
}


@pytest.mark.parametrize("post", POSTS.values(), ids=POSTS)
def test_what_http_cannot_read_has_a_status_that_says_why(target: Target, post: Post) -> None:
    """A final 4xx with a reason in the request's own content type, counted, and nothing of it stored."""
    before = target.metrics()
    response = target.http.post(post.path, content=post.body, headers=post.headers)
    assert response.status_code == post.status
    if post.headers.get("content-type") == PROTOBUF["content-type"]:
        message = RpcStatus.FromString(response.content).message
    else:
        message = response.json()["message"]
    assert post.says in message
    assert "retry-after" not in response.headers
    after = target.metrics()
    assert grew(before, after, "otel_sessions_receiver_requests_total") == 1
    assert grew(before, after, "otelcol_exporter_sent_spans_total") == 0
    target.assert_served()


def test_get_is_not_allowed(target: Target) -> None:
    """A browser that looks at the endpoint is told to POST."""
    response = target.http.get("/v1/traces")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    target.assert_served()


@pytest.mark.parametrize(
    ("method", "body", "compression", "code"),
    [
        (EXPORT, bytes(LIMIT + 1), None, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (EXPORT, bytes(4 * LIMIT), grpc.Compression.Gzip, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (EXPORT, bytes(4 * LIMIT), grpc.Compression.Deflate, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (EXPORT.replace("Export", "Import"), GOOD, None, grpc.StatusCode.UNIMPLEMENTED),
        (EXPORT.replace("trace", "profiles"), GOOD, None, grpc.StatusCode.UNIMPLEMENTED),
    ],
    ids=["a request over the limit", "a gzip bomb", "a deflate bomb", "an unknown method", "an unknown service"],
)
def test_what_grpc_cannot_read_has_a_code_that_says_why(
    target: Target, method: str, body: bytes, compression: grpc.Compression | None, code: grpc.StatusCode
) -> None:
    """A final code with a reason, nothing of it stored, and the connection lives on."""
    before = target.metrics()
    error = target.refused_grpc(method, body, compression)
    assert error.code() is code
    assert error.details()
    assert "grpc-retry-pushback-ms" not in dict(error.trailing_metadata())
    assert grew(before, target.metrics(), "otelcol_exporter_sent_spans_total") == 0
    target.assert_served()


# --- Refused span by span ---

TRACE_ID = "trace_id must be 16 bytes, not all zero"
SPAN_ID = "span_id must be 8 bytes, not all zero"
PARENT_ID = "parent_span_id must be empty or 8 bytes"
TOO_OLD = "start time is further back than span_age_days_max"
TOO_NEW = "start or end time lies further ahead than span_ahead_s_max"

WRONG_SPANS: dict[str, tuple[dict[str, Any], str]] = {
    "no trace id": ({"trace_id": b""}, TRACE_ID),
    "a trace id of zeros": ({"trace_id": bytes(16)}, TRACE_ID),
    "a trace id of 15 bytes": ({"trace_id": b"\x01" * 15}, TRACE_ID),
    "a trace id in hex": ({"trace_id": b"01" * 16}, TRACE_ID),
    "no span id": ({"span_id": b""}, SPAN_ID),
    "a span id of zeros": ({"span_id": bytes(8)}, SPAN_ID),
    "a span id of 9 bytes": ({"span_id": b"\x01" * 9}, SPAN_ID),
    "a parent id of 7 bytes": ({"parent_span_id": b"\x01" * 7}, PARENT_ID),
    "no times": ({"start_time_unix_nano": 0, "end_time_unix_nano": 0}, TOO_OLD),
    "a start in 1970": ({"start_time_unix_nano": 1}, TOO_OLD),
    "times in milliseconds": ({"start_time_unix_nano": now_ns() // 10**6}, TOO_OLD),
    "a start of minus one": ({"start_time_unix_nano": 2**64 - 1}, TOO_NEW),
    "an end of minus one": ({"end_time_unix_nano": 2**64 - 1}, TOO_NEW),
    "an end at the last moment of signed time": ({"end_time_unix_nano": 2**63 - 1}, TOO_NEW),
    "a start in ten years": ({"start_time_unix_nano": now_ns() + 3650 * DAY_NS}, TOO_NEW),
}


@pytest.mark.parametrize(("wrong", "reason"), WRONG_SPANS.values(), ids=WRONG_SPANS)
def test_a_wrong_span_is_refused_alone(target: Target, wrong: dict[str, Any], reason: str) -> None:
    """`partial_success` counts it and says why, the metrics count it, and the good spans of its request are stored."""
    session_id = f"mixed-{next(NUMBERS)}."
    before = target.metrics()
    for transport in TRANSPORTS:
        good = [good_span(session_id), good_span(session_id)]
        bad = [good_span(session_id), good_span(session_id)]
        for span in bad:
            for name, value in wrong.items():
                setattr(span, name, value)
        partial = target.export(transport, request_of(good[0], bad[0], good[1], bad[1]).SerializeToString())
        assert (partial.rejected_spans, partial.error_message) == (2, f"2 spans: {reason}")
    after = target.metrics()
    assert grew(before, after, f'otel_sessions_rejected_spans_total{{reason="{reason}"}}') == 4
    for transport in TRANSPORTS:
        labels = f'{{receiver="otlp",transport="{transport}"}}'
        assert grew(before, after, f"otelcol_receiver_refused_spans_total{labels}") == 2
        assert grew(before, after, f"otelcol_receiver_accepted_spans_total{labels}") == 2
    target.assert_served()
    assert target.wait_for_session(session_id, 4)["span_count"] == 4


def test_every_reason_of_a_request_is_told(target: Target) -> None:
    """One message counts the spans of each reason."""
    session_id = f"mixed-{next(NUMBERS)}."
    spans = [good_span(session_id) for _ in range(4)]
    spans[0].trace_id = b""
    spans[1].start_time_unix_nano = 1
    spans[2].span_id = b"\x01"
    partial = target.export("grpc", request_of(*spans).SerializeToString())
    assert partial.rejected_spans == 3
    assert partial.error_message == f"1 span: {TRACE_ID}; 1 span: {SPAN_ID}; 1 span: {TOO_OLD}"
    target.assert_served()
    assert target.wait_for_session(session_id)["span_count"] == 1


def test_a_thousand_days_in_one_request(target: Target) -> None:
    """Of a span a day for a thousand days, those within the window are stored, and their session spans it."""
    session_id = f"days-{next(NUMBERS)}."
    spans = [good_span(session_id) for _ in range(1000)]
    for day, span in enumerate(spans):
        span.start_time_unix_nano -= day * DAY_NS
        span.end_time_unix_nano -= day * DAY_NS
    partial = target.export("grpc", request_of(*spans).SerializeToString())
    assert (partial.rejected_spans, partial.error_message) == (600, f"600 spans: {TOO_OLD}")
    target.assert_served()
    session = target.wait_for_session(session_id, 400)
    assert (session["span_count"], session["trace_count"], session["active_ms"]) == (400, 400, 400_000)


# --- Unusual, and taken ---


def attribute(value: Any, key: str = "unusual") -> Callable[[Span], None]:
    """Add an attribute."""
    return lambda span: span.attributes.append(KeyValue(key=key, value=any_value(value)))


def ends_before_it_starts(span: Span) -> None:
    """An hour before."""
    span.end_time_unix_nano -= 3600 * SECOND_NS


def never_ends(span: Span) -> None:
    """Without an end."""
    span.end_time_unix_nano = 0


def has_ten_thousand_attributes(span: Span) -> None:
    """Each with a key of its own."""
    span.attributes.extend(KeyValue(key=f"key {number}", value=any_value(number)) for number in range(10_000))


def repeats_a_key(span: Span) -> None:
    """The same key three times, with values of different types."""
    for value in ("first", 2, [3]):
        attribute(value)(span)


def is_nested_forty_times(span: Span) -> None:
    """Near what protobuf allows."""
    span.attributes.append(KeyValue(key="unusual", value=AnyValue.FromString(nested(40))))


def has_a_nul_everywhere(span: Span) -> None:
    """In the name, a key, a value, an array and an event."""
    span.name = "na\0me"
    attribute("va\0lue", "k\0ey")(span)
    attribute(["\0"])(span)
    span.events.add(name="\0")


def has_ten_thousand_events(span: Span) -> None:
    """Events at absurd times."""
    for number in range(10_000):
        span.events.add(name="event", time_unix_nano=(number, 2**64 - 1)[number % 2])


UNUSUAL: dict[str, tuple[Callable[[Span], None], float]] = {
    "a span that ends before it starts": (ends_before_it_starts, 0.0),
    "a span without an end": (never_ends, 0.0),
    "an attribute of 1 MB": (attribute("x" * 1_000_000), 1000.0),
    "an attribute of 1 MB of bytes": (attribute(bytes(1_000_000)), 1000.0),
    "NUL bytes everywhere": (has_a_nul_everywhere, 1000.0),
    "ten thousand attributes": (has_ten_thousand_attributes, 1000.0),
    "ten thousand events": (has_ten_thousand_events, 1000.0),
    "a deeply nested value": (is_nested_forty_times, 1000.0),
    "a wide nested value": (attribute([{"k": list(range(1000))}] * 10), 1000.0),
    "a key three times": (repeats_a_key, 1000.0),
    "an empty key": (attribute("value", ""), 1000.0),
    "a value that is not a number": (attribute(float("nan"), "gen_ai.usage.input_tokens"), 1000.0),
    "more tokens than a number can hold": (attribute("9" * 400, "gen_ai.usage.input_tokens"), 1000.0),
    "a negative cost": (attribute(-5.0, "gen_ai.usage.cost"), 1000.0),
    "a name of 100 kB": (lambda span: setattr(span, "name", "n" * 100_000), 1000.0),
}


@pytest.mark.parametrize(("make_unusual", "latency_ms"), UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_span_is_kept(target: Target, make_unusual: Callable[[Span], None], latency_ms: float) -> None:
    """It is accepted, its session shows it, and it counts for nothing that it does not say."""
    session_ids = [f"unusual-{next(NUMBERS)}." for _ in TRANSPORTS]
    for transport, session_id in zip(TRANSPORTS, session_ids, strict=True):
        span = good_span(session_id)
        make_unusual(span)
        assert target.export(transport, request_of(span).SerializeToString()) == ExportTracePartialSuccess()
    target.assert_served()
    for session_id in session_ids:
        session = target.wait_for_session(session_id)
        assert (session["span_count"], session["latency_ms"]) == (1, latency_ms)
        assert (session["total_tokens"], session["total_cost"]) == (0, 0.0)


EMPTY = {
    "no bytes": b"",
    "an empty resource": b"\x0a\x00",
    "an empty scope": b"\x0a\x02\x12\x00",
    "only fields nobody knows": b"\xfa\x01\x03abc",
}


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY)
def test_a_request_without_spans_is_a_success(target: Target, body: bytes) -> None:
    """OK, without `partial_success`."""
    for transport in TRANSPORTS:
        assert target.export(transport, body) == ExportTracePartialSuccess()
    target.assert_served()


@pytest.mark.parametrize("body", [b"{}", b'{"resourceSpans": []}', b'{"unknown": 1}', b'{"resourceSpans": null}'])
def test_a_json_request_without_spans_is_a_success(target: Target, body: bytes) -> None:
    """200 with the empty response."""
    response = target.http.post("/v1/traces", content=body, headers=JSON)
    assert (response.status_code, response.json()) == (200, {})
    target.assert_served()
