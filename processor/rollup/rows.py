"""What a roll-up of traces writes, in the types of its tables. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class TraceRows:
    """Rows of `model.SESSION_TRACES` and `model.TRACE_SESSIONS`, sorted by key."""

    session_traces: pl.DataFrame
    trace_sessions: pl.DataFrame


def typed(rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The columns of a schema in its types, with each type's nothing for null and for columns that are not there."""
    present = set(rows.columns)
    return rows.select(
        (_nothing_for_null(pl.col(name).cast(dtype), dtype) if name in present else _nothing(dtype)).alias(name)
        for name, dtype in schema.items()
    )


def _nothing_for_null(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return column.fill_null(_nothing(dtype))


def _nothing(dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.List):
        return pl.lit([], dtype)
    return pl.lit("" if dtype == pl.String else 0, dtype)
