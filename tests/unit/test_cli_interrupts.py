"""Ctrl-C is heard though the exception that it raised was lost."""

from __future__ import annotations

import contextlib
import signal

import pytest

from processor.cli.interrupts import remembered_interrupts


def test_a_lost_interrupt_is_raised_again() -> None:
    """By whatever swallowed it; without one nothing is raised."""
    with remembered_interrupts() as raise_if_interrupted:
        raise_if_interrupted()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            raise_if_interrupted()


def test_what_was_before_is_there_again_afterwards() -> None:
    """Whoever handled Ctrl-C before the command handles it after it."""
    before = signal.getsignal(signal.SIGINT)
    with contextlib.suppress(KeyboardInterrupt), remembered_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
