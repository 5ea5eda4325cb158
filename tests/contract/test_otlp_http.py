"""What only the HTTP receiver promises: paths, content types, encodings, JSON, CORS, body limits."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.errors import Overloaded, Permanent
from processor.log.base import Receipt
from tests.contract.otlp_harness import HTTP, JSON, MIB, PROTOBUF, Bench, bench, request_bytes

try:
    from compression import zstd
except ImportError:
    from backports import zstd

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
ONE_SPAN = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","name":"n"}]}]}]}'


async def _post(running: Bench, content: Any, headers: dict[str, str], path: str = "/v1/traces") -> httpx.Response:
    return await running.client.post(path, content=content, headers=headers)


@pytest.mark.parametrize("encoding", COMPRESSORS)
@pytest.mark.parametrize("media", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_encodings(encoding: str, media: dict[str, str]) -> None:
    """Every encoding works with both content types; what reaches the log is plain protobuf."""

    async def scenario() -> None:
        async with bench() as running:
            body = request_bytes() if media is PROTOBUF else ONE_SPAN
            headers = {**media, "content-encoding": encoding.upper()}
            response = await _post(running, COMPRESSORS[encoding](body), headers)
            assert (response.status_code, response.headers["content-type"]) == (200, media["content-type"])
            request = ExportTraceServiceRequest.FromString(running.records[0].value)
            assert len(request.resource_spans[0].scope_spans[0].spans) == (3 if media is PROTOBUF else 1)

    asyncio.run(scenario())


def test_json_answers() -> None:
    """A JSON request gets JSON: an empty object, a partial success with a string count, a status with details."""
    outcomes: list[Receipt | Permanent | Overloaded] = [
        Receipt(1),
        Receipt(0, 1, "no id"),
        Permanent("bad"),
        Overloaded("busy", 2),
    ]

    async def scenario() -> None:
        async with bench(lambda _: outcomes.pop(0)) as running:
            headers = {"content-type": "Application/JSON; charset=utf-8"}
            answers = [await _post(running, ONE_SPAN, headers) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 400, 503]
            assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
            assert answers[0].json() == {}
            assert answers[1].json() == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "no id"}}
            assert (answers[2].json()["code"], answers[2].json()["message"]) == (3, "bad")
            assert answers[3].json()["details"][0]["retryDelay"] == "2s"
            assert answers[3].headers["retry-after"] == "2"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not JSON"),
        (b"", "empty"),
        (b"[]", "expected an object"),
        (ONE_SPAN.replace(b'"n"', b"7"), "resourceSpans[0].scopeSpans[0].spans[0].name: expected a string"),
        (b'{"resourceSpans":[' + b" " * 100_000 + b"7]}", "resourceSpans[0]: expected an object"),
    ],
)
def test_bad_json(body: bytes, message: str) -> None:
    """Bad JSON is a 400 that says where, whether it is read on the loop or in a thread, and reaches no log."""

    async def scenario() -> None:
        async with bench() as running:
            response = await _post(running, body, JSON)
            assert response.status_code == httpx.codes.BAD_REQUEST
            assert message in response.json()["message"]
            assert running.records == []

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/metrics"])
def test_other_signals_as_json(path: str) -> None:
    """Logs and metrics as JSON are accepted if they are a JSON object."""

    async def scenario() -> None:
        async with bench() as running:
            accepted = await _post(running, b'{"anything":[1]}', JSON, path)
            assert (accepted.status_code, accepted.json()) == (200, {})
            assert (await _post(running, b"[1]", JSON, path)).status_code == httpx.codes.BAD_REQUEST

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "header"),
    [
        ("POST", "/", PROTOBUF, 404, None),
        ("POST", "/v1/traces/", PROTOBUF, 404, None),
        ("GET", "/v1/traces", {}, 405, ("allow", "POST")),
        ("OPTIONS", "/v1/traces", {"origin": "https://a.example"}, 405, ("allow", "POST")),
        ("POST", "/v1/traces", {}, 415, None),
        ("POST", "/v1/traces", {"content-type": "text/plain"}, 415, None),
        ("POST", "/v1/traces", {**PROTOBUF, "content-encoding": "br"}, 415, ("accept-encoding", "gzip, deflate")),
        ("POST", "/v1/traces", {**PROTOBUF, "content-encoding": "gzip, gzip"}, 415, None),
    ],
)
def test_refused_by_the_head(
    method: str, path: str, headers: dict[str, str], status: int, header: tuple[str, str] | None
) -> None:
    """A wrong path, method, content type or encoding is refused with a status body in a content type of OTLP."""

    async def scenario() -> None:
        async with bench() as running:
            response = await running.client.request(method, path, content=b"x", headers=headers)
            assert response.status_code == status
            if response.headers["content-type"] == PROTOBUF["content-type"]:
                assert Status.FromString(response.content).message
            else:
                assert response.json()["message"]
            if header is not None:
                assert response.headers[header[0]].startswith(header[1])
            assert running.counted("otel_sessions_receiver_requests_total", transport="http", outcome="invalid") == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("encoding", COMPRESSORS)
def test_bombs(encoding: str) -> None:
    """A small body that grows over the limit is a 413; one that grows to the limit passes."""

    async def scenario() -> None:
        async with bench() as running:
            headers = {**PROTOBUF, "content-encoding": encoding}
            bomb = await _post(running, COMPRESSORS[encoding](bytes(64 * MIB)), headers)
            assert bomb.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
            assert Status.FromString(bomb.content).code == 8
            assert "retry-after" not in bomb.headers
            fits = await _post(running, COMPRESSORS[encoding](bytes(MIB)), headers)
            assert fits.status_code == httpx.codes.OK

    asyncio.run(scenario())


async def _chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(64 * 1024)


@pytest.mark.parametrize("chunked", [True, False])
def test_over_the_limit(chunked: bool) -> None:
    """A body over the limit is a 413 that its sender can read, announced or not, and the connection lives on."""

    async def scenario() -> None:
        async with bench() as running:
            response = await _post(running, _chunks(100) if chunked else bytes(100 * 64 * 1024), PROTOBUF)
            assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
            assert (await _post(running, request_bytes(), PROTOBUF)).status_code == httpx.codes.OK

    asyncio.run(scenario())


@pytest.mark.parametrize("encoding", COMPRESSORS)
@pytest.mark.parametrize("spoil", [lambda b: b[:-3], lambda b: b"\xff" + b, lambda b: b + b"\xff\xff"])
def test_corrupt_compression(encoding: str, spoil: Callable[[bytes], bytes]) -> None:
    """A body that does not decompress is a 400."""

    async def scenario() -> None:
        async with bench() as running:
            body = spoil(COMPRESSORS[encoding](request_bytes()))
            response = await _post(running, body, {**PROTOBUF, "content-encoding": encoding})
            assert response.status_code == httpx.codes.BAD_REQUEST
            assert encoding in Status.FromString(response.content).message

    asyncio.run(scenario())


def test_buffers_are_bounded() -> None:
    """Bodies on their way in share a limit: one that does not fit is a 503, and fits once the other has gone."""

    async def scenario() -> None:
        config = dataclasses.replace(HTTP, max_request_body_size_mib=4, max_buffered_mib=4)
        async with bench(http_config=config) as running:
            sent, release = asyncio.Event(), asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                async for chunk in _chunks(48):
                    yield chunk
                sent.set()
                await release.wait()

            first = asyncio.create_task(_post(running, slow(), {**PROTOBUF}, "/v1/logs"))
            await sent.wait()
            # Sent is not received yet: until the first body counts, the second one still fits.
            while (second := await _post(running, bytes(2 * MIB), PROTOBUF, "/v1/logs")).status_code == httpx.codes.OK:
                pass
            assert second.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert "max_buffered_mib" in Status.FromString(second.content).message
            release.set()
            assert (await first).status_code == httpx.codes.OK
            assert (await _post(running, bytes(2 * MIB), PROTOBUF, "/v1/logs")).status_code == httpx.codes.OK

    asyncio.run(scenario())


def test_slow_bodies_are_bounded() -> None:
    """A body that does not arrive in time frees its place and is answered with something exporters retry."""

    async def scenario() -> None:
        async with bench(http_config=dataclasses.replace(HTTP, read_timeout_s=0.05)) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.http.port)
            head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
            writer.write(head.encode())
            assert (await reader.readline()).split()[1] == b"503"
            writer.close()

    asyncio.run(scenario())


CORS = dataclasses.replace(
    HTTP, cors_allowed_origins=("https://*.shop.example", "http://localhost:3000"), cors_allowed_headers=("X-Tenant",)
)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://www.shop.example", True),
        ("http://localhost:3000", True),
        ("https://shop.example", False),
        ("https://www.shop.example.evil", False),
        ("http://localhost:30000", False),
    ],
)
def test_cors(origin: str, allowed: bool) -> None:
    """A page of a configured origin may ask and send and read the answer; others get no permission."""

    async def scenario() -> None:
        async with bench(http_config=CORS) as running:
            asks = {"origin": origin, "access-control-request-method": "POST"}
            preflight = await running.client.options("/v1/traces", headers=asks)
            assert preflight.status_code == httpx.codes.NO_CONTENT
            sent = await _post(running, ONE_SPAN, {**JSON, "origin": origin})
            refused = await _post(running, b"{", {**JSON, "origin": origin})
            assert (sent.status_code, refused.status_code) == (200, 400)
            for response in (preflight, sent, refused):
                assert response.headers.get("access-control-allow-origin") == (origin if allowed else None)
                assert response.headers["vary"] == "Origin"
            assert ("x-tenant" in preflight.headers.get("access-control-allow-headers", "")) == allowed
            assert ("access-control-max-age" in preflight.headers) == allowed

    asyncio.run(scenario())


def test_no_cors_by_default() -> None:
    """Without configured origins no page is given permission."""

    async def scenario() -> None:
        async with bench() as running:
            response = await _post(running, ONE_SPAN, {**JSON, "origin": "https://a.example"})
            assert not any(name.startswith("access-control") for name in response.headers)

    asyncio.run(scenario())


def test_any_origin() -> None:
    """A configured * allows every origin, by its name."""

    async def scenario() -> None:
        async with bench(http_config=dataclasses.replace(HTTP, cors_allowed_origins=("*",))) as running:
            response = await _post(running, ONE_SPAN, {**JSON, "origin": "https://a.example"})
            assert response.headers["access-control-allow-origin"] == "https://a.example"

    asyncio.run(scenario())


def test_json_and_protobuf_say_the_same() -> None:
    """The same span as JSON and as protobuf puts the same bytes into the log."""

    async def scenario() -> None:
        async with bench() as running:
            request = ExportTraceServiceRequest()
            span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=bytes(16), name="n")
            span.attributes.add(key="session.id").value.string_value = "s"
            attributes = [{"key": "session.id", "value": {"stringValue": "s"}}]
            spans = [{"traceId": "0" * 32, "name": "n", "attributes": attributes}]
            body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
            await _post(running, body, JSON)
            await _post(running, request.SerializeToString(), PROTOBUF)
            assert running.records[0].value == running.records[1].value

    asyncio.run(scenario())
