"""What people ask of traces, spans and log records. Costs are nano-dollars here."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from processor.model import SESSION_SPANS
from processor.store.log_sql import count_session_logs, session_logs
from processor.store.reading import Reader
from processor.store.span_sql import count_spans, page_of_spans, rows_of_span, rows_of_trace, whole_span
from processor.store.statement import Row
from processor.store.trace_sql import READ_MAX, count_traces, details_of_spans, page_of_traces, spans_of_traces


class TraceQueries(Reader):
    """The part of `queries.SessionQueries` that is about traces."""

    def session_traces(self, tenant: str, session_id: str, limit: int = 50, offset: int = 0) -> tuple[list[Row], int]:
        """One page of the session's traces, and how many there are; empty for a session that does not exist.

        What a row counts are the session's own spans of the trace.
        """
        page = page_of_traces(self._database, tenant, session_id, limit, offset)
        return self._page(count_traces(self._database, tenant, session_id), page, offset)

    def session_logs(self, tenant: str, session_id: str, limit: int = 100, offset: int = 0) -> tuple[list[Row], int]:
        """One page of the session's log records, the earliest first, and how many there are.

        Records that name the session, and those that name none and stand in one of its traces.
        """
        page = session_logs(self._database, tenant, session_id, limit, offset)
        return self._page(count_session_logs(self._database, tenant, session_id), page, offset)

    def narrow_spans(self, tenant: str, trace_ids: Sequence[str]) -> pl.DataFrame:
        """The narrow rows of some traces, as many as `trace_sql.spans_of_traces` says. Shape: `model.SESSION_SPANS`."""
        if not trace_ids:
            return pl.DataFrame(schema=SESSION_SPANS)
        rows = self._frame(spans_of_traces(self._database, tenant, trace_ids), SESSION_SPANS)
        # The bound may have cut the last trace in two.
        return rows if len(rows) < READ_MAX else rows.filter(pl.col("trace_id") != rows["trace_id"][-1])

    def span_details(
        self, tenant: str, spans: Sequence[Row], *, with_attributes: bool = True
    ) -> dict[tuple[str, str], Row]:
        """What only the wide table knows of narrow `spans`: `span_kind`, `status_message`, `attributes` (or none).

        By trace and span id; spans that the wide table does not have (any more) are left out.
        """
        if not spans:
            return {}
        statement = details_of_spans(self._database, tenant, spans, with_attributes=with_attributes)
        return {(row["trace_id"], row["span_id"]): row for row in self._rows(statement)}

    def trace_rows(self, tenant: str, trace_id: str) -> pl.DataFrame:
        """The earliest narrow rows of one trace, at most `span_sql.TRACE_READ_MAX`. Shape: `model.SESSION_SPANS`."""
        return self._frame(rows_of_trace(self._database, tenant, trace_id), SESSION_SPANS)

    def page_of_trace(self, tenant: str, trace_id: str, limit: int, offset: int) -> tuple[pl.DataFrame, int]:
        """One page of a trace's spans, a narrow row each, and how many there are, for traces that `trace_rows` cuts."""
        total = int(self._rows(count_spans(self._database, tenant, trace_id))[0]["total"])
        return self._frame(page_of_spans(self._database, tenant, trace_id, limit, offset), SESSION_SPANS), total

    def span_rows(self, tenant: str, trace_id: str, span_id: str) -> pl.DataFrame:
        """The narrow rows of one span. Shape: `model.SESSION_SPANS`."""
        return self._frame(rows_of_span(self._database, tenant, trace_id, span_id), SESSION_SPANS)

    def whole_span(self, tenant: str, span: Row) -> Row | None:
        """All that the wide table knows of a narrow span; None where it does not have it (any more)."""
        return self._one(whole_span(self._database, tenant, span))
