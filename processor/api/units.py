"""Times and money as JSON has them: ISO 8601 in UTC with microseconds and a `Z`, milliseconds, US dollars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from processor.model import NANOS_PER_MILLI

_NANOS_PER_DOLLAR: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso_utc(ns: int) -> str:
    """Unix nanoseconds as `2026-11-20T10:00:00.123456Z`, cut to microseconds."""
    moment = _EPOCH + timedelta(microseconds=ns // 1_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def millis(start_ns: int, end_ns: int) -> float:
    """The time between; a span that ends before it starts counts with zero length, as in the rollups."""
    return max(0, end_ns - start_ns) / NANOS_PER_MILLI


def dollars(nano_usd: int) -> float:
    """Nano-dollars as dollars."""
    return nano_usd / _NANOS_PER_DOLLAR
