"""A client that does not say what it wants loses its connection; one that has said so keeps it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from processor.asgi import AsgiServer

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"


async def read_body(
    scope: Mapping[str, Any],
    receive: Callable[[], Awaitable[Mapping[str, Any]]],
    send: Callable[[Mapping[str, Any]], Awaitable[None]],
) -> None:
    """Answers when the body is there."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def test_silence_and_half_a_head_end_a_connection_and_a_slow_body_does_not() -> None:
    """Nothing at all, half a first head, half a second one: closed. A head whose body is late is answered."""

    async def scenario() -> None:
        server = AsgiServer(read_body, "127.0.0.1:0", "option", keepalive_timeout_s=600, head_timeout_s=0.3)
        await server.start()

        writers: list[asyncio.StreamWriter] = []

        async def connect(*said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writers.append(writer)
            writer.write(b"".join(said))
            await writer.drain()
            return reader, writer

        slow_body, writer = await connect(HEAD)
        second, more = await connect(HEAD, b"ok")
        assert b"200 OK" in await second.readuntil(b"\r\n\r\n")
        more.write(HEAD[:20])
        for reader in (second, (await connect())[0], (await connect(HEAD[:20]))[0]):
            assert await reader.read() == b""
        writer.write(b"ok")
        assert b"200 OK" in await slow_body.readuntil(b"\r\n\r\n")
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await server.stop()

    asyncio.run(scenario())
