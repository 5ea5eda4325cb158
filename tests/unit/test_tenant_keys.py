"""Tenants are kept apart by the keys of the tables: what bears rows of tenants begins with the tenant."""

from __future__ import annotations

import re

import pytest

from processor.store.tables import Table, View, described, read_migrations

SHARED = {
    "schema_migrations": "which files this database has had",
    "rollup_checkpoints": "how far a process has rolled up, of all tenants together",
    "revisions": "rewrites of roll-ups of all tenants",
    "settings": "what the operator has configured",
}
"""Tables without a tenant, and what they hold: none of it comes from a span."""

TABLES = described(read_migrations())


def columns(key: str) -> list[str]:
    """The parts of a key."""
    return [part.strip().strip("()") for part in key.split(",")]


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if isinstance(table, Table)])
def test_every_key_begins_with_the_tenant(name: str) -> None:
    """Sorting key and primary key: the same ids of two tenants are two rows, and neither reads over the other's."""
    table = TABLES[name]
    assert isinstance(table, Table)
    bearing = [column.name for column in table.columns if column.name.lower() == "tenant"]
    if name in SHARED:
        assert bearing == [], f"{SHARED[name]}; with a tenant it needs a key that begins with it"
        return
    assert len(bearing) == 1
    assert columns(table.sorting_key)[0] == columns(table.primary_key)[0] == bearing[0]
    assert "tenant" not in table.partition_key.lower(), "one partition a tenant would be too many"


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if isinstance(table, View)])
def test_every_view_says_whose_its_rows_are_and_mixes_none(name: str) -> None:
    """The tenant is among its columns, and in every grouping and window."""
    view = TABLES[name]
    assert isinstance(view, View)
    selected = view.select.lower()
    assert re.match(r"(with .*?\) )?select\b.*?\btenant\b.*?\bfrom\b", selected, re.DOTALL)
    groupings = re.findall(r"group by ([\w, ]+)", selected)
    windows = re.findall(r"partition by ([\w, ]+)", selected)
    assert all("tenant" in [part.strip() for part in grouping.split(",")] for grouping in groupings + windows)


def test_the_only_tables_without_a_tenant_are_those_that_are_listed() -> None:
    """A table that is added must be one or the other."""
    without = {
        name
        for name, table in TABLES.items()
        if isinstance(table, Table) and not any(column.name.lower() == "tenant" for column in table.columns)
    }
    assert without == SHARED.keys()


def test_projections_begin_with_the_tenant_too() -> None:
    """They are sorted copies of the same rows."""
    projections = [
        order
        for migration in read_migrations()
        for order in re.findall(r"PROJECTION \w+ \(SELECT [^()]*? ORDER BY (\w+)", migration.words)
    ]
    assert len(projections) >= 2
    assert set(projections) == {"tenant"}
