"""Which of two rows of one key is newer: the one made of more spans, or made on purpose once more.

A trace row's version is the size of its trace's span set below a *revision*. Sizes only grow, so a row made of an older
view loses whenever it is written. A deliberate rewrite (other prices, another rule) raises the revision, which counts
for more than any size. Rows of a trace that has lost spans by a deletion are, within a revision, above all that were
made without knowing of it. Above all revisions are rows that say who else counts a call: a rewrite of one of the two
must not change that. A session row's version is the sum over its trace rows and has the same property. Pure.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

Ints: TypeAlias = npt.NDArray[np.int64]

REVISION_AT: Final = 26
"""The lowest bit of a revision."""
_REVISION_BITS: Final = 14
_SET: Final = 2**REVISION_AT - 1  # the bits below a revision
SIZE_MAX: Final = 2 ** (REVISION_AT - 2) - 1  # spans of one trace that versions tell apart
_DELETED_FROM: Final = SIZE_MAX + 1
REVISION_MAX: Final = 2**_REVISION_BITS - 1
OVER_ALL: Final = 2 ** (REVISION_AT + _REVISION_BITS)
"""The least version above all revisions; the bits below it say what a version says otherwise."""


def versions(sizes: Ints, revision: int) -> Ints:
    """The versions of trace rows made of so many rows."""
    return np.minimum(sizes, SIZE_MAX) + (revision << REVISION_AT)


def versions_after_deletion(sizes: Ints, places: Ints, revision: int) -> Ints:
    """The same of traces that have lost spans: a deletion leaves the size as it is, and makes more of it places."""
    return versions(sizes + places, revision) + _DELETED_FROM


def of_deleted_from(version: pl.Expr) -> pl.Expr:
    """The version of a row that was made before its trace lost spans, as one that was made after."""
    return version | _DELETED_FROM


def over_all(revision: int) -> int:
    """The version of a row that nothing may bring back, under whatever revision that was made."""
    return OVER_ALL + versions_from(revision)


def from_revision(revision: int) -> str:
    """A condition of SQL on `version`: it was made under this revision or a later one."""
    return f"bitAnd(version, {OVER_ALL - 1:d}) >= {versions_from(revision):d}"


def versions_from(revision: int) -> int:
    """The least version that rows of a revision have."""
    return revision << REVISION_AT


def is_of_more(version: pl.Expr, size: pl.Expr, places: pl.Expr) -> pl.Expr:
    """Whether a version was made of a larger set than this, of which so many are places."""
    after = (version & _DELETED_FROM) > 0
    return (version & SIZE_MAX).cast(pl.Int64) > pl.when(after).then(size + places).otherwise(size)


def set_size(version: pl.Expr) -> pl.Expr:
    """The size of the set that a version was made of, of a trace that has lost no span by a deletion."""
    return (version & SIZE_MAX).cast(pl.Int64)


def without_revision(version: pl.Expr) -> pl.Expr:
    """What a version says of the set that it was made of."""
    return version & pl.lit(_SET, pl.UInt64)


def revision_of(version: pl.Expr) -> pl.Expr:
    """The revision that a version was made under."""
    return (version // pl.lit(_SET + 1, pl.UInt64)).cast(pl.Int64) & REVISION_MAX
