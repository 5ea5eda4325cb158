"""Which session each span belongs to. Pure.

Source: DESIGN, "Binding a trace to its session". Only the strongest ids of a trace take part. A span's own id wins;
every other span inherits the root's, or else that of the earliest span with one.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from processor.rollup.lineage import Lineage
from processor.rollup.runs import first_rows, gathered


def bound_sessions(spans: pl.DataFrame, shape: Lineage) -> pl.Series:
    """The session id of each span, '' where no span of its trace names one.

    Shape: `spans` as `SpanSet.spans` has them; the result has one entry a span.
    """
    if not len(spans):
        return pl.Series("session_id", [], pl.String)
    strength = spans["session_strength"].to_numpy()
    strongest = np.zeros(shape.traces, np.uint8)
    np.maximum.at(strongest, shape.trace, strength)
    takes_part = (strength > 0) & (strength == strongest[shape.trace])
    root_names_it = takes_part[shape.root]
    deciding = np.where(root_names_it, shape.root, first_rows(np.flatnonzero(takes_part), shape.trace, shape.traces))
    source = np.where(takes_part, np.arange(len(spans)), deciding[shape.trace])
    return gathered(spans["session_id"], source)
