"""Reads and decodes the bodies of HTTP requests within limits: bytes each, bytes together, seconds.

Must never decompress on the event loop, nor read more than a little JSON there: a bomb would stop every other request.
The ASGI messages are those of the ASGI HTTP specification 2.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from processor.errors import Overloaded, Permanent, Retryable
from processor.receiver import http_wire
from processor.receiver.compression import too_large
from processor.receiver.http_wire import Export, Media

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

_INLINE_BYTES_MAX = 32 * 1024
_DECODE_THREADS = 2
_BUFFERS_RETRY_S = 1.0


class BodyReader:
    """All bodies of one receiver. At most `_DECODE_THREADS` are decompressed at a time, which bounds their output."""

    def __init__(self, bytes_max: int, buffered_bytes_max: int, timeout_s: float) -> None:
        self._bytes_max = bytes_max
        self._buffered_bytes_max = buffered_bytes_max
        self._timeout_s = timeout_s
        self._buffered_bytes = 0
        self._threads = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="otlp-http-decode")

    def close(self) -> None:
        """Drop what waits for a thread; its requests have been cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, export: Export, content_length: str, receive: Receive) -> bytes:
        """Receive one body and decode it to a serialized request.

        Errors: `TooLarge`, `Permanent`; `Overloaded` when all bodies together are too much; `Retryable` when it takes
        longer than the timeout.
        """
        if content_length.isdecimal() and int(content_length) > self._bytes_max:
            raise too_large(self._bytes_max)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                more = True
                while more:
                    event = await receive()
                    if event["type"] != "http.request":
                        raise Permanent("the client went away before the end of its body")
                    chunk = event.get("body", b"")
                    chunks.append(chunk)
                    size += len(chunk)
                    self._buffered_bytes += len(chunk)
                    self._check(size)
                    more = event.get("more_body", False)
            return await self._decode(b"".join(chunks), export)
        except TimeoutError:
            raise Retryable(f"the body did not arrive within {self._timeout_s} s (read_timeout_s)") from None
        finally:
            self._buffered_bytes -= size

    def _check(self, size: int) -> None:
        if size > self._bytes_max:
            raise too_large(self._bytes_max)
        if self._buffered_bytes > self._buffered_bytes_max:
            message = f"{self._buffered_bytes} bytes of bodies are on their way in (max_buffered_mib)"
            raise Overloaded(message, _BUFFERS_RETRY_S)

    async def _decode(self, body: bytes, export: Export) -> bytes:
        is_plain = export.encoding in ("", "identity")
        if is_plain and (export.media is Media.PROTOBUF or len(body) <= _INLINE_BYTES_MAX):
            return http_wire.decode(body, export, self._bytes_max)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, http_wire.decode, body, export, self._bytes_max)
