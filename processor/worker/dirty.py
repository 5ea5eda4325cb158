"""What still has to be rolled up: traces to read back, and sessions to recompute, each with its age. Bounded by what is
stored but not rolled up.

A session is recomputed from all of its traces. So a large one waits longer, the more so the longer ticks take: it is
recomputed once for several traces that come meanwhile, and small and new ones don't wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

_DELAY_S_PER_TRACE: Final = 0.001
_LIGHT_S: Final = 0.3  # a tick that takes longer makes sessions wait for longer:
_MORE_PER_TRACE: Final = 0.1  # for each of their traces so many times as long as it took beyond
_DELAY_S_MAX: Final = 60.0
_SIZES_MAX: Final = 100_000  # beside those of sessions that wait, about 250 bytes each

Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mark:
    """Since when something is dirty: seconds on the monotonic clock, and the first batch that touched it."""

    since_s: float
    batch_seq: int


@dataclass(slots=True)
class DirtyMap:
    """Keys (tenant and id) with their first mark, in the order of marking."""

    marks: dict[Key, Mark] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.marks)

    def add(self, keys: Iterable[Key], mark: Mark) -> None:
        """Mark keys; a key that is marked keeps its age, and the smaller batch number.

        Ingests store beside each other, so what touches a key later may bear a smaller number.
        """
        for key in keys:
            kept = self.marks.setdefault(key, mark)
            if mark.batch_seq < kept.batch_seq:
                self.marks[key] = Mark(kept.since_s, mark.batch_seq)

    def take(self, keys: Iterable[Key]) -> None:
        """Unmark keys whose rows are written."""
        for key in keys:
            del self.marks[key]

    def oldest(self) -> Mark | None:
        """The mark with the smallest batch number."""
        return min(self.marks.values(), key=lambda mark: mark.batch_seq, default=None)


class DirtySessions(DirtyMap):
    """Dirty sessions, and how large each was when last seen."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[Key, int] = {}

    def due(self, now_s: float, traces_max: int, tick_s: float, *, force: bool) -> list[Key]:
        """Sessions to recompute now: oldest first, at most `traces_max` traces in all, but always at least one.

        `tick_s`: how long the last tick took; `force` lets none wait.
        """
        per_trace_s = 0.0 if force else _DELAY_S_PER_TRACE + _MORE_PER_TRACE * max(tick_s - _LIGHT_S, 0.0)
        chosen: list[Key] = []
        budget = traces_max
        for key, size in self._ready(now_s, per_trace_s):
            if chosen and size > budget:
                break
            chosen.append(key)
            budget -= size
        return chosen

    def _ready(self, now_s: float, per_trace_s: float) -> Iterator[tuple[Key, int]]:
        for key, mark in self.marks.items():
            size = self._sizes.get(key, 1)
            if now_s - mark.since_s >= min(size * per_trace_s, _DELAY_S_MAX):
                yield key, size

    def unsized(self, keys: Iterable[Key]) -> list[Key]:
        """Those of the keys whose size nobody has noted."""
        return [key for key in keys if key not in self._sizes]

    def note_sizes(self, sizes: Iterable[tuple[Key, int]]) -> None:
        """Remember how many traces sessions have: of those that wait, and of so many others, the last noted."""
        for key, size in sizes:
            self._sizes.pop(key, None)  # so that they stand in the order of noting
            self._sizes[key] = size
        if len(self._sizes) > _SIZES_MAX + len(self.marks):
            waiting = {key: self._sizes[key] for key in self.marks if key in self._sizes}
            self._sizes = waiting | dict(islice(self._sizes.items(), len(self._sizes) - _SIZES_MAX // 2, None))
