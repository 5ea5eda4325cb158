"""Brings the tables of a database up to date: numbered SQL files, applied in order, each of them idempotent."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

from processor.errors import ConfigError

# Where the store shares two cores with the pipeline: a merge costs as much as two inserts, so each takes more parts,
# and nobody counts the distinct values of every column. A server has its own cores, and may not know these settings.
_SPAN_TABLES = ("otel_traces", "session_spans")
_TABLES = (*_SPAN_TABLES, "session_traces", "trace_sessions", "session_rollups")
_UNCOUNTED = "auto_statistics_types = ''"
_MERGED_LATE = (
    f"{_UNCOUNTED}, merge_selector_base = 32, min_parts_to_merge_at_once = 24, "
    # Merges yield to inserts (embedded.xml); from here on inserts wait for them, a little more with each part.
    "parts_to_delay_insert = 400, parts_to_throw_insert = 5000"
)
_EMBEDDED_SETTINGS = {**dict.fromkeys(_TABLES, _UNCOUNTED), **dict.fromkeys(_SPAN_TABLES, _MERGED_LATE)}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def statements(database: str) -> list[tuple[str, str]]:
    """(file name, SQL) of every migration for a database, in order.

    Errors: `ConfigError` for a database name that is no plain identifier.
    """
    if not _IDENTIFIER.fullmatch(database):
        raise ConfigError(f"exporters.clickhouse.database: {database!r} must be letters, digits and underscores")
    files = sorted((f for f in resources.files("processor.store").joinpath("sql").iterdir()), key=lambda f: f.name)
    return [(f.name, f.read_text().replace("{database}", database)) for f in files if f.name.endswith(".sql")]


def migrate(client: Any, database: str, embedded: bool = False) -> None:
    """Create what is missing. Safe to run at every start and by several workers at once."""
    sql = statements(database)
    client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
    for _, statement in sql:
        client.command(statement)
    if embedded:
        for table, settings in _EMBEDDED_SETTINGS.items():
            client.command(f"ALTER TABLE {database}.{table} MODIFY SETTING {settings}")
