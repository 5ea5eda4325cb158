"""Which dead letters of a partition were replayed, as it is kept with the committed offset.

The offset says that all before it were; those beyond it, which a filter chose, stand in the commit's metadata as ranges
(`12-15,17`). That is bounded by the brokers: what does not fit is forgotten, and may be replayed again, harmlessly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_METADATA_CHARS_MAX: Final = 4000  # the brokers' offset.metadata.max.bytes is 4096


class Replayed:
    """Of one partition; mutable. `begin` is the first offset that the brokers still have."""

    def __init__(self, begin: int = 0, offset: int = 0, metadata: str = "") -> None:
        self.offset = max(begin, offset)
        self._beyond = {one for one in _parse(metadata) if one >= self.offset}
        self._advance()

    def __contains__(self, offset: int) -> bool:
        return offset < self.offset or offset in self._beyond

    def add(self, offset: int) -> None:
        """It was replayed."""
        self._beyond.add(offset)
        self._advance()

    @property
    def metadata(self) -> str:
        """What to commit beside `offset`."""
        text = ""
        for first, last in _ranges(sorted(self._beyond)):
            longer = f"{text}{',' if text else ''}{first}-{last}"
            if len(longer) > _METADATA_CHARS_MAX:
                break
            text = longer
        return text

    def _advance(self) -> None:
        while self.offset in self._beyond:
            self._beyond.remove(self.offset)
            self.offset += 1


def _ranges(offsets: list[int]) -> Iterator[tuple[int, int]]:
    first = last = -1
    for offset in offsets:
        if offset != last + 1 or first < 0:
            if first >= 0:
                yield first, last
            first = offset
        last = offset
    if first >= 0:
        yield first, last


def _parse(metadata: str) -> Iterator[int]:
    """Nothing for what others may have written there."""
    for part in filter(None, metadata.split(",")):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and last.isdecimal()) or len(part) > 2 * len(str(1 << 63)):
            return
        if int(last) - int(first) > 1 << 24:
            return
        yield from range(int(first), int(last) + 1)
