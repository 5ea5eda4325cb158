"""What OTLP/HTTP means by a path, a header and a status: pure, no I/O.

Source: opentelemetry-proto `docs/specification.md`, "OTLP/HTTP".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc import code_pb2  # type: ignore[import-untyped, unused-ignore]

from processor.errors import Permanent
from processor.model import Receipt
from processor.receiver import compression, otlp_json
from processor.receiver.responses import response_of
from processor.receiver.status import Failure
from processor.signals import Signal


class Media(Enum):
    """The two content types of OTLP/HTTP."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


_PATHS: Final = {f"/v1/{signal.value}": signal for signal in Signal}
_MEDIA: Final = {media.value: media for media in Media}


@dataclass(frozen=True, slots=True)
class Export:
    """An export request as its head describes it; the body is still to come."""

    signal: Signal
    media: Media
    encoding: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def read_head(method: str, path: str, headers: Mapping[str, str]) -> Export | Failure:
    """Understand a request before its body: 404, 405, 415, or what it exports. `headers` have lowercase names."""
    signal = _PATHS.get(path)
    if signal is None:
        known = ", ".join(_PATHS)
        return Failure("invalid", code_pb2.NOT_FOUND, 404, f"nothing is served here; OTLP goes to {known}")
    if method != "POST":
        message = f"{method} is not allowed, use POST"
        return Failure("invalid", code_pb2.UNIMPLEMENTED, 405, message, headers=(("allow", "POST"),))
    media = media_of(headers)
    if media is None:
        message = f"content-type must be one of {', '.join(_MEDIA)}"
        return Failure("invalid", code_pb2.INVALID_ARGUMENT, 415, message)
    encoding = headers.get("content-encoding", "").strip().lower()
    if not compression.is_supported(encoding):
        known = ", ".join(compression.ENCODINGS)
        message = f"content-encoding must be one of {known}"
        return Failure("invalid", code_pb2.INVALID_ARGUMENT, 415, message, headers=(("accept-encoding", known),))
    return Export(signal, media, encoding)


def media_of(headers: Mapping[str, str]) -> Media | None:
    """The content type without its parameters, if it is one of ours."""
    return _MEDIA.get(headers.get("content-type", "").partition(";")[0].strip().lower())


def decode(body: bytes, export: Export, bytes_max: int) -> bytes:
    """Body to a serialized request: undo the encoding, then JSON if it is JSON.

    Units: `bytes_max` is the limit after decompression.
    Errors: `TooLarge`, `Permanent`.
    """
    plain = compression.decompress(body, export.encoding, bytes_max)
    if export.media is Media.PROTOBUF:
        return plain
    if not plain.strip():
        raise Permanent("the body is empty; an empty OTLP/JSON request is {}")
    return otlp_json.serialized_request(plain, export.signal)


def answer(outcome: Receipt | Failure, export: Export) -> Answer:
    """The response to an export, in the request's content type."""
    if isinstance(outcome, Failure):
        return refusal(outcome, export.media)
    return _answer(200, response_of(export.signal, outcome), export.media, ())


def refusal(failure: Failure, media: Media | None) -> Answer:
    """The response to a request that failed, in its content type; JSON where it had none of ours."""
    return _answer(failure.http_status, failure.rpc_status(), media or Media.JSON, failure.http_headers())


def _answer(status: int, message: Message, media: Media, headers: tuple[tuple[str, str], ...]) -> Answer:
    body = message.SerializeToString() if media is Media.PROTOBUF else orjson.dumps(MessageToDict(message))
    return Answer(status, body, (("content-type", media.value), *headers))
