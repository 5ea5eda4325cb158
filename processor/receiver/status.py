"""The one seam from an error to what the client sees: gRPC code, HTTP status, message, retry delay.

    error             gRPC                              HTTP                        retried by exporters
    Unauthenticated   UNAUTHENTICATED                   401 with WWW-Authenticate   no
    PermissionDenied  PERMISSION_DENIED                 403                         no
    TooLarge          RESOURCE_EXHAUSTED, no RetryInfo  413                         no
    Permanent         INVALID_ARGUMENT + BadRequest     400                         no
    RateLimited       RESOURCE_EXHAUSTED + RetryInfo    429 with Retry-After        after the bucket's own delay
    Overloaded        UNAVAILABLE + RetryInfo           503 with Retry-After        after the queue's own delay
    Retryable         UNAVAILABLE + RetryInfo           503 with Retry-After        after `AWAY_RETRY_S`
    any other         UNAVAILABLE + RetryInfo, logged   503 with Retry-After        after `AWAY_RETRY_S`

Must never answer UNKNOWN, 500 or the text of an unexpected exception. Overload is 503 and not 429 because exporters
written before the OTLP specification listed 429 drop what was answered with it; a limit that somebody has set is 429.
Source: opentelemetry-proto `docs/specification.md`, "Failures"; `google/rpc/error_details.proto`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import structlog
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2  # type: ignore[import-untyped, unused-ignore]
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped, unused-ignore]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped, unused-ignore]

from processor.auth.authenticator import CHALLENGE
from processor.errors import Overloaded, Permanent, PermissionDenied, RateLimited, Retryable, TooLarge, Unauthenticated
from processor.telemetry.faults import places

AWAY_RETRY_S = 5.0
"""Seconds to wait before asking a log that is away again."""

MESSAGE_BYTES_MAX = 1024
"""gRPC sends the message in headers, thrice encoded; clients accept 8 KiB of headers."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """A refused request, for both wires.

    `outcome` is the label of the `requests` metric; `retry_s` is None where retrying is useless.
    """

    outcome: str
    grpc_code: int
    http_status: int
    message: str
    retry_s: float | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def grpc_name(self) -> str:
        """The gRPC code by its name."""
        return str(code_pb2.Code.Name(self.grpc_code))

    def rpc_status(self) -> Status:
        """The rich status: gRPC trailer `grpc-status-details-bin`, or the body of an HTTP error."""
        status = Status(code=self.grpc_code, message=self.message)
        if self.retry_s is not None:
            delay = Duration()
            delay.FromNanoseconds(round(self.retry_s * 1e9))
            status.details.add().Pack(RetryInfo(retry_delay=delay))
        elif self.grpc_code == code_pb2.INVALID_ARGUMENT:
            violation = BadRequest.FieldViolation(field="body", description=self.message)
            status.details.add().Pack(BadRequest(field_violations=[violation]))
        return status

    def http_headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of the HTTP answer; `Retry-After` in whole seconds, rounded up."""
        if self.retry_s is None:
            return self.headers
        return (*self.headers, ("retry-after", str(max(1, math.ceil(self.retry_s)))))


def failure_of(error: Exception) -> Failure:
    """Translate an error of a request into its wire status; log it if nobody meant to raise it."""
    match error:
        case Unauthenticated() | PermissionDenied():
            return _not_admitted(error)
        case TooLarge():
            return Failure("too_large", code_pb2.RESOURCE_EXHAUSTED, 413, _shorten(str(error)))
        case Permanent():
            return Failure("invalid", code_pb2.INVALID_ARGUMENT, 400, _shorten(str(error)))
        case Retryable():
            return _later(error)
        case _:
            _log.error(
                "request_not_received",
                error=type(error).__name__,
                places=places(error),
                action="its exporter retries; report it, this is a fault of ours",
            )
            message = "internal error; retry, and see the log of the receiver"
            return Failure("unexpected", code_pb2.UNAVAILABLE, 503, message, AWAY_RETRY_S)


def _not_admitted(error: Unauthenticated | PermissionDenied) -> Failure:
    message = _shorten(str(error))
    if isinstance(error, PermissionDenied):
        return Failure("permission_denied", code_pb2.PERMISSION_DENIED, 403, message)
    challenge = (("www-authenticate", CHALLENGE),)
    return Failure("unauthenticated", code_pb2.UNAUTHENTICATED, 401, message, headers=challenge)


def _later(error: Retryable) -> Failure:
    message = _shorten(str(error))
    if isinstance(error, RateLimited):
        return Failure("rate_limited", code_pb2.RESOURCE_EXHAUSTED, 429, message, error.retry_after_s)
    if isinstance(error, Overloaded):
        return Failure("overloaded", code_pb2.UNAVAILABLE, 503, message, error.retry_after_s)
    return Failure("unavailable", code_pb2.UNAVAILABLE, 503, message, AWAY_RETRY_S)


def _shorten(message: str) -> str:
    data = message.encode("utf-8", "replace")
    if len(data) <= MESSAGE_BYTES_MAX:
        # Through UTF-8 and back: a lone surrogate could not be sent.
        return data.decode()
    return data[: MESSAGE_BYTES_MAX - 3].decode("utf-8", "ignore") + "..."
