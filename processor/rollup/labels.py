"""Tags and metadata of many spans as those of their group. Pure.

A span's labels are one canonical text (`conventions.labels`), and nearly all spans of a trace have the same: JSON is
read and written once for each distinct combination.

Both are bounded, as those of one span are: the first `LABELS_MAX` in their order are kept. The first of a whole are
among the first of each of its parts, so what a session shows depends on its set of spans alone, however they came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import orjson
import polars as pl

from processor.model import LABELS_MAX
from processor.rollup.runs import Runs, lists, mask

T = TypeVar("T")
_PAIR_BYTES_MIN = 7
_UNIT = "\x1f"  # stands in no JSON text


def merged_tags(texts: pl.Series, runs: Runs) -> pl.Series:
    """The tags of each group, sorted, each once, the first `LABELS_MAX`. Shape: one list a group."""
    rows = np.flatnonzero(mask(texts != ""))
    if not len(rows):
        return lists(pl.Series([], dtype=pl.String), np.zeros(len(runs), np.int64))
    group, joined = _combinations(texts, rows, runs)
    tags = _each(joined, lambda parts: sorted({tag for part in parts for tag in orjson.loads(part)})[:LABELS_MAX])
    found: list[list[str]] = [[] for _ in range(len(runs))]
    for place, some in zip(group, tags, strict=True):
        found[place] = some
    return pl.Series("tags", found, pl.List(pl.String))


def merged_metadata(texts: pl.Series, runs: Runs) -> pl.Series:
    """The metadata of each group, its first `LABELS_MAX` keys; of two values of a key the one of the earlier span.

    Shape: one JSON text a group.
    """
    rows = np.flatnonzero(mask(texts != ""))
    if not len(rows):
        return pl.Series("metadata", [""], pl.String).new_from_index(0, len(runs))
    group, joined = _combinations(texts, rows, runs)
    merged = _each(joined, _overlay)
    found = np.full(len(runs), "", object)
    found[group] = np.array(merged, object)
    return pl.Series("metadata", found, pl.String)


def full_labels(rows: pl.DataFrame) -> int:
    """How many rows of traces or sessions have all the tags or metadata that they may: perhaps there was more."""
    is_full = rows["tags"].list.len() >= LABELS_MAX
    # A pair is at least `"a":"b",`; hardly any text is so long that it has to be read.
    texts = rows["metadata"].filter(~is_full & (rows["metadata"].str.len_bytes() > LABELS_MAX * _PAIR_BYTES_MIN))
    return int(is_full.sum()) + sum(len(orjson.loads(text)) >= LABELS_MAX for text in texts)


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
    if len(together) > LABELS_MAX:
        together = {key: together[key] for key in sorted(together)[:LABELS_MAX]}
    return orjson.dumps(together, option=orjson.OPT_SORT_KEYS).decode()
