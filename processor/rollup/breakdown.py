"""What counts, by model, provider and service: parallel lists in each trace row. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from processor.decode.columns import Ints
from processor.model import SESSION_TRACES, USAGE_KEY, USAGE_SUMMED


def breakdown(rows: pl.DataFrame, amounts: dict[str, Any], group: Ints, groups: int) -> dict[str, pl.Series]:
    """Sum amounts up by `model.USAGE_KEY` within each group.

    Shape: `rows` has the columns of the key, `amounts` those of `model.USAGE_SUMMED`, `group` a number, one entry a row
    that counts for something; the result has the `usage.` columns of `model.SESSION_TRACES`, one list a group.
    """
    frame = rows.select(USAGE_KEY).with_columns(pl.Series("group", group), *_series(amounts))
    summed = frame.group_by("group", *USAGE_KEY).agg(pl.col(USAGE_SUMMED).sum()).sort("group", *USAGE_KEY)
    lengths = np.bincount(summed["group"].to_numpy(), minlength=groups)
    offsets = np.zeros(groups + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return {
        f"usage.{name}": _lists(summed[name], offsets, SESSION_TRACES[f"usage.{name}"])
        for name in (*USAGE_KEY, *USAGE_SUMMED)
    }


def _series(amounts: dict[str, Any]) -> list[pl.Series]:
    return [pl.Series(name, amounts[name]).cast(pl.Int64) for name in USAGE_SUMMED]


def _lists(values: pl.Series, offsets: Ints, dtype: Any) -> pl.Series:
    flat = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pl.Series(pa.LargeListArray.from_arrays(pa.array(offsets), flat), dtype=dtype)
