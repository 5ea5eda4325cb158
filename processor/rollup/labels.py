"""Tags and metadata of many spans as those of their group. Pure.

A span's labels are one canonical text (`conventions.labels`), and nearly all spans of a trace have the same: JSON is
read and written once for each distinct combination.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import orjson
import polars as pl

from processor.rollup.runs import Runs, lists, mask

T = TypeVar("T")
_UNIT = "\x1f"  # stands in no JSON text


def merged_tags(texts: pl.Series, runs: Runs) -> pl.Series:
    """All tags of each group, sorted, each once. Shape: one list a group."""
    rows = np.flatnonzero(mask(texts != ""))
    if not len(rows):
        return lists(pl.Series([], dtype=pl.String), np.zeros(len(runs), np.int64))
    group, joined = _combinations(texts, rows, runs)
    tags = _each(joined, lambda parts: sorted({tag for part in parts for tag in orjson.loads(part)}))
    found: list[list[str]] = [[] for _ in range(len(runs))]
    for place, some in zip(group, tags, strict=True):
        found[place] = some
    return pl.Series("tags", found, pl.List(pl.String))


def merged_metadata(texts: pl.Series, runs: Runs) -> pl.Series:
    """All metadata of each group; of two values of a key the one of the earlier span. Shape: one JSON text a group."""
    rows = np.flatnonzero(mask(texts != ""))
    if not len(rows):
        return pl.Series("metadata", [""], pl.String).new_from_index(0, len(runs))
    group, joined = _combinations(texts, rows, runs)
    merged = _each(joined, _overlay)
    found = np.full(len(runs), "", object)
    found[group] = np.array(merged, object)
    return pl.Series("metadata", found, pl.String)


def _combinations(texts: pl.Series, rows: np.ndarray, runs: Runs) -> tuple[np.ndarray, pl.Series]:
    """The groups with any text, and the distinct texts of each, in their order, joined."""
    frame = pl.DataFrame({"group": runs.group[rows], "text": texts.gather(rows)})
    frame = frame.unique(maintain_order=True).group_by("group", maintain_order=True).agg(pl.col("text").str.join(_UNIT))
    return frame["group"].to_numpy(), frame["text"]


def _each(joined: pl.Series, read: Callable[[list[str]], T]) -> list[T]:
    known: dict[str, T] = {text: read(text.split(_UNIT)) for text in joined.unique()}
    return [known[text] for text in joined]


def _overlay(parts: list[str]) -> str:
    together: dict[str, str] = {}
    for part in reversed(parts):
        together |= orjson.loads(part)
    return orjson.dumps(together, option=orjson.OPT_SORT_KEYS).decode()
