"""Answers about everything, made no more often than it is worth.

In a large store counting all sessions takes longer than the page it stands on, and statistics of all of them take
seconds. Such an answer is given again for a while that grows with the time it took: twenty times as long; then it is
still given, while one thread makes another. What is not worth keeping is made anew every time, so a small store shows
nothing old. Bounded: the answers that were asked for least recently are forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog

from processor.clock import monotonic_s
from processor.errors import OtelSessionsError

KEPT_MAX: Final = 100  # statistics of a thousand intervals are some hundred kilobytes
_FRESH: Final = 20  # times as long as it took
_GIVEN: Final = 200

_T = TypeVar("_T")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Made:
    answer: Any
    at_s: float
    took_s: float


class Kept:
    """Answers by what was asked. Any thread."""

    def __init__(self, now_s: Callable[[], float] = monotonic_s) -> None:
        self._now_s = now_s
        self._kept: OrderedDict[Hashable, _Made] = OrderedDict()
        self._cleared = 0
        self._lock = threading.Lock()
        self._making = threading.Lock()  # behind an answer that is given again

    def of(self, key: Hashable, make: Callable[[], _T], worth: Callable[[_T, float], bool]) -> _T:
        """The answer to `key`, as `make` gives it; `worth` says of it and the seconds it took whether it is kept.

        Errors: those of `make`, unless there is an answer to give again.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
        if kept is None or (age_s := self._now_s() - kept.at_s) > _GIVEN * kept.took_s:
            return self._make(key, make, worth)
        if age_s > _FRESH * kept.took_s and self._making.acquire(blocking=False):
            threading.Thread(target=self._make_behind, args=(key, make, worth), name="kept", daemon=True).start()
        answer: _T = kept.answer
        return answer

    def clear(self) -> None:
        """Forget everything: the store has lost something that no answer may show any more."""
        with self._lock:
            self._cleared += 1
            self._kept.clear()

    def _make(self, key: Hashable, make: Callable[[], _T], worth: Callable[[_T, float], bool]) -> _T:
        cleared, began_s = self._cleared, self._now_s()
        answer = make()
        ended_s = self._now_s()
        with self._lock:
            self._kept.pop(key, None)
            if cleared == self._cleared and worth(answer, ended_s - began_s):
                self._kept[key] = _Made(answer, ended_s, ended_s - began_s)
                while len(self._kept) > KEPT_MAX:
                    self._kept.popitem(last=False)
        return answer

    def _make_behind(self, key: Hashable, make: Callable[[], _T], worth: Callable[[_T, float], bool]) -> None:
        try:
            self._make(key, make, worth)
        except OtelSessionsError as error:
            _log.warning("answer_not_renewed", error=str(error), action="nothing, once: the next request tries again")
        finally:
            self._making.release()
