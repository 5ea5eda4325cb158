"""Shapes that trace rows and session rows share. Pure.

Lazy, so that a rollup is one call into Polars: every call has to win the interpreter's lock back from the decoder.
"""

from __future__ import annotations

import polars as pl


def first_stated(rows: pl.LazyFrame, key: tuple[str, ...], column: str, *more: str) -> pl.LazyFrame:
    """For each key the first row, in the given order, that states `column`."""
    stated = rows.filter(pl.col(column) != "").select(*key, column, *more)
    return stated.unique(key, keep="first", maintain_order=True)


def distinct_texts(column: str) -> pl.Expr:
    """A list column without '' and null, sorted."""
    texts = pl.col(column).fill_null(pl.lit([], pl.List(pl.String)))
    return texts.list.set_difference(pl.lit([""], pl.List(pl.String))).list.sort()


def filled(rows: pl.LazyFrame, schema: pl.Schema) -> pl.LazyFrame:
    """The columns of a schema in its types, with each type's nothing instead of null."""
    return rows.select(_filled(name, dtype) for name, dtype in schema.items())


def _filled(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.List):
        return pl.col(name).cast(dtype).fill_null(pl.lit([], dtype))
    return pl.col(name).cast(dtype).fill_null("" if dtype == pl.String else 0)
