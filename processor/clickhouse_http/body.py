"""The body of a request: read within its time and size, then freed of its encoding."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.clickhouse_http.encodings import decoded
from processor.clickhouse_http.errors import QUERY_IS_TOO_LARGE, SOCKET_TIMEOUT, QueryError
from processor.clickhouse_http.frames import unframed
from processor.errors import TooLarge

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Gone(Exception):
    """The client has closed its connection."""


async def read_body(receive: Receive, headers: Mapping[str, str], config: ClickHouseHttpConfig) -> bytes:
    """The body as it was sent. One that breaks off is none.

    Errors: `QueryError` 223 for one that is too large, 209 for one that takes too long; `Gone`.
    """
    bytes_max = config.request_bytes_max
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > bytes_max:
        raise _too_large(bytes_max)
    chunks: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(config.read_timeout_s):
            while more:
                event = await receive()
                if event["type"] != "http.request":
                    raise Gone
                chunks.append(event.get("body", b""))
                size += len(chunks[-1])
                if size > bytes_max:
                    raise _too_large(bytes_max)
                more = event.get("more_body", False)
    except TimeoutError:
        raise QueryError(SOCKET_TIMEOUT, "Timeout exceeded while reading the request") from None
    return b"".join(chunks)


def decompressed(body: bytes, encoding: str, framed: bool, bytes_max: int) -> bytes:
    """The body without its `Content-Encoding`, then without ClickHouse's own frames. Takes its time: for a thread.

    Errors: `QueryError` 223 for one that is too large, and those of `decoded` and `unframed`.
    """
    try:
        body = decoded(body, encoding, bytes_max)
        return unframed(body, bytes_max) if framed else body
    except TooLarge:
        raise _too_large(bytes_max) from None


def _too_large(bytes_max: int) -> QueryError:
    return QueryError(QUERY_IS_TOO_LARGE, f"the body is over {bytes_max} bytes (max_request_body_size_mib)")
