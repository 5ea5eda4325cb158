"""What the readers of one tenant see: a condition on every table, and settings under which nothing gets ahead of it.

The engine adds `additional_table_filters` to every read of a table, inside views, subqueries and joins as well. By
itself that is no wall: a condition of the query may be computed on a row before the row is left out, in PREWHERE or in
one step with it, and an error, `throwIf(...)` or "Cannot parse 'their text'", then tells of rows of others. So
`SETTINGS` keeps the conditions apart, in their order, and `tenant_guard` refuses what the settings don't reach.
A table that can't be told apart by tenant has no rows for them. Must never leave a table of the store without a filter.
Source: ClickHouse `src/Planner/PlannerJoinTree.cpp` (`buildAdditionalFiltersIfNeeded`, `add_filter`); ADR 0017.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from processor.clickhouse_http.settings import escaped

INFORMATION_SCHEMA: Final = "information_schema"
SYSTEM: Final = "system"
_SYSTEM_TABLES_TEXT: Final = """
    aggregate_function_combinators collations columns data_type_families databases documentation formats functions
    keywords licenses numbers numbers_mt one primes settings statements table_engines table_functions tables time_zones
    tokenizers unicode zeros zeros_mt
"""
SYSTEM_TABLES: Final = frozenset(_SYSTEM_TABLES_TEXT.split())
"""What tools look up and what tells of nobody; of tables and columns only what `tenant_guard` lets be named."""

SETTINGS: Final = {
    "enable_analyzer": "1",
    # Conditions stay as they are written: the tenant's first, by itself.
    "optimize_move_to_prewhere": "0",
    "optimize_move_to_prewhere_if_final": "0",
    "query_plan_optimize_prewhere": "0",
    "query_plan_merge_filters": "0",
    # Projections are read with all conditions at once; counts without reading know no tenants.
    "optimize_use_projections": "0",
    "optimize_use_implicit_projections": "0",
    "optimize_trivial_count_query": "0",
    # Remembers by the query's own condition where no row met it, which is so for one tenant only.
    "use_query_condition_cache": "0",
    "use_query_cache": "0",
    # Dictionaries of columns hold the values of rows that were left out.
    "output_format_arrow_low_cardinality_as_dictionary": "0",
    "low_cardinality_allow_in_native_format": "0",
    # Says how many rows were read, of whomever.
    "output_format_write_statistics": "0",
}
"""What holds for every query of a tenant, and can't be set by it."""

_READING_TEXT: Final = """
    max_rows_to_read max_bytes_to_read max_rows_to_read_leaf max_bytes_to_read_leaf read_overflow_mode
    min_execution_speed force_primary_key force_index_by_date
"""
CLOSED: Final = frozenset(SETTINGS) | frozenset(_READING_TEXT.split())
"""Settings that a tenant may not change: those above, and limits that tell how much lies beside its rows."""

_NOTHING: Final = "0"
_NO_FILTER: Final = frozenset({"view"})  # what they read is filtered
_TENANT: Final = ("tenant", "Tenant")
_THREADS_SETTING: Final = "name = 'thread_idle_after_s'"  # the view `threads` reads it
_TELLING: Final = ("tables", "columns")

TABLES_QUERY: Final = """
SELECT database, table, engine, columns
FROM (SELECT database, name AS table, lower(engine) AS engine FROM system.tables) AS tables
LEFT JOIN (
    SELECT database, table, groupArray(name) AS columns FROM system.columns
    WHERE name IN ('tenant', 'Tenant') AND type IN ('String', 'LowCardinality(String)') GROUP BY database, table
) AS tenants USING (database, table)
"""


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table of the engine: its engine in small letters, and which of `tenant` and `Tenant` it has."""

    database: str
    table: str
    engine: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tenancy:
    """How the tables of an engine are told apart by tenant. `database` is that of the store.

    `filtered` are the tables that have a filter, `other_databases` those that are closed to tenants.
    """

    database: str
    tables: tuple[StoredTable, ...]
    filtered: frozenset[str] = frozenset()
    other_databases: frozenset[str] = frozenset()

    @classmethod
    def of(cls, database: str, tables: Iterable[StoredTable]) -> Tenancy:
        """All tables that the engine has, those of `system` among them."""
        all_tables = tuple(tables)
        ours = {database, SYSTEM, INFORMATION_SCHEMA, INFORMATION_SCHEMA.upper()}
        others = frozenset(table.database for table in all_tables) - ours
        return cls(database, all_tables, frozenset(cls(database, all_tables).filters("")), others)

    def filters(self, tenant: str) -> dict[str, str]:
        """A condition by `database.table`, for every table that has rows of its own or tells of some."""
        ours = f"unhex('{tenant.encode().hex()}')"  # nothing in it needs quoting, whatever a tenant is called
        filters = {}
        for table in self.tables:
            condition = self._condition(table, ours)
            if condition:
                filters[f"{table.database}.{table.table}"] = condition
        return filters

    def statement(self, tenant: str) -> str:
        """The SET that confines a handle, for good once `readonly` is set."""
        pairs = ", ".join(f"'{escaped(name)}': '{escaped(text)}'" for name, text in self.filters(tenant).items())
        settings = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
        return f"SET {settings}, additional_table_filters = {{{pairs}}}"

    def _condition(self, table: StoredTable, tenant: str) -> str:
        if table.database == SYSTEM:
            return self._system_condition(table.table)
        if table.engine in _NO_FILTER:
            return ""
        if table.database != self.database:
            return _NOTHING
        column = next((name for name in _TENANT if name in table.columns), "")
        if column:
            return f"{column} = {tenant}"
        return _THREADS_SETTING if table.table == "settings" else _NOTHING

    def _system_condition(self, table: str) -> str:
        open_databases = f"('{escaped(self.database)}', '{SYSTEM}', '{INFORMATION_SCHEMA}')"
        if table in _TELLING:
            return f"lower(database) IN {open_databases} OR database = '{escaped(self.database)}'"
        if table == "databases":
            return f"lower(name) IN {open_databases} OR name = '{escaped(self.database)}'"
        return "" if table in SYSTEM_TABLES else _NOTHING
