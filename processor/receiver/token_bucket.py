"""A token bucket: so many a second, and some at once after a pause. Pure: time is an argument.

A taking is admitted whole as long as the bucket is not empty, and may leave it in debt: so a request larger than the
bucket gets through, too, and the rate holds over time. Who is refused is told when the debt will be paid.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """`rate` a second, at most `capacity` at once. Full at first. Times are seconds of a clock that never goes back."""

    rate: float
    capacity: float
    level: float
    filled_at_s: float

    @classmethod
    def full(cls, rate: float, burst_s: float, now_s: float) -> TokenBucket:
        """A bucket that holds what comes together in `burst_s` seconds."""
        capacity = rate * burst_s
        return cls(rate, capacity, capacity, now_s)

    def wait_s(self, now_s: float) -> float:
        """Seconds until something may be taken; 0 if it may be now."""
        self._fill(now_s)
        return 0.0 if self.level > 0 else max(-self.level / self.rate, 1 / self.rate)

    def take(self, amount: float) -> None:
        """Take it, after `wait_s` has said 0; a negative amount gives back."""
        self.level = min(self.level - amount, self.capacity)

    def _fill(self, now_s: float) -> None:
        self.level = min(self.level + (now_s - self.filled_at_s) * self.rate, self.capacity)
        self.filled_at_s = now_s
