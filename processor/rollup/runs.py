"""Grouping by runs: rows of one group stand together, so that totals are one pass over numbers. Pure, vectorized.

A fifth of what hashing the same keys again for every total costs; keys are compared once, when the rows are sorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from processor.decode.columns import Bools, Ints


@dataclass(frozen=True, slots=True)
class Runs:
    """Groups of consecutive rows. `group` has the number of each row's group, rising; `starts` each one's first row."""

    group: Ints
    starts: Ints

    @classmethod
    def of(cls, begins: Bools) -> Runs:
        """Shape: `begins` is true for the first row of each group, so for the first row of all."""
        return cls(np.cumsum(begins, dtype=np.int64) - 1, np.flatnonzero(begins))

    def __len__(self) -> int:
        return len(self.starts)

    def sum(self, values: Any) -> Ints:
        """Sum of each group; true counts as 1."""
        return self._reduced(np.add, values.astype(np.int64, copy=False))

    def min(self, values: Ints) -> Ints:
        """Smallest of each group."""
        return self._reduced(np.minimum, values)

    def max(self, values: Ints) -> Ints:
        """Largest of each group."""
        return self._reduced(np.maximum, values)

    def first_stated(self, texts: pl.Series, rank: Any = None) -> Ints:
        """For each group the first row whose text is not '', -1 for none. A smaller rank goes before an earlier row."""
        rows = np.flatnonzero(mask(texts != ""))
        if rank is not None:
            rows = rows[np.argsort(rank[rows], kind="stable")]
        return first_rows(rows, self.group, len(self))

    def last_stated(self, texts: pl.Series, end_ns: Ints) -> Ints:
        """For each group the row with a text that ends last, -1 for none. Of several, the last of them."""
        rows = np.flatnonzero(mask(texts != ""))
        found = np.full(len(self), -1, np.int64)
        rows = rows[np.argsort(end_ns[rows], kind="stable")]
        found[self.group[rows]] = rows  # the last assignment is the last to end
        return found

    def distinct(self, texts: pl.Series, wanted: Bools | None = None) -> pl.Series:
        """For each group its texts, sorted, each once, without ''. Shape: one list a group."""
        named = mask(texts != "") if wanted is None else mask(texts != "") & wanted
        rows = np.flatnonzero(named)
        pairs = pl.DataFrame({"group": self.group[rows], "text": texts.gather(rows)})
        repeated = (pl.col("group") == pl.col("group").shift(1)) & (pl.col("text") == pl.col("text").shift(1))
        pairs = pairs.filter(~repeated.fill_null(False)).unique().sort("group", "text")
        return lists(pairs["text"], np.bincount(pairs["group"].to_numpy(), minlength=len(self)))

    def _reduced(self, operation: Any, values: Ints) -> Ints:
        reduced: Ints = operation.reduceat(values, self.starts) if len(self) else np.zeros(0, np.int64)
        return reduced


def first_rows(rows: Ints, group: Ints, groups: int) -> Ints:
    """For each group the first of these rows, in the order given, -1 for none. Shape: `group` has one entry a row."""
    found = np.full(groups, -1, np.int64)
    found[group[rows[::-1]]] = rows[::-1]  # the last assignment is the first row
    return found


def lists(texts: pl.Series, lengths: Ints) -> pl.Series:
    """Consecutive texts as lists of these lengths."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    values = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pl.Series(pa.LargeListArray.from_arrays(pa.array(offsets), values), dtype=pl.List(pl.String))


def ordered(rows: pl.DataFrame, order: Ints) -> pl.DataFrame:
    """These rows in this order. Nothing is copied where it is the one they are in: a narrow row has many columns."""
    if len(order) == len(rows) and (order == np.arange(len(rows))).all():
        return rows
    return rows[order]


def gathered(texts: pl.Series, rows: Ints) -> pl.Series:
    """The texts of these rows, '' for a row of -1."""
    if not len(texts):
        return pl.Series(texts.name, [""] * len(rows), pl.String)
    return texts.gather(np.maximum(rows, 0)).set(pl.Series(rows < 0), "")


def mask(series: Any) -> Bools:
    """A boolean Polars column without nulls as numpy."""
    values: Bools = series.to_numpy()
    return values
