"""Rows of two tenants in every table that knows tenants: each text of a tenant begins with a word of its own."""

from __future__ import annotations

from typing import Any, Final

OWN, OTHER = "tenant-a", "tenant-b"
WORDS: Final = {OWN: "own", OTHER: "secret"}
ROWS: Final = 60
_START: Final = "2025-11-24 16:00:00"


def fill(client: Any, database: str, tenant: str) -> None:
    """Insert `ROWS` rows of a tenant into each table of the database that has a column `tenant` or `Tenant`."""
    query = (
        "SELECT table, groupArray((name, type)) FROM system.columns "
        f"WHERE database = '{database}' AND default_kind IN ('', 'DEFAULT') AND (database, table) IN ("
        f"SELECT database, name FROM system.tables WHERE database = '{database}' AND engine LIKE '%MergeTree') "
        "GROUP BY table HAVING has(groupArray(lower(name)), 'tenant') ORDER BY table"
    )
    for table, columns in client.query(query).result_rows:
        names = ", ".join(f"`{name}`" for name, _ in columns)
        values = ", ".join(_value(name, kind, tenant) for name, kind in columns)
        if table == "deleted_sessions":  # of other sessions than there are
            values = values.replace("-', toString", "-gone-', toString")
        client.command(f"INSERT INTO {database}.{table} ({names}) SELECT {values} FROM numbers({ROWS})")


def _value(name: str, kind: str, tenant: str) -> str:
    word = WORDS[tenant]
    if name.lower() == "tenant":
        return f"'{tenant}'"
    if name == "metadata":
        return f'\'{{"{word}-key": "{word}-value"}}\''
    if name in ("row_count", "version", "span_count"):
        return "1"
    return _of_kind(kind, word)


def _of_kind(kind: str, word: str) -> str:
    if kind.startswith("Array("):
        return f"[{_of_kind(kind[6:-1], word)}]"
    if kind.startswith("Map("):
        return f"map('{word}-key', concat('{word}-value-', toString(number)))"
    if kind.startswith("LowCardinality("):
        return f"concat('{word}-', toString(number % 3))"
    if "String" in kind:
        return f"concat('{word}-', toString(number))"
    if kind.startswith("DateTime"):
        return f"CAST(toDateTime('{_START}', 'UTC') + number AS {kind})"
    return f"CAST({7 if word == 'secret' else 3} * (number + 1) AS {kind})" if kind != "Bool" else "true"
