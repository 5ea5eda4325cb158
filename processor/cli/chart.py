"""A row of numbers as a row of bars, a character each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BARS: Final = "▁▂▃▄▅▆▇█"
PLAIN_BARS: Final = ".:-=+*#@"  # for a terminal that knows ASCII alone


def grouped(values: Sequence[float], cells: int) -> tuple[list[float], int]:
    """The sums of neighbours, so that at most `cells` are left, and how many neighbours went into each."""
    each = max(1, -(-len(values) // max(1, cells)))
    return [sum(values[i : i + each]) for i in range(0, len(values), each)], each


def bars(values: Sequence[float], *, ascii_only: bool = False) -> str:
    """A character a value, none below zero; the largest is a full bar, whatever is more than nothing shows."""
    signs = PLAIN_BARS if ascii_only else BARS
    highest = max(values, default=0)
    return "".join(signs[min(len(signs) - 1, int(len(signs) * v / highest))] if v > 0 else " " for v in values)
