"""Batches of a table to CSV, NDJSON and Parquet, a piece at a time.

Must never hold more than a row group. A line of NDJSON is the item of the list in JSON; Parquet keeps types.
In CSV, lists are joined by `|`, mappings are JSON, nothing is empty; a text that a spreadsheet would take for a formula
begins with a single quote.
Source: RFC 4180; ndjson.org; OWASP, "CSV Injection".
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, Protocol, cast

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from processor.api.exports.tables import MAP, MONEY, TEXTS, TIME

Format = Literal["json", "csv", "ndjson", "parquet"]

MEDIA: Final[dict[Format, str]] = {
    "json": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}

ROW_GROUP_ROWS: Final = 32_768
PIECE_BYTES: Final = 256 * 1024  # at least, but at the end
_FORMULA: Final = r"^([=+\-@\t\r])"
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"  # the seconds of microseconds have six decimals


class Encoder(Protocol):
    """Writes one file."""

    def head(self) -> bytes:
        """What stands before all rows."""

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """Some rows; nothing where they are held back."""

    def foot(self) -> bytes:
        """What is left."""


def encoder(kind: Format, schema: pa.Schema) -> Encoder:
    """For one file of rows of `schema`."""
    assert kind != "json"
    kinds: dict[str, Callable[[pa.Schema], Encoder]] = {"csv": _Csv, "ndjson": _Ndjson, "parquet": _Parquet}
    return kinds[kind](schema)


class _Csv:
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def head(self) -> bytes:
        return (",".join(self._schema.names) + "\r\n").encode()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        columns = [_csv_column(column, kind) for column, kind in zip(batch.columns, self._schema.types, strict=True)]
        frame = pl.DataFrame(dict(zip(self._schema.names, columns, strict=True)))
        safe = frame.with_columns(pl.col(pl.String).str.replace(_FORMULA, "'$1"))
        return safe.write_csv(include_header=False, line_terminator="\r\n").encode()

    def foot(self) -> bytes:
        return b""


def _csv_column(column: Any, kind: pa.DataType) -> pl.Series:
    if kind == MAP:
        return pl.Series([orjson.dumps(dict(each)).decode() for each in column.to_pylist()], dtype=pl.String)
    if kind == TEXTS:
        return cast(pl.Series, pl.from_arrow(column)).list.join("|")
    return cast(pl.Series, pl.from_arrow(pa.array(_plain(column, kind)) if kind == TIME else column))


class _Ndjson:
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def head(self) -> bytes:
        return b""

    def rows(self, batch: pa.RecordBatch) -> bytes:
        names = self._schema.names
        columns = [_plain(column, kind) for column, kind in zip(batch.columns, self._schema.types, strict=True)]
        lines = (orjson.dumps(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True))
        return b"".join(line + b"\n" for line in lines)

    def foot(self) -> bytes:
        return b""


def _plain(column: Any, kind: pa.DataType) -> list[Any]:
    """As `models` have it."""
    if kind == TIME:
        return cast(list[Any], pc.strftime(column, _MOMENT).to_pylist())
    if kind == MONEY:
        return _dollars(column)
    if kind == MAP:
        return [dict(each) for each in column.to_pylist()]
    return cast(list[Any], column.to_pylist())


def _dollars(column: Any) -> list[float]:
    """Floats that are nearest to the decimals, as `units.dollars` divides; a cast of Arrow multiplies, which is not."""
    words = np.frombuffer(column.buffers()[1], np.int64)[::2][column.offset : column.offset + len(column)]
    return cast(list[float], (words / 1_000_000_000).tolist())


class _Parquet:
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._file = io.BytesIO()
        self._writer = pq.ParquetWriter(_Behind(self._file), schema, compression="zstd")
        self._held: list[pa.RecordBatch] = []

    def head(self) -> bytes:
        return self._written()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        self._held.append(batch)
        if sum(map(len, self._held)) < ROW_GROUP_ROWS:
            return b""
        return self._group()

    def foot(self) -> bytes:
        rest = self._group() if self._held else b""
        self._writer.close()
        return rest + self._written()

    def _group(self) -> bytes:
        held, self._held = self._held, []
        self._writer.write_table(pa.Table.from_batches(held, self._schema), row_group_size=ROW_GROUP_ROWS)
        return self._written()

    def _written(self) -> bytes:
        data = self._file.getvalue()
        self._file.seek(0)
        self._file.truncate()
        return data


class _Behind(io.RawIOBase):
    """A file that knows where it stands although what was written has been taken away."""

    def __init__(self, file: io.BytesIO) -> None:
        self._file = file
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = self._file.write(data)
        self._at += size
        return size

    def tell(self) -> int:
        return self._at


def encoded(batches: Iterator[pa.RecordBatch], into: Encoder) -> Iterator[bytes]:
    """The pieces of the file, none of them empty. The first is not there before rows are, or none will be."""
    piece = into.head()
    for batch in batches:
        piece += into.rows(batch)
        if len(piece) >= PIECE_BYTES:
            yield piece
            piece = b""
    if rest := piece + into.foot():
        yield rest
