"""Brings the tables of a database up to date: numbered SQL files, applied in order, each of them idempotent."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

from processor.errors import ConfigError

# Where the store shares two cores with the pipeline: a merge costs as much as two inserts, so each takes more parts.
# A server has cores of its own, and may be too old to know these settings.
_MERGED_LESS_OFTEN = ("otel_traces", "session_spans")
_MERGE_LESS_OFTEN = (
    "ALTER TABLE {database}.{table} MODIFY SETTING merge_selector_base = 32, min_parts_to_merge_at_once = 24"
)
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
        for table in _MERGED_LESS_OFTEN:
            client.command(_MERGE_LESS_OFTEN.format(database=database, table=table))
