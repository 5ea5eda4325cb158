"""The files as the SQL of one database: on a server, in this process, or on a cluster.

Must never talk to a database: what `schema print` shows is what `migrate` runs, to the letter.
Source of a cluster's tables and of the keys by which they are sharded: ADR 0011.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from processor.errors import ConfigError
from processor.store.tables import Migration

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLUSTER: Final = re.compile(r"[A-Za-z0-9_.-]+|\{[A-Za-z0-9_]+\}")
_ENGINE: Final = re.compile(r"^ENGINE = (ReplacingMergeTree)(?:\((\w+)\))?$", re.MULTILINE)

_BY_TRACE: Final = "cityHash64(tenant, trace_id)"
_BY_SESSION: Final = "cityHash64(tenant, session_id)"
SHARDED_BY: Final = {
    "schema_migrations": "cityHash64(version)",
    "otel_traces": "cityHash64(Tenant, TraceId)",
    # Most log records have no trace: by their time they spread, and a redelivered one meets itself all the same.
    "otel_logs": "cityHash64(Tenant, TraceId, Timestamp)",
    "session_spans": _BY_TRACE,
    "trace_sessions": _BY_TRACE,
    "shared_traces": _BY_TRACE,
    "session_traces": _BY_SESSION,
    "session_metrics": _BY_SESSION,
    "session_rollups": _BY_SESSION,
    "rollup_checkpoints": "cityHash64(worker)",
    "revisions": "cityHash64(revision)",
    "settings": "cityHash64(name)",
    "deleted_sessions": _BY_SESSION,
    "deleted_spans": _BY_TRACE,
    "purge_due": _BY_SESSION,
    "rebuilds": "cityHash64(tenant, since_ns, until_ns)",
    "budget_alerts": _BY_SESSION,
    "budget_claims": "cityHash64(tenant, id)",
}
"""By table. A part of the table's sorting key, so that all versions of a row are on one shard: else `FINAL` and merges
would keep one a shard."""

REPLICATED: Final = "Replicated"
_PATH: Final = "'/clickhouse/tables/{shard}/{database}/{table}'"
_REPLICA: Final = "'{replica}'"


@dataclass(frozen=True, slots=True)
class Target:
    """Whose tables: a database, on a cluster of servers or (empty) on one, in this process (`embedded`) or not.

    Errors: `ConfigError` for a name that can't stand in SQL as it is, and for a cluster in this process.
    """

    database: str
    cluster: str = ""
    embedded: bool = False

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.database):
            raise ConfigError(f"database: {self.database!r} must be letters, digits and underscores, no digit first")
        if self.cluster and not _CLUSTER.fullmatch(self.cluster):
            raise ConfigError(
                f"cluster: {self.cluster!r} must be letters, digits, '_', '.' and '-', or one "
                "macro of the server in braces"
            )
        if self.cluster and self.embedded:
            raise ConfigError("cluster: the embedded store has none; name a server in dsn, or leave it empty")

    @property
    def on_cluster(self) -> str:
        """What every DDL statement says after the name of its object, a space in front."""
        return f" ON CLUSTER '{self.cluster}'" if self.cluster else ""


def create_database(target: Target) -> str:
    """The statement that creates the database."""
    return f"CREATE DATABASE IF NOT EXISTS {target.database}{target.on_cluster}"


def statements(migration: Migration, target: Target) -> list[str]:
    """What a file says, for a target: one statement, or one for each of the two tables of a cluster."""
    sql, table = migration.sql, migration.table
    name = f"{{database}}.{table}"
    if not target.cluster:
        found = [sql]
    elif migration.is_view:
        found = [sql.replace(name, f"{name}{target.on_cluster}", 1)]
    elif migration.creates:
        found = [_replicated(sql.replace(name, f"{name}_local{target.on_cluster}", 1)), _distributed(table, target)]
    else:
        # The rows' own table first: what the other passes on must be there to take it.
        found = [sql.replace(name, f"{of_both}{target.on_cluster}", 1) for of_both in (f"{name}_local", name)]
    # By the file's own spelling, the braces of the server's macros stay.
    return [statement.replace("{database}.", f"{target.database}.") for statement in found]


def tables_of(migration: Migration, target: Target) -> frozenset[str]:
    """The names of what a file creates or alters; on a cluster two for a table."""
    both = target.cluster and not migration.is_view
    return frozenset({migration.table, f"{migration.table}_local"} if both else {migration.table})


def record(migration: Migration, target: Target) -> str:
    """The statement that notes a file as applied. Repeating it changes nothing."""
    # Through a Distributed table: the row is there when the statement is over, not some time later.
    settings = " SETTINGS distributed_foreground_insert = 1" if target.cluster else ""
    return (
        f"INSERT INTO {target.database}.schema_migrations (version, name, checksum){settings} "
        f"VALUES ({migration.version}, '{migration.name}', '{migration.checksum}')"
    )


def distributed_engine(table: str, target: Target) -> str:
    """The engine of a cluster's table that people and workers name."""
    return f"Distributed('{target.cluster}', '{target.database}', '{table}_local', {SHARDED_BY[table]})"


def _replicated(sql: str) -> str:
    def engine(plain: re.Match[str]) -> str:
        arguments = [_PATH, _REPLICA, *([plain[2]] if plain[2] else [])]
        return f"ENGINE = {REPLICATED}{plain[1]}({', '.join(arguments)})"

    replicated, count = _ENGINE.subn(engine, sql)
    assert count == 1, "a table has one engine, on a line of its own"
    return replicated


def _distributed(table: str, target: Target) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {{database}}.{table}{target.on_cluster} AS {{database}}.{table}_local\n"
        f"ENGINE = {distributed_engine(table, target)}"
    )
