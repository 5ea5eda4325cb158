"""One poll of a log, decoded and normalized: what is written, and what each request is told.

Making a batch is pure. `write_batch` puts its rows where the store reads them: Arrow IPC streams, one file a table, so
that whoever decodes (another process, usually) and whoever stores share nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from processor.conventions.log_calls import log_calls
from processor.conventions.metric_markers import metric_markers
from processor.conventions.metric_points import session_metrics
from processor.conventions.metric_rules import RULES as METRIC_RULES
from processor.conventions.normalize import Normalizer
from processor.conventions.previews import PreviewConfig
from processor.conventions.records import subjects
from processor.conventions.rules import Conventions, ConventionsConfig
from processor.decode.attribute_limits import NO_LIMITS, AttributeLimits
from processor.decode.logs import LogDecoder
from processor.decode.metrics import MetricsDecoder
from processor.decode.otlp import Decoder
from processor.decode.verdicts import Admission
from processor.decode.wide import otel_traces
from processor.decode.wide_logs import otel_logs
from processor.errors import OtelSessionsError
from processor.log.base import Record
from processor.model import SESSION_SPANS, Receipt
from processor.signals import Signal

WIDE_TABLES: Final = {Signal.TRACES: "otel_traces", Signal.LOGS: "otel_logs", Signal.METRICS: "session_metrics"}
"""The table of a signal's own rows. Rows that take part in rollups go to `session_spans`, whatever their signal."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Shape: `wide` are the rows of the signal's own table, `narrow` those of `session_spans`; one outcome a record.

    `limited` says how much the limits left out or cut short, by limit.
    """

    wide: pa.Table
    narrow: pl.DataFrame
    outcomes: list[Receipt | OtelSessionsError]
    rejected: dict[str, int]
    limited: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WrittenBatch:
    """A batch whose rows lie in two files until they are stored. Counts are rows of each table.

    `items` are the accepted spans, log records or data points.
    """

    wide: Path
    narrow: Path
    items: int
    wide_rows: int
    session_spans: int
    outcomes: list[Receipt | OtelSessionsError]
    rejected: dict[str, int]
    limited: dict[str, int]

    def read_narrow(self) -> pl.DataFrame:
        """The rows of `session_spans`. Shape: `model.SESSION_SPANS`."""
        if not self.session_spans:
            return pl.DataFrame(schema=SESSION_SPANS)
        return pl.read_ipc_stream(self.narrow, columns=SESSION_SPANS.names())

    def read_log_subjects(self) -> pl.DataFrame:
        """The sessions that log records name, and the traces of those that name none.

        Shape: `tenant, session_id, trace_id`, distinct.
        """
        return log_subjects(pl.read_ipc_stream(self.wide, columns=list(_SUBJECT)))

    def remove(self) -> None:
        """Delete the files. Safe to call twice."""
        self.wide.unlink(missing_ok=True)
        self.narrow.unlink(missing_ok=True)


_SUBJECT: Final = {"Tenant": "tenant", "SessionId": "session_id", "TraceId": "trace_id"}


def log_subjects(logs: pl.DataFrame) -> pl.DataFrame:
    """What `WrittenBatch.read_log_subjects` says, of rows of `otel_logs`."""
    rows = logs.select(pl.col(name).cast(pl.String).alias(to) for name, to in _SUBJECT.items())
    names_none = pl.col("session_id") == ""
    return rows.with_columns(trace_id=pl.when(names_none).then("trace_id").otherwise(pl.lit(""))).unique()


class BatchMaker:
    """Decodes and normalizes by one configuration. Holds what is costly to build; stateless otherwise."""

    def __init__(
        self,
        admission: Admission | None = None,
        conventions: ConventionsConfig | None = None,
        previews: PreviewConfig | None = None,
        limits: AttributeLimits = NO_LIMITS,
    ) -> None:
        admission = admission or Admission()
        rules = Conventions.load(conventions)
        self.decoder = Decoder(admission)
        self.normalizer = Normalizer(rules, previews or PreviewConfig())
        self._logs = LogDecoder(admission)
        self._metrics = MetricsDecoder(admission, METRIC_RULES)
        self._rules = rules
        self._limits = limits

    def make(self, records: Sequence[Record], now_ns: int, signal: Signal = Signal.TRACES) -> Batch:
        """Decode and normalize records of one signal.

        Errors: none are raised; a malformed record's outcome says so.
        """
        match signal:
            case Signal.TRACES:
                return self._make_spans(records, now_ns)
            case Signal.LOGS:
                return self._make_logs(records, now_ns)
            case Signal.METRICS:
                return self._make_metrics(records, now_ns)

    def _make_logs(self, records: Sequence[Record], now_ns: int) -> Batch:
        decoded = self._logs.decode([record.value for record in records], now_ns)
        tenants = pa.array([record.tenant for record in records], pa.string())
        about = subjects(decoded.logs, self._rules)
        cut: Counter[str] = Counter()
        wide = otel_logs(decoded.logs, tenants, about.service, about.session_id, self._limits, cut)
        calls = log_calls(decoded.logs, about, self.normalizer, tenants)
        return Batch(wide, calls, decoded.outcomes, decoded.rejected, dict(cut))

    def _make_metrics(self, records: Sequence[Record], now_ns: int) -> Batch:
        decoded = self._metrics.decode([record.value for record in records], now_ns)
        tenants = pa.array([record.tenant for record in records], pa.string())
        points = session_metrics(decoded.points, self._rules, tenants)
        return Batch(points, metric_markers(points), decoded.outcomes, {})

    def _make_spans(self, records: Sequence[Record], now_ns: int) -> Batch:
        decoded = self.decoder.decode([record.value for record in records], now_ns)
        tenants = pa.array([record.tenant for record in records], pa.string())
        normalized = self.normalizer.normalize(decoded.spans, tenants)
        rows = normalized.rows
        services, session_ids = rows["service"].to_arrow(), rows["session_id"].to_arrow()
        cut: Counter[str] = Counter()
        wide = otel_traces(decoded.spans, tenants, services, session_ids, self._limits, cut)
        return Batch(wide, normalized.session_spans, decoded.outcomes, decoded.rejected, dict(cut))


def write_batch(batch: Batch, directory: Path, batch_seq: int) -> WrittenBatch:
    """Write the rows of a batch to files named after its number, which the narrow rows bear.

    Errors: `OSError` when the directory can't be written; then there may be parts of files, see `remove_files`.
    """
    number = pl.lit(batch_seq, pl.UInt64).alias("batch_seq")
    wide, narrow = _files(directory, batch_seq)
    for path, rows in ((wide, batch.wide), (narrow, batch.narrow.with_columns(number).to_arrow())):
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, rows.schema) as stream:
            stream.write_table(rows)
    items = sum(outcome.accepted_spans for outcome in batch.outcomes if isinstance(outcome, Receipt))
    return WrittenBatch(
        wide, narrow, items, len(batch.wide), len(batch.narrow), batch.outcomes, batch.rejected, batch.limited
    )


def remove_files(directory: Path, batch_seq: int) -> None:
    """Delete what `write_batch` may have left of a batch that it did not get to the end of."""
    for path in _files(directory, batch_seq):
        path.unlink(missing_ok=True)


def _files(directory: Path, batch_seq: int) -> tuple[Path, Path]:
    return directory / f"{batch_seq}.wide.arrows", directory / f"{batch_seq}.session_spans.arrows"
