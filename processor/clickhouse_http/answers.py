"""Responses as a ClickHouse server shapes them: headers, summary, errors before and after the first byte.

Source: ClickHouse `src/Server/HTTPHandler.cpp`, `HTTP/WriteBufferFromHTTPServerResponse.cpp`.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import asdict
from typing import Any, Final

import orjson

from processor.clickhouse_http.errors import QueryError
from processor.clickhouse_http.execution import Summary

SERVER_NAME: Final = "otel-sessions"
PLAIN_TEXT: Final = "text/plain; charset=UTF-8"
OK: Final = b"Ok.\n"
NOT_FOUND: Final = (
    "There is no handle {path}\nUse / or /ping for health checks.\nOr /replicas_status for more sophisticated health "
    "checks.\nSend queries from your program with POST method or GET /?query=...\n"
)
_TAG_CHARS: Final = 16
_PATH_CHARS_MAX: Final = 200


def new_tag() -> str:
    """What marks an exception in the middle of a body, so that no data can be taken for one."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(_TAG_CHARS))


def exception_in_body(error: QueryError, version: str, tag: str) -> bytes:
    """What is written after data that was sent already."""
    message = error.body(version).encode()
    head, foot = f"\r\n__exception__\r\n{tag}\r\n", f"{len(message)} {tag}\r\n__exception__\r\n"
    return head.encode() + message + foot.encode()


def summary_header(summary: Summary) -> str:
    """`X-ClickHouse-Summary`: numbers as strings."""
    return orjson.dumps({name: str(value) for name, value in asdict(summary).items()}).decode()


def not_found(path: str) -> bytes:
    """The body for a path that leads nowhere."""
    return NOT_FOUND.format(path=path[:_PATH_CHARS_MAX]).encode()


def start(status: int, **headers: str | int) -> dict[str, Any]:
    """The message that begins a response; `content_type` is written as `Content-Type`."""
    pairs = [(name.replace("_", "-").encode(), str(value).encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}
