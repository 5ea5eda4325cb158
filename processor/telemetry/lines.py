"""Which log lines are written: of warnings and errors that say the same, some each tick, so that an outage does not
fill a disk. What is less severe is always written.

Two lines say the same when event, level and logger are the same, whatever else they say. The first that is written
after others were left out says how many (`repeats_left_out`).
Source: the Collector's `service.telemetry.logs.sampling`, which is zap's sampler.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from processor.clock import monotonic_s
from processor.telemetry.metrics import Metrics

_KINDS_MAX: Final = 1024  # of lines, remembered


@dataclass(frozen=True, slots=True)
class LogsSamplingConfig:
    """How often a line is repeated."""

    enabled: bool = field(
        default=True, metadata={"help": "Whether repeated warnings and errors are left out; metrics count all."}
    )
    tick_s: float = field(
        default=10.0, metadata={"help": "Seconds after which counting begins anew.", "min": 0.1, "max": 3600}
    )
    initial: int = field(
        default=3, metadata={"help": "Warnings that say the same written in a tick in any case.", "min": 1}
    )
    thereafter: int = field(
        default=100, metadata={"help": "Of those after them, every how-many-eth is written; 0 is none.", "min": 0}
    )


@dataclass(slots=True)
class _Seen:
    tick: int
    count: int = 0
    left_out: int = 0


class Sampling:
    """Decides, one line after the other. Pure; bounded by forgetting what was not seen for longest."""

    def __init__(self, config: LogsSamplingConfig) -> None:
        self._config = config
        self._seen: OrderedDict[tuple[str, ...], _Seen] = OrderedDict()

    def take(self, kind: tuple[str, ...], now_s: float) -> int | None:
        """None to leave the line out; else how many of its kind were left out since the last that was written."""
        if not self._config.enabled:
            return 0
        tick = int(now_s / self._config.tick_s)
        seen = self._seen.setdefault(kind, _Seen(tick))
        self._seen.move_to_end(kind)
        if len(self._seen) > _KINDS_MAX:
            self._seen.popitem(last=False)
        if seen.tick != tick:
            seen.tick, seen.count = tick, 0
        seen.count += 1
        over = seen.count - self._config.initial
        if over > 0 and (not self._config.thereafter or over % self._config.thereafter):
            seen.left_out += 1
            return None
        left_out, seen.left_out = seen.left_out, 0
        return left_out


class LineFilter(logging.Filter):
    """The sampling of one handler, and what counts its lines."""

    def __init__(self, config: LogsSamplingConfig) -> None:
        super().__init__()
        self._sampling = Sampling(config)
        self.metrics: Metrics | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written. Any thread; the handler's lock is not held yet, and two lines may both be the last."""
        if self.metrics is not None:
            self.metrics.log_lines.labels(record.levelname.lower()).inc()
        if record.levelno < logging.WARNING:
            return True
        said: Any = record.msg
        event = str(said.get("event", "")) if isinstance(said, dict) else str(said)
        left_out = self._sampling.take((event, record.levelname, record.name), monotonic_s())
        if left_out is None:
            if self.metrics is not None:
                self.metrics.log_lines_left_out.inc()
            return False
        if left_out and isinstance(said, dict):
            said["repeats_left_out"] = left_out
        return True
