"""Numbers of batches that several signals take: nothing is said past one that is still on its way."""

from __future__ import annotations

from processor.worker.dirty import DirtyMap, Mark
from processor.worker.numbers import BatchNumbers


def test_a_number_holds_up_all_after_it_until_it_is_settled() -> None:
    """Whatever the order in which later ones are."""
    numbers = BatchNumbers()
    numbers.start(10)
    assert numbers.settled_up_to == 10
    first, second, third = numbers.take(1), numbers.take(3), numbers.take(2)
    assert (first, second, third) == (11, 12, 15)
    numbers.settle(second)
    assert numbers.settled_up_to == 10
    numbers.settle(first)
    assert numbers.settled_up_to == 14
    numbers.settle(third)
    assert numbers.settled_up_to == 16


def test_a_start_never_goes_back() -> None:
    """Numbers that were given out are not given out again."""
    numbers = BatchNumbers()
    numbers.settle(numbers.take(5))
    numbers.start(3)
    assert numbers.take(1) == 6


def test_a_dirty_key_bears_the_smallest_number_and_the_greatest_age() -> None:
    """Batches of several signals arrive in any order; what waits for a key holds back the earliest of them."""
    dirty = DirtyMap()
    for since_s, batch_seq in ((1.0, 5), (2.0, 3), (3.0, 7)):
        dirty.add([("t", "k")], Mark(since_s, batch_seq))
    assert dirty.marks == {("t", "k"): Mark(1.0, 3)}
    assert dirty.oldest() == Mark(1.0, 3)
