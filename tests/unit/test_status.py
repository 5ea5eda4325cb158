"""Every error against its wire status, as the OTLP specification has it."""

from __future__ import annotations

import pytest
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from structlog.testing import capture_logs

from processor.errors import ConfigError, Overloaded, Permanent, RateLimited, Retryable, TooLarge
from processor.receiver.item_count import count_items
from processor.receiver.status import AWAY_RETRY_S, MESSAGE_BYTES_MAX, failure_of
from processor.signals import Signal


def _retry_s(status: Status) -> float | None:
    for detail in status.details:
        info = RetryInfo()
        if detail.Unpack(info):
            return info.retry_delay.ToNanoseconds() / 1e9
    return None


@pytest.mark.parametrize(
    ("error", "code", "http_status", "retry_s", "retry_after"),
    [
        (TooLarge("big"), code_pb2.RESOURCE_EXHAUSTED, 413, None, None),
        (Permanent("bad"), code_pb2.INVALID_ARGUMENT, 400, None, None),
        (RateLimited("too fast", 2.5), code_pb2.RESOURCE_EXHAUSTED, 429, 2.5, "3"),
        (Overloaded("full", 1.5), code_pb2.UNAVAILABLE, 503, 1.5, "2"),
        (Overloaded("full", 0.0), code_pb2.UNAVAILABLE, 503, 0.0, "1"),
        (Retryable("away"), code_pb2.UNAVAILABLE, 503, AWAY_RETRY_S, "5"),
    ],
)
def test_meant_errors(
    error: Exception, code: int, http_status: int, retry_s: float | None, retry_after: str | None
) -> None:
    """An error raised on purpose keeps its message and gets the status of its class, without a log line."""
    with capture_logs() as lines:
        failure = failure_of(error)
    status = failure.rpc_status()
    assert (status.code, status.message, failure.http_status) == (code, str(error), http_status)
    assert _retry_s(status) == retry_s
    assert dict(failure.http_headers()).get("retry-after") == retry_after
    assert lines == []


def test_permanent_has_bad_request() -> None:
    """Bad data carries a google.rpc.BadRequest that says what is bad."""
    detail = BadRequest()
    assert failure_of(Permanent("spans[3]: no id")).rpc_status().details[0].Unpack(detail)
    assert detail.field_violations[0].description == "spans[3]: no id"


@pytest.mark.parametrize("error", [ValueError("secret"), ConfigError("secret"), TimeoutError("secret")])
def test_unexpected_errors(error: Exception) -> None:
    """An error nobody meant is retryable, is logged, and keeps its text to itself."""
    with capture_logs() as lines:
        failure = failure_of(error)
    assert (failure.grpc_code, failure.http_status) == (code_pb2.UNAVAILABLE, 503)
    assert _retry_s(failure.rpc_status()) == AWAY_RETRY_S
    assert "secret" not in failure.message
    assert [line["log_level"] for line in lines] == ["error"]


@pytest.mark.parametrize("letter", ["x", "ß", "\U0001f600", "\ud800"])
def test_messages_are_bounded(letter: str) -> None:
    """A long message is cut between characters, because gRPC sends it in headers."""
    message = failure_of(Permanent(letter * 10_000)).message
    assert len(message.encode()) <= MESSAGE_BYTES_MAX
    assert message.endswith("...")


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (b"", 0),
        (b"\x0a\x04\x12\x02\x12\x00", 1),
        (b"\x0a\x08\x12\x06\x12\x00\x12\x02\xff\xff", 2),  # garbage inside a span is not looked at
        (b"\x0a\x04\x12\x02\x12\x00" * 3, 3),
        (b"\x0a\x05\x12", None),
        (b"garbage", None),
    ],
)
def test_count_spans(value: bytes, count: int | None) -> None:
    """Spans are counted by the outer layers of the request alone; what is no request has no count."""
    assert count_items(value, Signal.TRACES) == count
