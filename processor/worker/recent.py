"""Recent spans in memory, by trace, so that a trace's row can be computed without reading it back.

A trace is *whole* here when every span ever stored of it is held. It stops being whole when a part that holds some of
its spans is evicted; from then on it has to be read back. Bounded by rows.
"""

from __future__ import annotations

from collections import deque
from typing import Final, cast

import polars as pl
import pyarrow as pa

from processor.model import SESSION_SPANS
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY

_INDEX: Final = pl.Schema({"tenant": pl.String, "trace_id": pl.String, "part": pl.Int64})


class RecentSpans:
    """The last `rows_max` narrow spans, in parts, one a tick.

    Parts are kept as Arrow: a third of the memory of Polars' string views, which also hold on to the buffers that they
    were cut from.
    """

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._parts: deque[pa.Table] = deque()
        self._first = 0  # number of the oldest part
        self._index = pl.DataFrame(schema=_INDEX)  # which parts hold spans of which trace; whole traces only
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def held(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Those of the traces that are whole in memory. Shape: `tenant, trace_id`, distinct."""
        return keys.join(self._index, on=TRACE_KEY, how="semi")

    def rows_of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """All spans of traces that are whole in memory. Shape: `model.SESSION_SPANS`, duplicates possible."""
        wanted = self._index.join(keys, on=TRACE_KEY, how="semi").partition_by("part", as_dict=True)
        found = [
            self._part(cast(int, number)).join(rows, on=TRACE_KEY, how="semi") for (number,), rows in wanted.items()
        ]
        return pl.concat(found) if found else pl.DataFrame(schema=SESSION_SPANS)

    def remember(self, rows: pl.DataFrame) -> None:
        """Hold more spans: of traces that are whole here already, or whose every span is among `rows`."""
        if rows.is_empty():
            return
        number = self._first + len(self._parts)
        self._parts.append(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        self._rows += len(rows)
        traces = rows.select(TRACE_KEY).unique().with_columns(part=pl.lit(number, pl.Int64))
        self._index = pl.concat([self._index, traces], rechunk=True)
        self._evict()

    def forget(self, keys: pl.DataFrame) -> None:
        """These traces are no longer known to be whole."""
        self._index = self._index.join(keys, on=TRACE_KEY, how="anti")

    def forget_sessions(self, sessions: pl.DataFrame) -> None:
        """Nor are the traces whose spans name one of these. Shape: `tenant, session_id`."""
        parts = (self._part(self._first + number) for number in range(len(self._parts)))
        naming = [part.join(sessions, on=SESSION_KEY, how="semi").select(TRACE_KEY) for part in parts]
        if naming:
            self.forget(pl.concat(naming))

    def _part(self, number: int) -> pl.DataFrame:
        return cast(pl.DataFrame, pl.from_arrow(self._parts[number - self._first], schema=SESSION_SPANS))

    def _evict(self) -> None:
        if self._rows <= self._rows_max or len(self._parts) == 1:
            return
        while self._rows > self._rows_max and len(self._parts) > 1:
            self._rows -= self._parts.popleft().num_rows
            self._first += 1
        torn = self._index.filter(pl.col("part") < self._first)
        self._index = self._index.join(torn, on=TRACE_KEY, how="anti")
