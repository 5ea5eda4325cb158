"""TLS of every kind of port: certificates that are replaced while it runs, broken ones, and certificates of clients."""

# ruff: noqa: ASYNC240 (a test's files are small)

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs

from processor.asgi import AsgiServer
from processor.errors import ConfigError
from processor.receiver.otlp_grpc import OtlpGrpcReceiver
from processor.telemetry.health import Health, health_app
from processor.telemetry.metrics import Metrics
from processor.tls.config import TlsConfig
from processor.tls.server import ServerTls
from tests.contract.authority import Authority
from tests.contract.otlp_harness import EXPORT, GRPC

LOOK_S = 0.01
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # HTTP/1.1 answers 400


@contextlib.asynccontextmanager
async def asgi(config: TlsConfig) -> AsyncIterator[int]:
    """An HTTP server; gives its port."""
    server = AsgiServer(health_app(Health()), "127.0.0.1:0", "test", tls=ServerTls(config, "test.tls"))
    await server.start()
    try:
        yield server.port
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def grpc_server(config: TlsConfig) -> AsyncIterator[int]:
    """A gRPC receiver; gives its port."""
    receiver = OtlpGrpcReceiver(dataclasses.replace(GRPC, tls=config), {}, Metrics())
    await receiver.start()
    try:
        yield receiver.port
    finally:
        await receiver.stop(0)


async def serial(port: int, trust: ssl.SSLContext) -> int:
    """The number of the certificate that a new connection is shown. Errors: those of a handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname="localhost")
    try:
        # A server looks at a client's certificate when the client thinks that it is done.
        writer.write(HELLO)
        await reader.readexactly(1)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(shown).serial_number
    finally:
        writer.transport.abort()


async def shown(port: int, trust: ssl.SSLContext, certificate: Path) -> None:
    """Until new connections are shown that certificate."""
    wanted = x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number
    while await serial(port, trust) != wanted:  # noqa: ASYNC110 (another process's files)
        await asyncio.sleep(LOOK_S)


async def complained(lines: list[Any]) -> str:
    """Until the log says that a file was not taken; gives why."""
    while not (found := [line["error"] for line in lines if line["event"] == "not_reloaded"]):  # noqa: ASYNC110
        await asyncio.sleep(LOOK_S)
    return str(found[-1])


def test_http_shows_a_new_certificate_and_keeps_the_connections_that_are_there(tmp_path: Path) -> None:
    """Half a change and a broken one change nothing, and are said."""

    async def scenario() -> None:
        authority = Authority(tmp_path)
        config = authority.tls()
        trust = authority.trust()
        async with (
            asgi(config) as port,
            httpx.AsyncClient(verify=trust, base_url=f"https://127.0.0.1:{port}") as client,
        ):
            await shown(port, trust, Path(config.cert_file))
            stream = (await client.get("/")).extensions["network_stream"]
            with capture_logs() as lines:
                before = Path(config.cert_file).read_bytes()
                Path(config.cert_file).write_bytes(b"-----BEGIN CERTIFICATE-----\nnothing\n")
                assert "can't be used" in await complained(lines)
                Path(config.cert_file).write_bytes(before)
                assert await serial(port, trust)
            authority.issue()
            await shown(port, trust, Path(config.cert_file))
            answer = await client.get("/")
            assert answer.status_code == 200
            assert answer.extensions["network_stream"] is stream, "the connection was dropped"

    asyncio.run(scenario())


def test_grpc_shows_a_new_certificate_and_keeps_the_connections_that_are_there(tmp_path: Path) -> None:
    """The same, where core does the handshakes."""

    async def scenario() -> None:
        authority = Authority(tmp_path)
        config, trust = authority.tls(), authority.trust()
        trust.set_alpn_protocols(["h2"])
        async with grpc_server(config) as port:
            credentials = grpc.ssl_channel_credentials(authority.pem)
            async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
                await channel.unary_unary(EXPORT)(b"", wait_for_ready=True)
                states = [channel.get_state()]
                with capture_logs() as lines:
                    Path(config.key_file).write_bytes(b"")
                    assert "can't be used" in await complained(lines)
                    assert await serial(port, trust)
                authority.issue()
                await shown(port, trust, Path(config.cert_file))
                await channel.unary_unary(EXPORT)(b"")
                states.append(channel.get_state())
                assert states == [grpc.ChannelConnectivity.READY] * 2

    asyncio.run(scenario())


@pytest.mark.parametrize("serve", [asgi, grpc_server])
def test_clients_need_a_certificate_of_the_authority_of_now(tmp_path: Path, serve: Any) -> None:
    """None, and one of another authority, are refused; so is one whose authority was taken away."""

    async def scenario() -> None:
        server, clients, others = (Authority(tmp_path, name) for name in ("server_ca", "client_ca", "other_ca"))
        config = server.tls(client_ca_file=str(clients.file))
        ours, theirs = clients.issue("ours"), others.issue("theirs")

        def trust(client: tuple[Path, Path] | None) -> ssl.SSLContext:
            context = server.trust(client)
            context.set_alpn_protocols(["h2", "http/1.1"])
            return context

        async def refused(client: tuple[Path, Path] | None) -> bool:
            try:
                await serial(port, trust(client))
            except (ssl.SSLError, OSError, EOFError):
                return True
            return False

        async with serve(config) as port:
            assert await refused(None)
            assert await refused(theirs)
            assert not await refused(ours)
            clients.file.write_bytes(others.pem)
            while await refused(theirs):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)
            assert await refused(ours)

    asyncio.run(scenario())


def test_an_old_version_of_tls_is_refused_where_that_is_asked_for(tmp_path: Path) -> None:
    """1.2 by default, 1.3 where `min_version` says so; never anything older."""

    async def scenario() -> None:
        authority = Authority(tmp_path)
        old = authority.trust()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        async with asgi(authority.tls()) as port:
            assert await serial(port, old)
        async with asgi(authority.tls(min_version="1.3")) as port:
            assert await serial(port, authority.trust())
            with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
                await serial(port, old)

    asyncio.run(scenario())


def _encrypted(authority: Authority) -> TlsConfig:
    config = authority.tls()
    key = load_pem_private_key(Path(config.key_file).read_bytes(), None)
    encryption = BestAvailableEncryption(b"secret")
    Path(config.key_file).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return config


def _of_another(authority: Authority) -> TlsConfig:
    config = authority.tls()
    return dataclasses.replace(config, key_file=str(authority.issue("another")[1]))


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (_encrypted, r"key_file .* can't be used.*without a password"),
        (_of_another, r"can't be used: KEY_VALUES_MISMATCH"),
        (lambda authority: dataclasses.replace(authority.tls(), cert_file="/nowhere"), r"/nowhere: can't be read"),
        (
            lambda authority: authority.tls(client_ca_file=str(authority.issue()[1])),
            r"client_ca_file: .* can't be used",
        ),
    ],
)
def test_a_certificate_that_can_not_be_used_is_an_error_at_the_start(tmp_path: Path, made: Any, why: str) -> None:
    """With the option, the file and what it must be; and nobody is asked for a password."""

    async def scenario() -> None:
        tls = ServerTls(made(Authority(tmp_path)), "test.tls")
        with pytest.raises(ConfigError, match=why):
            await tls.start()

    asyncio.run(scenario())
