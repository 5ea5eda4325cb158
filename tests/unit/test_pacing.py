"""How long batches wait for more: what comes now and then is answered soon, a steady load comes in few batches."""

from __future__ import annotations

import pytest

from processor.worker.pacing import Pacing

LINGER_S = 0.5
BATCH_S = 0.05


def lingers(pause_s: float, batch_s: float, batches: int) -> list[float]:
    """How long each batch waits, where a request comes so long after the one before it was answered."""
    now_s, pacing, found = 0.0, Pacing(LINGER_S, 0.0), []
    for _ in range(batches):
        found.append(pacing.linger_s(now_s))
        pacing.took(batch_s)
        now_s += found[-1] + batch_s + pause_s
    return found


def test_what_comes_now_and_then_is_answered_soon() -> None:
    """For ever: a batch a second takes less than its share."""
    assert max(lingers(pause_s=1.0, batch_s=BATCH_S, batches=1_000)) < LINGER_S / 5


def test_a_burst_is_answered_soon_and_a_flow_waits() -> None:
    """A client that sends as soon as it is answered: at first at once, then so that batches take their share."""
    found = lingers(pause_s=0.0, batch_s=BATCH_S, batches=1_000)
    assert max(found[:20]) < LINGER_S / 5
    later = found[100:]
    assert max(later) == LINGER_S
    assert BATCH_S / (sum(later) / len(later) + BATCH_S) == pytest.approx(0.15, abs=0.01)


def test_batches_that_take_long_wait_as_long_as_may_be_and_no_longer() -> None:
    """An overloaded store; and it is forgotten some seconds later, not hours."""
    assert set(lingers(pause_s=0.0, batch_s=2.0, batches=100)[2:]) == {LINGER_S}
    pacing = Pacing(LINGER_S, 0.0)
    for _ in range(1_000):
        pacing.took(60.0)
    assert pacing.linger_s(1.0) == LINGER_S
    assert pacing.linger_s(10.0) < LINGER_S


def test_no_wait_is_no_wait() -> None:
    """`poll_linger_s: 0` takes what is there."""
    pacing = Pacing(0.0, 0.0)
    pacing.took(60.0)
    assert pacing.linger_s(0.0) == 0.0
