"""What a database says about itself, on every server of a cluster or on the one there is.

Must never write. A server that does not answer is left out: a worker must be able to start while a replica is away.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from processor.store.ddl import Target
from processor.store.tables import Column

_AWAY: Final = " SETTINGS skip_unavailable_shards = 1"


class Applied(NamedTuple):
    """A row of `schema_migrations`."""

    version: int
    name: str
    checksum: str


@dataclass(slots=True)
class Stored:
    """A table as the server shows it."""

    engine: str  # with its arguments
    partition_key: str
    primary_key: str
    sorting_key: str
    select: str  # of a view
    columns: dict[str, Column] = field(default_factory=dict)


def hosts(client: Any, target: Target) -> list[str]:
    """The servers that answer; one, of any name, where there is no cluster."""
    return sorted(row[0] for row in _rows(client, f"SELECT DISTINCT hostName() FROM {_system(target, 'one')}", target))


def tables_on_every_host(client: Any, target: Target) -> frozenset[str] | None:
    """Names of the tables and views that no server lacks; None where one lacks the database."""
    everywhere = hosts(client, target)
    query = f"SELECT DISTINCT hostName() FROM {_system(target, 'databases')} WHERE name = '{target.database}'"
    if {row[0] for row in _rows(client, query, target)} != set(everywhere):
        return None
    found = defaultdict(set)
    query = f"SELECT hostName(), name FROM {_system(target, 'tables')} WHERE database = '{target.database}'"
    for host, name in _rows(client, query, target):
        found[name].add(host)
    return frozenset(name for name, on in found.items() if on == set(everywhere))


def applied_files(client: Any, target: Target) -> frozenset[Applied]:
    """The rows of `schema_migrations`, which must be there."""
    query = f"SELECT DISTINCT version, name, checksum FROM {target.database}.schema_migrations"
    return frozenset(Applied(*row) for row in client.query(query).result_rows)


def stored_tables(client: Any, target: Target) -> dict[str, dict[str, Stored]]:
    """Every table of the database with its columns, by host and name; hosts without the database are left out."""
    where = f"database = '{target.database}'"
    found: dict[str, dict[str, Stored]] = defaultdict(dict)
    query = (
        "SELECT hostName(), name, if(engine_full = '', engine, engine_full), partition_key, primary_key, sorting_key, "
        f"as_select FROM {_system(target, 'tables')} WHERE {where}"
    )
    for host, name, *facts in _rows(client, query, target):
        found[host][name] = Stored(*facts)
    query = f"SELECT hostName(), table, name, type, default_kind FROM {_system(target, 'columns')} WHERE {where}"
    for host, table, *facts in _rows(client, query, target):
        if table in found[host]:  # else created since the first query
            found[host][table].columns[facts[0]] = Column(*facts)
    return dict(found)


def as_the_server_writes_it(client: Any, select: str) -> str:
    """A SELECT in the server's own formatting, to compare it with that of a view."""
    result = client.query("SELECT formatQuerySingleLine({text:String})", parameters={"text": select})
    return str(result.result_rows[0][0])


def _system(target: Target, table: str) -> str:
    name = f"system.{table}"
    return f"clusterAllReplicas('{target.cluster}', {name})" if target.cluster else name


def _rows(client: Any, query: str, target: Target) -> list[tuple[Any, ...]]:
    return list(client.query(query + (_AWAY if target.cluster else "")).result_rows)
