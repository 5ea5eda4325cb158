"""What can go wrong, told apart by what the caller should do about it.

A vendor's exception is translated into one of these in the adapter that caught it; `receiver/status.py` turns them
into a wire status at one seam. A message says what is wrong, where, and what to do.
"""

from __future__ import annotations


class OtelSessionsError(Exception):
    """Base of every error this package raises on purpose."""


class Permanent(OtelSessionsError):
    """The same request will fail again: malformed, too large, or refused. Do not retry."""


class TooLarge(Permanent):
    """The request is over a size limit. Send smaller batches."""


class Retryable(OtelSessionsError):
    """It may work later: the log or the store is away. Retry with back-off."""


class Overloaded(Retryable):
    """A bounded queue is full. Retry after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimited(Overloaded):
    """A tenant sends more than it may. Retry after `retry_after_s` seconds; others are not concerned."""


class ConfigError(OtelSessionsError):
    """The configuration is wrong. The message names the key by its path and the nearest known name."""
