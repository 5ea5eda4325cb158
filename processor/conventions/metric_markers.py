"""Data points as narrow rows, so that roll-ups learn of them as they learn of spans: one row a point. Pure.

Such a row says that there is something to add up, and nothing else; the points themselves are in `session_metrics`. Its
id is made of what the point says: one that is delivered again, with whatever others, makes the same row, and one with
another amount makes another. So the set of rows grows with the set of points, and with nothing else.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.columns import hex_strings
from processor.model import METRICS_TRACE, OTHER, SESSION_SPANS, Source, Strength
from processor.rollup.rows import typed

_SAYS: Final = ("metric", "measure", "service", "model", "provider")
_ODD: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)


def metric_markers(points: pa.Table) -> pl.DataFrame:
    """Shape: in, the rows of `session_metrics`; out, `model.SESSION_SPANS`, one row a data point, in order."""
    if not len(points):
        return pl.DataFrame(schema=SESSION_SPANS)
    said = pc.binary_join_element_wise(*(points[name].combine_chunks() for name in _SAYS), "\x1f")
    encoded = pc.dictionary_encode(said)
    words = np.array([_hash(text) for text in encoded.dictionary.to_pylist()], np.uint64)[encoded.indices.to_numpy()]
    numbers = [points[name].to_numpy().astype(np.uint64) for name in ("start_ns", "time_ns", "amount")]
    with np.errstate(over="ignore"):  # sums of hashes wrap around
        mixed = [_mixed(number * np.uint64(odd)) for number, odd in zip((words, *numbers), _ODD, strict=True)]
        each = _mixed(np.sum(mixed, axis=0, dtype=np.uint64))
    rows = pl.DataFrame(
        {
            "tenant": pl.Series(points["tenant"]),
            "trace_id": METRICS_TRACE + pl.Series(points["session_id"]),
            "span_id": pl.Series(hex_strings(_bytes(each))),
            "source": np.full(len(points), Source.METRIC),
            "kind": pl.Series([OTHER]).new_from_index(0, len(points)),
            "start_ns": points["time_ns"].to_numpy(),
            "end_ns": points["time_ns"].to_numpy(),
            "session_id": pl.Series(points["session_id"]),
            "session_strength": np.full(len(points), Strength.STRONG),
            "user_id": pl.Series(points["user_id"]),
        }
    )
    return typed(rows, SESSION_SPANS)


def _bytes(numbers: Any) -> pa.BinaryArray:
    """The numbers as eight bytes each, the highest first."""
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * 8
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(numbers), [None, pa.py_buffer(offsets), pa.py_buffer(numbers.byteswap().tobytes())]
    )


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _mixed(numbers: Any) -> Any:
    """So that sums of equal parts in different places differ."""
    return (numbers ^ (numbers >> np.uint64(29))) * np.uint64(_ODD[0])
