"""Which columns of the sessions table a terminal has room for, and how wide they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TITLES: Final = ("id", "name", "user", "start (UTC)", "duration", "traces", "errors", "tokens", "cost")
FLEXIBLE: Final = ("id", "name", "user")

_GAP = 2
_ENOUGH = {"id": 24, "name": 16, "user": 10}
_TOO_LITTLE = 12
_DROPPED_FIRST = ("user", "traces", "start (UTC)", "errors", "name")


def column_widths(natural: Mapping[str, int], terminal: int) -> dict[str, int]:
    """Characters for each column that is shown, in the order of `natural`; together they fit `terminal`.

    Columns are dropped, the least important first, until ids, names and users have enough room; what is left over
    goes to them in that order. The id always stays, however narrow.
    """
    widths = {title: min(width, _ENOUGH.get(title, width)) for title, width in natural.items()}
    for title in _DROPPED_FIRST:
        if _total(widths) > terminal:
            del widths[title]
    too_wide = max(0, _total(widths) - terminal)
    widths["id"] = max(min(_TOO_LITTLE, widths["id"]), widths["id"] - too_wide)
    for title in FLEXIBLE:
        if title in widths:
            widths[title] += max(0, min(natural[title] - widths[title], terminal - _total(widths)))
    return widths


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)
