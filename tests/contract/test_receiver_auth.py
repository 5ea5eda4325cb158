"""Receivers that ask who sends: before a byte is read, with answers that exporters understand, and counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import grpc.aio
import httpx

from processor.auth.authenticator import Authenticator
from processor.auth.config import OidcConfig
from processor.auth.identity import Identity
from processor.auth.oidc import Oidc
from processor.auth.tokens import TokenTable, hash_of, new_token
from processor.log.base import Record
from processor.log.memory import MemoryLog, MemoryLogConfig
from processor.model import Receipt
from processor.receiver.otlp_grpc import OtlpGrpcReceiver
from processor.receiver.otlp_http import OtlpHttpConfig, OtlpHttpReceiver
from processor.signals import Signal
from processor.telemetry.metrics import Metrics
from tests.contract.otlp_harness import EXPORT, GRPC, MIB, PROTOBUF, request_bytes

HTTP = OtlpHttpConfig(endpoint="127.0.0.1:0", cors_allowed_origins=("https://app.example",))
ACME, GLOBEX, READER = new_token(), new_token(), new_token()


class Tokens:
    """Three holders."""

    def __init__(self) -> None:
        self._table = TokenTable(
            [
                (hash_of(ACME), Identity("acme", may_read=False, may_write=True)),
                (hash_of(GLOBEX), Identity("globex", may_read=True, may_write=True)),
                (hash_of(READER), Identity("acme", may_read=True, may_write=False)),
            ]
        )

    async def identity_of(self, token: str) -> Identity:
        """As `Authenticator` has it."""
        return self._table.holder_of(token)


@dataclass
class Guarded:
    """Both receivers, what their log has handed out, and how often requests ended how."""

    http: httpx.AsyncClient
    channel: grpc.aio.Channel
    records: list[Record]
    metrics: Metrics

    def outcomes(self, outcome: str) -> tuple[float, float]:
        """Requests over gRPC and HTTP."""
        name = "otel_sessions_receiver_requests_total"
        found = [
            self.metrics.registry.get_sample_value(name, {"transport": transport, "outcome": outcome})
            for transport in ("grpc", "http")
        ]
        return found[0] or 0, found[1] or 0

    async def exported(self, token: str, value: bytes = b"") -> grpc.StatusCode:
        """How a gRPC export ends."""
        metadata = [("authorization", f"Bearer {token}")] if token else []
        try:
            await self.channel.unary_unary(EXPORT)(value, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    async def posted(self, token: str, value: bytes = b"") -> httpx.Response:
        """How an HTTP export ends."""
        return await self.http.post(
            "/v1/traces", content=value, headers=PROTOBUF | {"authorization": f"Bearer {token}"}
        )


@contextlib.asynccontextmanager
async def guarded(authenticator: Authenticator) -> AsyncIterator[Guarded]:
    """Receivers on free ports that ask an authenticator; what they take is stored at once."""
    log, metrics = MemoryLog(MemoryLogConfig(queue_bytes_max=8 * MIB)), Metrics()
    receivers = (
        OtlpGrpcReceiver(GRPC, {Signal.TRACES: log}, metrics, authenticator=authenticator),
        OtlpHttpReceiver(HTTP, {Signal.TRACES: log}, metrics, authenticator=authenticator),
    )
    records: list[Record] = []

    async def consume() -> None:
        while found := await log.poll(bytes_max=MIB, linger_s=0):
            records.extend(found)
            log.acknowledge(found, [Receipt(accepted_spans=1)] * len(found))

    for receiver in receivers:
        await receiver.start()
    consumer = asyncio.create_task(consume())
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{receivers[0].port}") as channel,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{receivers[1].port}", timeout=60) as client,
    ):
        yield Guarded(client, channel, records, metrics)
    for receiver in receivers:
        await receiver.stop(0)
    await log.close()
    await consumer


def test_the_tenant_of_a_record_is_that_of_the_token() -> None:
    """For each request by itself, over one connection."""

    async def scenario() -> None:
        async with guarded(Tokens()) as bench:
            for token in (ACME, GLOBEX, ACME):
                assert await bench.exported(token, request_bytes(1)) is grpc.StatusCode.OK
                assert (await bench.posted(token, request_bytes(1))).status_code == 200
            assert [record.tenant for record in bench.records] == [*["acme"] * 2, *["globex"] * 2, *["acme"] * 2]

    asyncio.run(scenario())


def test_what_is_refused_is_counted_and_nothing_of_it_is_taken() -> None:
    """By how it was refused."""

    async def scenario() -> None:
        async with guarded(Tokens()) as bench:
            assert await bench.exported("", request_bytes(1)) is grpc.StatusCode.UNAUTHENTICATED
            assert await bench.exported(READER, request_bytes(1)) is grpc.StatusCode.PERMISSION_DENIED
            assert (await bench.posted("wrong", request_bytes(1))).status_code == 401
            assert (await bench.posted(READER, request_bytes(1))).status_code == 403
            assert bench.records == []
            assert bench.outcomes("unauthenticated") == bench.outcomes("permission_denied") == (1, 1)

    asyncio.run(scenario())


def test_a_stranger_is_answered_before_a_byte_of_a_body_is_read() -> None:
    """A body that never comes, over a limit, or not understood: none of that is looked at."""

    async def scenario() -> None:
        async with guarded(Tokens()) as bench:
            assert bench.http.base_url.port is not None
            reader, writer = await asyncio.open_connection("127.0.0.1", bench.http.base_url.port)
            head = (
                "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 999999999\r\n"
            )
            writer.write(f"{head}\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
            writer.close()

    asyncio.run(scenario())


def test_a_web_page_may_show_a_token() -> None:
    """A browser asks whether it may send the header, and shows no token when it asks."""

    async def scenario() -> None:
        async with guarded(Tokens()) as bench:
            asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
            answer = await bench.http.options("/v1/traces", headers=asked)
            assert answer.status_code == 204
            assert "authorization" in answer.headers["access-control-allow-headers"]

    asyncio.run(scenario())


def test_while_nobody_can_say_who_it_is_exporters_are_told_to_retry() -> None:
    """An issuer that is away must not cost spans: exporters drop what is refused for good."""

    async def scenario() -> None:
        oidc = Oidc(OidcConfig(issuer_url="http://127.0.0.1:1", audience="x"))
        await oidc.start()
        async with guarded(oidc) as bench:
            assert await bench.exported("a.b.c") is grpc.StatusCode.UNAVAILABLE
            answer = await bench.posted("a.b.c")
            assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
        await oidc.stop()

    asyncio.run(scenario())
