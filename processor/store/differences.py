"""Compares a database with what the files say, and says what is different.

Must never change anything. Not compared, because they are the owner's to choose: columns and tables beyond ours, TTLs,
settings, codecs and indexes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from processor.store.catalog import Applied, Stored, applied_files, as_the_server_writes_it, hosts, stored_tables
from processor.store.ddl import REPLICATED, Target, distributed_engine, tables_of
from processor.store.migrations import edited_files, newer_files
from processor.store.tables import Migration, Table, View, described, read_migrations

_ENGINE: Final = re.compile(
    r"(?P<family>\w+)(?:\((?P<arguments>.*?)\))?(?= (?:PARTITION|PRIMARY|ORDER|TTL|SETTINGS)|$)"
)
_SHARED: Final = "Shared"  # ClickHouse Cloud turns every MergeTree into one of these


def differences(client: Any, target: Target) -> list[str]:
    """A sentence for each difference, in the order of the files; empty where the database is what they say.

    Errors: the driver's.
    """
    migrations = read_migrations()
    expected = described(migrations)
    stored = stored_tables(client, target)
    everywhere = hosts(client, target)
    found = []
    for host in everywhere:
        on = f"on {host}: " if target.cluster else ""
        if host not in stored:
            found.append(f"{on}database {target.database} is missing or empty")
            continue
        for table in expected.values():
            found += [f"{on}{sentence}" for sentence in _of_table(client, target, table, stored[host])]
    # Through a Distributed table every server is asked for its own.
    notes = tables_of(migrations[0], target)
    if all(notes <= stored.get(host, {}).keys() for host in everywhere):
        found += _of_files(applied_files(client, target), migrations)
    return found


def _of_files(applied: frozenset[Applied], migrations: list[Migration]) -> Iterator[str]:
    noted = {file.version for file in applied}
    for migration in migrations:
        if migration.version not in noted:
            yield f"{migration.name} is not noted as applied in schema_migrations"
    yield from edited_files(applied, migrations)
    yield from newer_files(applied, migrations)


def _of_table(client: Any, target: Target, table: Table | View, stored: dict[str, Stored]) -> Iterator[str]:
    if isinstance(table, View):
        yield from _of_view(client, target, table, stored)
        return
    name = f"{table.name}_local" if target.cluster else table.name
    if name in stored:
        yield from _of_engine(target, table, name, stored[name])
        yield from _of_columns(table, name, stored[name])
    else:
        yield f"table {name} is missing"
    if not target.cluster:
        return
    if table.name in stored:
        engine, wanted = stored[table.name].engine, distributed_engine(table.name, target)
        if engine != wanted:
            yield f"table {table.name} has the engine {engine}, expected {wanted}"
        yield from _of_columns(table, table.name, stored[table.name])
    else:
        yield f"table {table.name} is missing"


def _of_view(client: Any, target: Target, view: View, stored: dict[str, Stored]) -> Iterator[str]:
    if view.name not in stored:
        yield f"view {view.name} is missing"
        return
    select = view.select.replace("{database}", target.database)
    if stored[view.name].select != as_the_server_writes_it(client, select):
        yield f"view {view.name} selects something else"


def _of_engine(target: Target, table: Table, name: str, stored: Stored) -> Iterator[str]:
    replicated = REPLICATED if target.cluster else ""
    matched = _ENGINE.match(stored.engine)
    family, arguments = (matched["family"], matched["arguments"] or "") if matched else (stored.engine, "")
    if family.startswith(_SHARED):
        family = replicated + family.removeprefix(_SHARED)
    # Paths and replica names are the cluster's affair.
    version = ", ".join(argument for argument in arguments.split(", ") if not argument.startswith("'"))
    found, wanted = _shown(family, version), _shown(replicated + table.engine, table.version)
    if found != wanted:
        yield f"table {name} has the engine {found}, expected {wanted}"
    for what, is_key, wanted_key in (
        ("partition key", stored.partition_key, table.partition_key),
        ("primary key", stored.primary_key, table.primary_key),
        ("sorting key", stored.sorting_key, table.sorting_key),
    ):
        if is_key != wanted_key:
            yield f"table {name} has the {what} ({is_key}), expected ({wanted_key})"


def _of_columns(table: Table, name: str, stored: Stored) -> Iterator[str]:
    for column in table.columns:
        there = stored.columns.get(column.name)
        if there is None:
            yield f"column {name}.{column.name} is missing, expected {column.definition}"
        elif there != column:
            yield f"column {name}.{column.name} is {there.definition}, expected {column.definition}"


def _shown(family: str, version: str) -> str:
    return f"{family}({version})" if version else family
