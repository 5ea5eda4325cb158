"""One model call that two spans report, neither above the other: two instrumentations side by side. Pure.

Source: attributes.yaml in tests/data, "same_call_twice"; captures of traceloop and of langfuse beside the spans of the
Anthropic SDK itself, with and without a response id on both.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from processor.decode.columns import Bools, Ints
from processor.rollup.lineage import Lineage

_RICHNESS: Final = ("cost_nano_usd", "total_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
"""Of the spans of one call, the one that says most about it counts: compared in this order, then the earliest."""


def repeated_calls(spans: pl.DataFrame, shape: Lineage, calls: Bools) -> Bools:
    """The calls that another span of the same trace stands for. Shape: one entry a span, in the order of `SpanSet`.

    Two calls are one if they bear the same response id; or, where not both bear one, if they have the same parent and
    the same tokens, overlap, and come from different instrumentations. The n-th call of one instrumentation goes with
    the n-th of the other, so equal calls in parallel stay as many as they were.
    """
    repeated = np.zeros(len(spans), np.bool_)
    rows = np.flatnonzero(calls)
    if len(rows) < 2:
        return repeated
    _repeat_by_id(spans, shape, rows, repeated)
    rows = rows[~repeated[rows] & (shape.parent[rows] >= 0) & (spans["total_tokens"].to_numpy()[rows] > 0)]
    _repeat_side_by_side(spans, shape, rows, repeated)
    return repeated


def _repeat_by_id(spans: pl.DataFrame, shape: Lineage, rows: Ints, repeated: Bools) -> None:
    ids = pl.DataFrame({"trace": shape.trace[rows], "id": spans["response_id"].gather(rows)})
    twice = (ids.is_duplicated() & (ids["id"] != "")).to_numpy()
    if twice.any():
        rows = rows[twice]
        group = _numbers([shape.trace[rows], _codes(spans["response_id"].gather(rows))])
        repeated[rows[rows != _richest(spans, rows, group)]] = True


def _repeat_side_by_side(spans: pl.DataFrame, shape: Lineage, rows: Ints, repeated: Bools) -> None:
    if not len(rows) or spans["scope"].gather(rows).n_unique() < 2:
        return
    tokens = [spans[name].to_numpy()[rows] for name in ("input_tokens", "output_tokens")]
    group = _numbers([shape.parent[rows], *tokens])
    rows, group = _of_several(rows, group)
    if not len(rows):
        return
    scope = _codes(spans["scope"].gather(rows))
    turn = _running(_numbers([group, scope]))
    pair = _numbers([group, turn])
    rows, pair = _of_several(rows, pair)
    kept = _richest(spans, rows, pair)
    start_ns = spans["start_ns"].to_numpy()
    end_ns = np.maximum(start_ns, spans["end_ns"].to_numpy())
    overlap = (start_ns[rows] <= end_ns[kept]) & (start_ns[kept] <= end_ns[rows])
    named = (spans["response_id"] != "").to_numpy()
    repeated[rows[(rows != kept) & overlap & ~(named[rows] & named[kept])]] = True


def _richest(spans: pl.DataFrame, rows: Ints, group: Ints) -> Ints:
    """For each row the one of its group that says most."""
    order = np.lexsort((-rows, *[spans[name].to_numpy()[rows] for name in reversed(_RICHNESS)], group))
    best = np.zeros(int(group.max(initial=-1)) + 1, np.int64)
    best[group[order]] = rows[order]  # the last assignment is the richest
    return best[group]


def _of_several(rows: Ints, group: Ints) -> tuple[Ints, Ints]:
    """The rows whose group has another."""
    several = np.bincount(group)[group] > 1
    return rows[several], group[several]


def _numbers(keys: list[Ints]) -> Ints:
    """A number for each distinct combination."""
    number: Ints = np.unique(keys[0], return_inverse=True)[1].astype(np.int64)
    for key in keys[1:]:
        code = np.unique(key, return_inverse=True)[1].astype(np.int64)
        number = np.unique(number * (int(code.max(initial=0)) + 1) + code, return_inverse=True)[1].astype(np.int64)
    return number


def _codes(texts: pl.Series) -> Ints:
    codes: Ints = texts.rank("dense").cast(pl.Int64).to_numpy()
    return codes


def _running(group: Ints) -> Ints:
    """For each row, how many of its group come before it."""
    order = np.argsort(group, kind="stable")
    begins = np.flatnonzero(np.diff(group[order], prepend=-1))
    place = np.arange(len(group)) - np.repeat(begins, np.diff(np.append(begins, len(group))))
    running = np.empty(len(group), np.int64)
    running[order] = place
    return running
