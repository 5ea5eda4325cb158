"""The JSON of log records, and how rows become it. Times as in `models`."""

from __future__ import annotations

from pydantic import BaseModel, Field

from processor.api.models import Pagination
from processor.api.units import iso_utc
from processor.store.queries import Row


class LogRecord(BaseModel):
    """One log record; its body is cut at 65,536 characters, each attribute at 8,192."""

    timestamp: str
    observed: str
    trace_id: str = Field(description="Empty for none.")
    span_id: str
    severity: str
    severity_number: int
    service_name: str
    scope: str
    event_name: str
    body: str
    attributes: dict[str, str]
    own_session: bool = Field(description="It names the session itself; else it stands in a trace of the session.")


class LogList(BaseModel):
    """One page of a session's log records."""

    data: list[LogRecord]
    pagination: Pagination


def log_of(row: Row) -> LogRecord:
    """A row of `session_logs` as JSON model."""
    return LogRecord(
        timestamp=iso_utc(row["time_ns"]),
        observed=iso_utc(row["observed_ns"]),
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        severity=row["severity_text"],
        severity_number=row["severity_number"],
        service_name=row["service"],
        scope=row["scope"],
        event_name=row["event_name"],
        body=row["body"],
        attributes=row["attributes"],
        own_session=row["own_session"],
    )
