"""Parents, roots and coverage on shapes that generated traces do not reach."""

from __future__ import annotations

import numpy as np

from processor.rollup.lineage import has_below


def test_a_chain_of_a_hundred_thousand_spans_is_walked_once() -> None:
    """Every ancestor of the one marked leaf has it below, however deep the trace is."""
    depth = 100_000
    parent = np.arange(-1, depth - 1)
    marked = np.zeros(depth, np.bool_)
    marked[-1] = True
    found = has_below(parent, marked, np.ones(depth, np.bool_))
    assert found[:-1].all()
    assert not found[-1]


def test_what_may_not_be_passed_hides_what_is_below() -> None:
    """0 <- 1 <- 2, marked 2: an impassable 1 hides it from 0, an impassable 2 from both."""
    parent = np.array([-1, 0, 1])
    marked = np.array([False, False, True])
    assert has_below(parent, marked, np.array([True, False, True])).tolist() == [False, True, False]
    assert has_below(parent, marked, np.array([True, True, False])).tolist() == [False, False, False]
