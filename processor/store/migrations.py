"""Brings the tables of a database up to date: numbered SQL files, applied in order, each of them idempotent.

Safe to run at every start and by several workers at once: every statement may be run again, and the note that a file
was applied is a row that is its own key. Where nothing is missing on a server, only SELECTs are run: a worker needs no
right to create tables then.
Must never go back, and never touch what a newer version of this program made.
"""

from __future__ import annotations

from typing import Any

from processor.errors import ConfigError
from processor.store.catalog import Applied, applied_files, tables_on_every_host
from processor.store.ddl import Target, create_database, record, statements, tables_of
from processor.store.tables import Migration, read_migrations

# Where the store shares two cores with the pipeline: a merge costs as much as two inserts, so each takes more parts,
# and nobody counts the distinct values of every column. A server has its own cores, and may not know these settings.
_SPAN_TABLES = ("otel_traces", "session_spans", "otel_logs")
_TABLES = (*_SPAN_TABLES, "session_traces", "trace_sessions", "session_rollups")
_UNCOUNTED = "auto_statistics_types = ''"
_MERGED_LATE = (
    f"{_UNCOUNTED}, merge_selector_base = 32, min_parts_to_merge_at_once = 20, "
    "max_parts_to_merge_at_once = 24, "  # 8 MiB each while they are merged
    # Merges yield to inserts (embedded.xml); from here on inserts wait for them, a little more with each part.
    "parts_to_delay_insert = 400, parts_to_throw_insert = 5000"
)
_EMBEDDED_SETTINGS = {**dict.fromkeys(_TABLES, _UNCOUNTED), **dict.fromkeys(_SPAN_TABLES, _MERGED_LATE)}


def migrate(client: Any, target: Target) -> list[str]:
    """Create what is missing; what was done, a line each, empty where everything was there.

    Errors: `ConfigError` for a database that a newer version has migrated, and for a file that was edited after it was
    applied; the driver's.
    """
    migrations, done = read_migrations(), []
    present = tables_on_every_host(client, target)
    if present is None:
        client.command(create_database(target))
        done.append(f"created database {target.database}")
        present = frozenset()
    notes = migrations[0]
    if not tables_of(notes, target) <= present:
        for statement in statements(notes, target):
            client.command(statement)
    applied = applied_files(client, target)
    if wrong := [*newer_files(applied, migrations), *edited_files(applied, migrations)]:
        raise ConfigError(f"exporters.clickhouse.database: {target.database}: {'; '.join(wrong)}")
    noted = {file.version for file in applied}
    again: set[str] = set()
    for migration in migrations:
        # A table that is created anew lacks what later files added to it.
        if migration.version in noted and tables_of(migration, target) <= present and migration.table not in again:
            continue
        for statement in [*statements(migration, target), record(migration, target)]:
            client.command(statement)
        again.add(migration.table)
        done.append(f"applied {migration.name}")
    for statement in _embedded_settings(target):
        client.command(statement)
    return done


def script(target: Target) -> str:
    """All that `migrate` may run, for `clickhouse-client`. Running it twice is running it once."""
    parts = [create_database(target)]
    for migration in read_migrations():
        parts += [*statements(migration, target), record(migration, target)]
    parts += _embedded_settings(target)
    return "".join(f"{part};\n\n" for part in parts).rstrip("\n") + "\n"


def newer_files(applied: frozenset[Applied], migrations: list[Migration]) -> list[str]:
    """A sentence for every applied file that this version does not know."""
    known = {migration.version for migration in migrations}
    return [
        f"{file.name} was applied by a newer version of otel-sessions; upgrade this one"
        for file in sorted(applied)
        if file.version not in known
    ]


def edited_files(applied: frozenset[Applied], migrations: list[Migration]) -> list[str]:
    """A sentence for every file that says something else than when it was applied."""
    ours = {migration.version: migration for migration in migrations}
    return [
        f"{file.name} has changed since it was applied (checksum {file.checksum}, now {ours[file.version].checksum}); "
        "restore the file and put the change into a new one, or delete the row from schema_migrations once the table "
        "is what the file says"
        for file in sorted(applied)
        if file.version in ours and file.checksum != ours[file.version].checksum
    ]


def _embedded_settings(target: Target) -> list[str]:
    """What an embedded store's tables are told beyond the files; nothing for a server's."""
    if not target.embedded:
        return []
    return [
        f"ALTER TABLE {target.database}.{table} MODIFY SETTING {settings}"
        for table, settings in _EMBEDDED_SETTINGS.items()
    ]
