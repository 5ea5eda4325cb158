"""What the stand-in model API bills: tokens of each call, fixed by what is asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Tokens of one call. Cached and cache-writing ones are part of the input, reasoning ones part of the output."""

    input_tokens: int
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True)
class Call:
    """One call as it was billed; `streamed` says how it was answered."""

    session: str
    provider: str
    model: str
    usage: Usage
    streamed: bool


class Bill:
    """The calls that were answered; failed ones are free. Written by the server's threads, read by the tests."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()

    def of(self, session: str) -> list[Call]:
        """The calls of a session, in the order in which they were answered."""
        with self._lock:
            return [call for call in self._calls if call.session == session]

    def charge(self, call: Call) -> int:
        """Put a call on the bill; gives its number."""
        with self._lock:
            self._calls.append(call)
            return len(self._calls)
