"""How long tables keep their rows: a TTL each, by the times that rows bear, as the configuration says.

A TTL that somebody has set by hand stays where the configuration says nothing (0 days), and is replaced where it does.
Must never decide what a row says: a roll-up made of fewer spans than an earlier one loses, whoever removed the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from processor.errors import ConfigError
from processor.store.catalog import stored_tables
from processor.store.ddl import Target

_SECONDS: Final = "toDateTime(intDiv({}, 1000000000))"
_ENDS: Final = (_SECONDS.format("end_ns"), " WHERE end_ns > 0")  # a row without a time of its own says what has moved
_EXPIRES: Final[dict[str, tuple[str, str, str]]] = {
    "otel_traces": ("traces_days", "toDateTime(Timestamp)", ""),
    "session_spans": ("spans_days", _SECONDS.format("start_ns"), ""),
    "deleted_spans": ("spans_days", _SECONDS.format("start_ns"), " WHERE start_ns > 0"),
    "otel_logs": ("logs_days", "TimestampTime", ""),
    "session_metrics": ("metrics_days", _SECONDS.format("time_ns"), ""),
    "session_traces": ("rollups_days", *_ENDS),
    "session_rollups": ("rollups_days", *_ENDS),
    "trace_sessions": ("rollups_days", *_ENDS),
    "shared_traces": ("rollups_days", "written_at", ""),
}
"""By table: the option, the time that counts, and which rows it counts for."""

_TTL: Final = re.compile(r" TTL (?P<ttl>.+?)(?: SETTINGS .*)?$")
_DAYS_MAX: Final = 36_500


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """Days after which rows are removed; 0 keeps them for ever."""

    traces_days: int = field(
        default=0,
        metadata={
            "help": "Spans as people see them (otel_traces), after their start. No longer than spans_days.",
            "min": 0,
            "max": _DAYS_MAX,
        },
    )
    spans_days: int = field(
        default=0,
        metadata={
            "help": "Spans as roll-ups are made of them (session_spans), after their start. May be fewer than "
            "rollups_days: what was rolled up stays as it was.",
            "min": 0,
            "max": _DAYS_MAX,
        },
    )
    logs_days: int = field(default=0, metadata={"help": "Log records, after their time.", "min": 0, "max": _DAYS_MAX})
    metrics_days: int = field(
        default=0, metadata={"help": "Data points of counters, after their time.", "min": 0, "max": _DAYS_MAX}
    )
    rollups_days: int = field(
        default=0,
        metadata={
            "help": "Sessions, and their traces, each after its end; more than a session may last.",
            "min": 0,
            "max": _DAYS_MAX,
        },
    )

    def __post_init__(self) -> None:
        if self.spans_days and not 0 < self.traces_days <= self.spans_days:
            raise ConfigError(
                f"spans_days: {self.spans_days} is less than traces_days ({self.traces_days or 'for ever'}); a "
                "deletion finds spans in otel_traces by those in session_spans, so these must not go first"
            )


def retention_differences(client: Any, target: Target, config: RetentionConfig) -> Iterator[str]:
    """A sentence for each table that keeps its rows longer, or less long, than it should."""
    for host, table, is_ttl, ttl in _different(client, target, config):
        on = f"on {host}: " if target.cluster else ""
        yield f"{on}table {table} has the TTL ({is_ttl}), expected ({ttl})"


def set_retention(client: Any, target: Target, config: RetentionConfig) -> list[str]:
    """Change the TTLs that differ; a line each. Rows that are over go in the background.

    Errors: the driver's.
    """
    done = []
    for table, ttl in sorted({(table, ttl) for _, table, _, ttl in _different(client, target, config)}):
        change = f"MODIFY TTL {ttl}" if ttl else "REMOVE TTL"
        client.command(f"ALTER TABLE {target.database}.{table}{target.on_cluster} {change}")
        done.append(f"set the TTL of {table} to {ttl or 'none'}")
    return done


def _different(client: Any, target: Target, config: RetentionConfig) -> Iterator[tuple[str, str, str, str]]:
    """Host, table, and the TTL that it has and that it should have."""
    stored = stored_tables(client, target)
    for host in sorted(stored):
        for name, (option, time, where) in _EXPIRES.items():
            table = f"{name}_local" if target.cluster else name
            if table not in stored[host]:
                continue
            matched = _TTL.search(stored[host][table].engine)
            is_ttl, days = matched["ttl"] if matched else "", getattr(config, option)
            ttl = f"{time} + toIntervalDay({days}){where}" if days else ""
            is_ours = re.fullmatch(re.escape(time) + r" \+ toIntervalDay\(\d+\)" + re.escape(where), is_ttl)
            if is_ttl != ttl and (days or is_ours):
                yield host, table, is_ttl, ttl
