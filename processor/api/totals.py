"""How many there are on all pages, counted no more often than it is worth.

In a large store counting takes longer than the page it stands on. A count is used again for a while that grows with the
time it took: twenty times as long; then it is still shown, while one thread counts anew. What is counted in no time is
always counted. Bounded: the counts that were asked for least recently are forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

import structlog

from processor.clock import monotonic_s
from processor.errors import OtelSessionsError

KEPT_MAX: Final = 1_000
_QUICK_S: Final = 0.05  # what takes no longer is not kept
_FRESH: Final = 20  # times as long as it took
_SHOWN: Final = 200

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Count:
    total: int
    at_s: float
    took_s: float


class Totals:
    """Counts by what is counted. Any thread."""

    def __init__(self, now_s: Callable[[], float] = monotonic_s) -> None:
        self._now_s = now_s
        self._kept: OrderedDict[Hashable, _Count] = OrderedDict()
        self._lock = threading.Lock()
        self._counting = threading.Lock()  # anew, behind a total that is shown

    def of(self, key: Hashable, count: Callable[[], int]) -> int:
        """The total of `key`, as `count` says. Errors: those of `count`, unless there is a total to show."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
        if kept is None or (age_s := self._now_s() - kept.at_s) > _SHOWN * kept.took_s:
            return self._counted(key, count)
        if age_s > _FRESH * kept.took_s and self._counting.acquire(blocking=False):
            threading.Thread(target=self._count_behind, args=(key, count), name="totals", daemon=True).start()
        return kept.total

    def _counted(self, key: Hashable, count: Callable[[], int]) -> int:
        began_s = self._now_s()
        total = count()
        ended_s = self._now_s()
        with self._lock:
            self._kept.pop(key, None)
            if ended_s - began_s > _QUICK_S:
                self._kept[key] = _Count(total, ended_s, ended_s - began_s)
                while len(self._kept) > KEPT_MAX:
                    self._kept.popitem(last=False)
        return total

    def _count_behind(self, key: Hashable, count: Callable[[], int]) -> None:
        try:
            self._counted(key, count)
        except OtelSessionsError as error:
            _log.warning("total_not_counted", error=str(error))  # the next request tries again
        finally:
            self._counting.release()
