"""Which traces and sessions may have rows in the store: Bloom filters over their keys, in bounded memory.

"No" is certain, "perhaps" is not: a trace that the filter does not know is new, so what arrives of it is all there is.
The filter only saves reading; a wrong "perhaps" costs a look-up and changes no row.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from processor.decode.columns import Bools

_PROBES: Final = 4


class SeenKeys:
    """A Bloom filter in at most `bytes_max` bytes, rounded down to a power of two."""

    def __init__(self, bytes_max: int) -> None:
        self._bits = 1 << (max(bytes_max * 8, 64).bit_length() - 1)
        self._words = np.zeros(self._bits // 8, np.uint8)

    def add(self, keys: pl.DataFrame) -> None:
        """Remember keys. Shape: a tenant and an id, in the same order at every call."""
        for position in self._positions(keys):
            np.bitwise_or.at(self._words, position >> np.uint64(3), _bit(position))

    def may_have(self, keys: pl.DataFrame) -> Bools:
        """For each key, false when it is certainly new."""
        found = np.ones(len(keys), np.bool_)
        for position in self._positions(keys):
            found &= (self._words[position >> np.uint64(3)] & _bit(position)) != 0
        return found

    def _positions(self, keys: pl.DataFrame) -> list[np.ndarray[tuple[int], np.dtype[np.uint64]]]:
        # Kirsch and Mitzenmacher: two hashes give as many as are needed.
        first = keys.hash_rows(seed=0).to_numpy()
        second = keys.hash_rows(seed=1).to_numpy() | np.uint64(1)
        mask = np.uint64(self._bits - 1)
        return [(first + np.uint64(i) * second) & mask for i in range(_PROBES)]


def _bit(position: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.left_shift(np.uint8(1), (position & np.uint64(7)).astype(np.uint8))
