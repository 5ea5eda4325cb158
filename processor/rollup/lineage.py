"""Who is whose parent, and what that says: roots, and which spans only repeat what a span below them reports. Pure.

Arrays have one entry a span, in the order of `SpanSet.spans`; a row number of -1 means none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from processor.decode.columns import Bools, Ints
from processor.model import Source
from processor.rollup.runs import first_rows
from processor.rollup.span_set import TRACE_KEY, trace_numbers


@dataclass(frozen=True, slots=True)
class Lineage:
    """The shape of the traces."""

    trace: Ints  # number of the span's trace, 0 to traces - 1
    traces: int
    parent: Ints  # row of the parent, -1 where the set does not have it
    root: Ints  # for each trace, the row of its root


def lineage(spans: pl.DataFrame) -> Lineage:
    """Find parents and roots.

    Shape: `spans` as `SpanSet.spans` has them.
    Source: DESIGN, "Binding a trace to its session": the root is the span without a parent, or whose parent is not in
    the set; of several, the earliest. A span that is its own ancestor counts as one without a parent. A log record is a
    root only where there is no span.
    """
    trace = trace_numbers(spans)
    rows = spans.select(*TRACE_KEY, "span_id").with_row_index("parent")
    joined = spans.select(*TRACE_KEY, "parent_span_id").join(
        rows,
        left_on=[*TRACE_KEY, "parent_span_id"],
        right_on=[*TRACE_KEY, "span_id"],
        how="left",
        maintain_order="left",
    )
    parent = _without_cycles(joined["parent"].cast(pl.Int64).fill_null(-1).to_numpy())
    traces = int(trace[-1]) + 1 if len(trace) else 0
    tops = np.flatnonzero(parent < 0)
    is_log = spans["source"].to_numpy()[tops] == Source.LOG
    if is_log.any():
        tops = np.concatenate([tops[~is_log], tops[is_log]])
    return Lineage(trace, traces, parent, first_rows(tops, trace, traces))


def _without_cycles(parent: Ints) -> Ints:
    """The parents, but none for a span that is its own ancestor: a cycle says nothing about who called whom.

    Following parents twice as far in each round, after as many steps as there are spans only cycles are left.
    """
    far, steps = parent, 1
    while steps < len(parent) and (far >= 0).any():
        far = np.where(far >= 0, far[far], -1)
        steps *= 2
    in_cycle = np.unique(far[far >= 0])
    if not len(in_cycle):
        return parent
    cut = parent.copy()
    cut[in_cycle] = -1
    return cut


def has_below(parent: Ints, marked: Bools, passable: Bools) -> Bools:
    """The spans with a marked descendant, such that the descendant and all spans between are passable.

    Each step moves one level up and touches a span at most once, so a deep trace costs its size.
    """
    found = np.zeros(len(parent), np.bool_)
    rising = np.flatnonzero(marked & passable)
    while len(rising):
        above = parent[rising]
        above = np.unique(above[above >= 0])
        above = above[~found[above]]
        found[above] = True
        rising = above[passable[above]]
    return found


def reaches_above(parent: Ints, rows: Ints, marked: Bools, passable: Bools) -> Bools:
    """For each of these rows, whether one of its ancestors is marked, such that all spans between are passable.

    Shape: one entry a row of `rows`.
    """
    found = np.zeros(len(rows), np.bool_)
    climbing, above = np.arange(len(rows)), parent[rows]
    while len(climbing):
        inside = above >= 0
        climbing, above = climbing[inside], above[inside]
        found[climbing[marked[above]]] = True
        on = ~marked[above] & passable[above]
        climbing, above = climbing[on], parent[above[on]]
    return found
