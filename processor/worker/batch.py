"""One poll of the log, decoded and normalized: what is written, and what each request is told.

`make_batch` is pure. `write_batch` puts its rows where the store reads them: Arrow IPC streams, one file a table, so
that whoever decodes (another process, usually) and whoever stores share nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from processor.conventions.normalize import normalize
from processor.decode.otlp import Decoder
from processor.decode.wide import otel_traces
from processor.errors import OtelSessionsError
from processor.log.base import Record
from processor.model import SESSION_SPANS, Receipt


@dataclass(frozen=True, slots=True)
class Batch:
    """Shape: `wide` and `narrow` are the rows of `otel_traces` and `session_spans`; one outcome a record."""

    wide: pa.Table
    narrow: pl.DataFrame
    outcomes: list[Receipt | OtelSessionsError]
    rejected: dict[str, int]


@dataclass(frozen=True, slots=True)
class WrittenBatch:
    """A batch whose rows lie in two files until they are stored. Counts are rows of each table."""

    wide: Path
    narrow: Path
    spans: int
    session_spans: int
    outcomes: list[Receipt | OtelSessionsError]
    rejected: dict[str, int]

    def read_narrow(self) -> pl.DataFrame:
        """The rows of `session_spans`. Shape: `model.SESSION_SPANS`."""
        if not self.session_spans:
            return pl.DataFrame(schema=SESSION_SPANS)
        return pl.read_ipc_stream(self.narrow, columns=SESSION_SPANS.names())

    def remove(self) -> None:
        """Delete the files. Safe to call twice."""
        self.wide.unlink(missing_ok=True)
        self.narrow.unlink(missing_ok=True)


def make_batch(decoder: Decoder, records: Sequence[Record], now_ns: int) -> Batch:
    """Decode and normalize records. Errors: none are raised; a malformed record's outcome says so."""
    decoded = decoder.decode([record.value for record in records], now_ns)
    tenants = pa.array([record.tenant for record in records], pa.string())
    normalized = normalize(decoded.spans, tenants)
    rows = normalized.rows
    wide = otel_traces(decoded.spans, tenants, rows["service"].to_arrow(), rows["session_id"].to_arrow())
    return Batch(wide, normalized.session_spans, decoded.outcomes, decoded.rejected)


def write_batch(batch: Batch, directory: Path, batch_seq: int) -> WrittenBatch:
    """Write the rows of a batch to files named after its number, which the narrow rows bear.

    Errors: `OSError` when the directory can't be written; then there may be parts of files, see `remove_files`.
    """
    number = pl.lit(batch_seq, pl.UInt64).alias("batch_seq")
    wide, narrow = _files(directory, batch_seq)
    for path, rows in ((wide, batch.wide), (narrow, batch.narrow.with_columns(number).to_arrow())):
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, rows.schema) as stream:
            stream.write_table(rows)
    return WrittenBatch(wide, narrow, len(batch.wide), len(batch.narrow), batch.outcomes, batch.rejected)


def remove_files(directory: Path, batch_seq: int) -> None:
    """Delete what `write_batch` may have left of a batch that it did not get to the end of."""
    for path in _files(directory, batch_seq):
        path.unlink(missing_ok=True)


def _files(directory: Path, batch_seq: int) -> tuple[Path, Path]:
    return directory / f"{batch_seq}.otel_traces.arrows", directory / f"{batch_seq}.session_spans.arrows"
