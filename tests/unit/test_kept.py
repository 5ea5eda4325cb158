"""Answers that are given again: how long, and what happens then."""

from __future__ import annotations

import threading

import pytest

from processor.api.kept import KEPT_MAX, Kept
from processor.errors import Retryable


class Counting:
    """A store that takes its time: a clock that moves while it counts, and a total that rises with each count."""

    def __init__(self, took_s: float) -> None:
        self.now_s = 1000.0
        self.took_s = took_s
        self.total = 0
        self.counted = threading.Semaphore(0)
        self.away = False

    def clock(self) -> float:
        return self.now_s

    def count(self) -> int:
        self.counted.release()
        if self.away:
            raise Retryable("away")
        self.now_s += self.took_s
        self.total += 1
        return self.total


def slow(_: int, took_s: float) -> bool:
    return took_s > 0.5


def test_what_is_counted_in_no_time_is_always_counted() -> None:
    """A small store never shows an old total."""
    store = Counting(took_s=0.01)
    totals: Kept[int] = Kept(slow, store.clock)
    assert [totals.of("all", store.count) for _ in range(3)] == [1, 2, 3]


def test_a_slow_count_is_used_again_for_twenty_times_as_long() -> None:
    """Pages come faster than counts."""
    store = Counting(took_s=1.0)
    totals: Kept[int] = Kept(slow, store.clock)
    assert totals.of("all", store.count) == 1
    store.now_s += 20.0
    assert totals.of("all", store.count) == 1


def test_an_older_count_is_shown_while_another_is_made() -> None:
    """Nobody waits for a count that was made before; the next one sees the new one."""
    store = Counting(took_s=1.0)
    totals: Kept[int] = Kept(slow, store.clock)
    totals.of("all", store.count)
    store.now_s += 21.0
    assert totals.of("all", store.count) == 1
    for thread in threading.enumerate():
        if thread.name == "kept":
            thread.join()
    assert totals.of("all", store.count) == 2


def test_a_count_that_is_far_too_old_is_made_again_first() -> None:
    """A total is never older than two hundred times what it takes to count."""
    store = Counting(took_s=1.0)
    totals: Kept[int] = Kept(slow, store.clock)
    totals.of("all", store.count)
    store.now_s += 201.0
    assert totals.of("all", store.count) == 2


def test_each_question_has_a_total_of_its_own() -> None:
    """Another filter is another count."""
    store = Counting(took_s=1.0)
    totals: Kept[int] = Kept(slow, store.clock)
    assert (totals.of("all", store.count), totals.of("some", store.count)) == (1, 2)


def test_the_totals_asked_for_least_recently_are_forgotten() -> None:
    """Memory is bounded however many filters are tried."""
    store = Counting(took_s=1.0)
    totals: Kept[int] = Kept(slow, store.clock)
    totals.of("first", store.count)
    for number in range(KEPT_MAX):
        store.now_s -= store.took_s  # a clock that stands still but for the counts
        totals.of(number, store.count)
    assert totals.of("first", store.count) == store.total
    assert store.total == KEPT_MAX + 2


def test_a_store_that_is_away_is_told_where_there_is_nothing_to_show() -> None:
    """And where there is, it is shown."""
    store = Counting(took_s=1.0)
    totals: Kept[int] = Kept(slow, store.clock)
    store.away = True
    with pytest.raises(Retryable):
        totals.of("all", store.count)
    store.away = False
    totals.of("all", store.count)
    store.away = True
    store.now_s += 21.0
    assert totals.of("all", store.count) == 1


def test_what_was_cleared_is_counted_anew() -> None:
    """After a deletion nothing old is shown."""
    store = Counting(took_s=1.0)
    totals: Kept[int] = Kept(slow, store.clock)
    totals.of("all", store.count)
    totals.clear()
    assert totals.of("all", store.count) == 2
