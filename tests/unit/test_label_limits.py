"""Tags and metadata of traces and sessions are bounded, and what is kept depends on the set of spans alone."""

from __future__ import annotations

import numpy as np
import orjson
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from processor.model import LABELS_MAX
from processor.rollup import labels
from processor.rollup.labels import full_labels, merged_metadata, merged_tags
from processor.rollup.runs import Runs


def runs(rows: int) -> Runs:
    """All rows in one group."""
    return Runs.of(np.arange(rows) == 0)


def tags_of(parts: list[list[str]]) -> list[str]:
    """The tags of one group of spans with these tags."""
    texts = pl.Series([orjson.dumps(sorted(set(part))).decode() if part else "" for part in parts], dtype=pl.String)
    return list(merged_tags(texts, runs(len(parts)))[0])


@given(st.lists(st.lists(st.text("abcdef", min_size=1, max_size=3), max_size=12), min_size=1, max_size=8), st.randoms())
def test_the_first_tags_in_any_order_of_spans(parts: list[list[str]], random: object) -> None:
    """Shuffled, split and merged again: the first of all tags, in their order."""
    shown, labels.LABELS_MAX = labels.LABELS_MAX, 5
    try:
        expected = sorted({tag for part in parts for tag in part})[:5]
        shuffled = list(parts)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        assert tags_of(parts) == tags_of(shuffled) == expected
        half = len(parts) // 2
        assert tags_of([tags_of(parts[:half] or [[]]), tags_of(parts[half:])]) == expected
    finally:
        labels.LABELS_MAX = shown


def test_the_first_keys_of_metadata() -> None:
    """In their order; rows that are full are counted."""
    texts = [orjson.dumps({f"k{n:04}": str(part) for n in range(part, 400, 2)}).decode() for part in (0, 1)]
    merged = merged_metadata(pl.Series(texts), runs(2))
    kept = orjson.loads(merged[0])
    assert list(kept) == [f"k{n:04}" for n in range(LABELS_MAX)]
    tags = merged_tags(pl.Series([orjson.dumps([f"t{n:04}" for n in range(300)]).decode()]), runs(1))
    assert len(tags[0]) == LABELS_MAX
    rows = pl.DataFrame({"tags": [tags[0].to_list(), ["x"], []], "metadata": ["", merged[0], '{"a":"b"}']})
    assert full_labels(rows) == 2
