"""The one place that reads the time. Everything pure takes the time as an argument."""

from __future__ import annotations

import time


def now_ns() -> int:
    """Wall clock, Unix nanoseconds."""
    return time.time_ns()


def monotonic_s() -> float:
    """Seconds that never go back, for measuring spans of time."""
    return time.monotonic()
