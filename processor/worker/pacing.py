"""How long a batch waits for more: shortly as long as batches take little of the time, else as long as may be.

A batch costs as much as some thousand spans, however few it has. So a steady load comes in few batches, and what comes
now and then is answered soon: a program that waits for the answer to each span waits for nothing else.
"""

from __future__ import annotations

from typing import Final

_SHARE: Final = 0.15  # of the time, that batches may take before they wait for more
_CREDIT_S_MAX: Final = 2.0  # what is saved up while little comes
_DEBT_S_MAX: Final = 0.5
_EAGER: Final = 0.1  # of the longest wait


class Pacing:
    """`linger_s` is the longest wait. Units: seconds; times are monotonic."""

    def __init__(self, linger_s: float, now_s: float) -> None:
        self._linger_s = linger_s
        self._credit_s = _CREDIT_S_MAX
        self._at_s = now_s

    def took(self, batch_s: float) -> None:
        """Note what a batch took, from when it was complete until it was stored."""
        self._credit_s = max(self._credit_s - batch_s, -_DEBT_S_MAX)

    def linger_s(self, now_s: float) -> float:
        """How long the next batch waits."""
        self._credit_s = min(self._credit_s + _SHARE * (now_s - self._at_s), _CREDIT_S_MAX)
        self._at_s = now_s
        return self._linger_s if self._credit_s <= 0 else self._linger_s * _EAGER
