"""Ctrl-C for a command that never ends by itself.

CPython drops the `KeyboardInterrupt` of a signal that comes while it puts the text of another exception together, as it
does whenever Rich asks for `int("latest")`. A command that ends anyway may miss one; one that follows must not.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def remembered_interrupts() -> Iterator[Callable[[], None]]:
    """Gives a function that raises `KeyboardInterrupt` if Ctrl-C was pressed, also when that was raised and lost.

    Main thread only.
    """
    is_interrupted = False

    def interrupt(_: int, __: FrameType | None) -> None:
        nonlocal is_interrupted
        is_interrupted = True
        raise KeyboardInterrupt

    def raise_if_interrupted() -> None:
        if is_interrupted:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield raise_if_interrupted
    finally:
        signal.signal(signal.SIGINT, before)
