"""How a process leaves: who sends to it is sent elsewhere first, then what is under way is finished.

    SIGTERM ─> not ready ─── delay_s ──> GOAWAY, listeners closed ─── at most timeout_s ──> the rest answered retryably

Until the delay is over everything is served as ever, but an HTTP answer says `Connection: close`, so that a client
that keeps connections makes its next one through the balancer.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DrainConfig:
    """How long to wait for balancers, and for requests under way."""

    delay_s: float = field(
        default=0.0,
        metadata={
            "help": "Seconds between a signal to stop, when /ready turns to 503, and the end of listening: as long as "
            "a balancer takes to send elsewhere. 0 where there is none.",
            "min": 0,
            "max": 600,
        },
    )
    timeout_s: float = field(
        default=5.0,
        metadata={
            "help": "Seconds that requests under way have to finish after that; then they are answered retryably.",
            "min": 0,
            "max": 600,
        },
    )
