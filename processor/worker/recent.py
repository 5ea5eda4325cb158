"""Recent spans in memory, by trace, so that a trace's row can be computed without reading it back.

A trace is *whole* here when every span ever stored of it is held. It stops being whole when the oldest part that holds
one of its spans is evicted; from then on it has to be read back. Bounded by rows.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import polars as pl

from processor.model import SESSION_SPANS
from processor.rollup.span_set import TRACE_KEY

_INDEX: Final = pl.Schema({"tenant": pl.String, "trace_id": pl.String, "oldest": pl.Int64})


class RecentSpans:
    """The last `rows_max` narrow spans, in parts, one a tick."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._parts: deque[tuple[int, pl.DataFrame]] = deque()
        self._index = pl.DataFrame(schema=_INDEX)
        self._rows = 0
        self._next = 0

    def __len__(self) -> int:
        return self._rows

    def held(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Those of the traces that are whole in memory. Shape: `tenant, trace_id`."""
        return keys.join(self._index, on=TRACE_KEY, how="semi")

    def rows_of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """All spans of traces that are whole in memory. Shape: `model.SESSION_SPANS`, duplicates possible."""
        known = keys.join(self._index, on=TRACE_KEY, how="inner")
        if known.is_empty():
            return pl.DataFrame(schema=SESSION_SPANS)
        oldest = known["oldest"].min()
        assert isinstance(oldest, int)
        found = [part.join(known, on=TRACE_KEY, how="semi") for number, part in self._parts if number >= oldest]
        return pl.concat(found) if found else pl.DataFrame(schema=SESSION_SPANS)

    def remember(self, rows: pl.DataFrame) -> None:
        """Hold more spans: of traces that are whole here already, or whose every span is among `rows`."""
        if rows.is_empty():
            return
        number = self._next
        self._next += 1
        self._parts.append((number, rows))
        self._rows += len(rows)
        new = rows.select(TRACE_KEY).unique().join(self._index, on=TRACE_KEY, how="anti")
        self._index = pl.concat([self._index, new.with_columns(oldest=pl.lit(number, pl.Int64))])
        self._evict()

    def _evict(self) -> None:
        evicted = -1
        while self._rows > self._rows_max and len(self._parts) > 1:
            evicted, part = self._parts.popleft()
            self._rows -= len(part)
        if evicted >= 0:
            self._index = self._index.filter(pl.col("oldest") > evicted)
