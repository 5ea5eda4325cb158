"""Which of two rows of one key is newer: the one made of more spans, or made on purpose once more.

A trace row's version is the size of its trace's span set below a *revision*. Sizes only grow, so a row made of an older
view loses whenever it is written. A deliberate rewrite (other prices, another rule) raises the revision, which counts
for more than any size. A session row's version is the sum over its trace rows and has the same property.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processor.decode.columns import Ints

_SIZE_BITS: Final = 26
SIZE_MAX: Final = 2 ** (_SIZE_BITS - 1) - 1  # spans of one trace that versions tell apart
REVISION_MAX: Final = 2**14 - 1


def versions(sizes: Ints, revision: int) -> Ints:
    """The versions of trace rows made of so many rows."""
    return np.minimum(sizes, SIZE_MAX) + (revision << _SIZE_BITS)


def over_any_size(revision: int) -> int:
    """The version of a row that no set of spans may bring back, within a revision."""
    return SIZE_MAX + 1 + (revision << _SIZE_BITS)


def versions_from(revision: int) -> int:
    """The least version that rows of a revision have."""
    return revision << _SIZE_BITS
