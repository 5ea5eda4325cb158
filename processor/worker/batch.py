"""One poll of the log, decoded and normalized: what is written, and what each request is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from processor.conventions.normalize import normalize
from processor.decode.otlp import Decoder
from processor.decode.wide import otel_traces
from processor.errors import OtelSessionsError
from processor.log.base import Record
from processor.model import Receipt


@dataclass(frozen=True, slots=True)
class Batch:
    """Shape: `wide` and `narrow` are the rows of `otel_traces` and `session_spans`; one outcome a record."""

    records: Sequence[Record]
    wide: pa.Table
    narrow: pl.DataFrame
    outcomes: list[Receipt | OtelSessionsError]
    rejected: dict[str, int]


def make_batch(decoder: Decoder, records: Sequence[Record], now_ns: int) -> Batch:
    """Decode and normalize records. Errors: none are raised; a malformed record's outcome says so."""
    decoded = decoder.decode([record.value for record in records], now_ns)
    tenants = pa.array([record.tenant for record in records], pa.string())
    normalized = normalize(decoded.spans, tenants)
    rows = normalized.rows
    wide = otel_traces(decoded.spans, tenants, rows["service"].to_arrow(), rows["session_id"].to_arrow())
    return Batch(records, wide, normalized.session_spans, decoded.outcomes, decoded.rejected)
