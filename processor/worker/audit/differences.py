"""Rows as they are stored beside rows as they should be, to what differs, column by column. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any, Final, NamedTuple

import orjson
import polars as pl

from processor.model import COSTS, Source

PRICED: Final = frozenset({*COSTS, "unpriced_span_count", "usage.unpriced_count", *(f"usage.{name}" for name in COSTS)})
"""The columns that depend on a price table."""

_KEYS: Final = ("tenant", "session_id", "trace_id")
_ROW: Final = "(row)"


class Difference(NamedTuple):
    """One column of one row. `stored` and `recomputed` are JSON values; None is that there is none."""

    table: str
    tenant: str
    session_id: str
    trace_id: str
    column: str
    stored: Any
    recomputed: Any


def differences(
    table: str, stored: pl.DataFrame, recomputed: pl.DataFrame, left_out: Set[str] = frozenset()
) -> Iterator[Difference]:
    """What differs, row by row, sorted by key.

    Shape: both in the table's columns, one row a key; `version` as far as it is to be compared. A row that says nothing
    (all its traces, or spans, have moved away) is as good as none.
    """
    key = [name for name in _KEYS if name in stored.columns]
    rows_stored, rows_right = _by_key(stored, key), _by_key(recomputed, key)
    for at in sorted(rows_stored.keys() | rows_right.keys()):
        is_row, right_row = rows_stored.get(at), rows_right.get(at)
        if not says_something(is_row) and not says_something(right_row):
            continue
        named = dict(zip(key, at, strict=True))
        where = (table, named["tenant"], named.get("session_id", ""), named.get("trace_id", ""))
        if is_row is None or right_row is None:
            yield Difference(*where, _ROW, *(None if row is None else "there" for row in (is_row, right_row)))
            continue
        for column in stored.columns:
            if column not in left_out and not _same(column, is_row[column], right_row[column]):
                yield Difference(*where, column, is_row[column], right_row[column])


def says_something(row: dict[str, Any] | None) -> bool:
    """Whether a row says anything of its trace or session."""
    if row is None:
        return False
    if "row_count" in row:
        return bool(row["row_count"])
    return bool(row["span_count"]) or row.get("source") == Source.METRIC or bool(row.get("session_ids"))


def _by_key(rows: pl.DataFrame, key: Sequence[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(row[name] for name in key): row for row in rows.iter_rows(named=True)}


def _same(column: str, stored: Any, recomputed: Any) -> bool:
    if stored == recomputed:
        return True
    # Two writers of JSON need not agree on the spelling.
    return column == "metadata" and bool(stored) and bool(recomputed) and _loaded(stored) == _loaded(recomputed)


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
