"""Users of a ClickHouse server who see one tenant's rows: a role, a profile, and policies on every table.

For a server, where people ask with users of their own; the embedded store confines its readers itself
(`clickhouse_http/tenancy.py`). Nobody is given a password here: a user can't log in before somebody has said how.
Must never leave out a table that has rows of tenants. Text only, nothing is connected to.
Source: ClickHouse documentation, "Access Control and Account Management", `CREATE ROW POLICY`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from processor.errors import ConfigError
from processor.store.ddl import Target
from processor.store.literals import quoted
from processor.store.tables import Table, described, read_migrations

ROLE: Final = "otel_sessions_tenant"
"""The role and the settings profile of all tenants' users, and the beginning of the names of their policies."""

_TENANT: Final = ("tenant", "Tenant")
_SHARED: Final = "settings"  # without a tenant, and read by the view `threads`
_LIMITS: Final = "max_execution_time = 60, max_memory_usage = 1073741824, max_threads = 4"


def tenant_users(target: Target, tenants: Sequence[str]) -> list[str]:
    """The statements that make a user for each tenant, called as the tenant is. Repeating them changes nothing.

    Errors: `ConfigError` for an empty name, and one that is ClickHouse's own.
    """
    for tenant in tenants:
        if not tenant.strip() or tenant == "default":
            raise ConfigError(f"{tenant!r} can't be the name of a tenant's user; name tenants by what spans bear")
    on, users = target.on_cluster, ", ".join(_name(tenant) for tenant in tenants)
    statements = [
        f"CREATE SETTINGS PROFILE IF NOT EXISTS {ROLE}{on} SETTINGS readonly = 1, allow_ddl = 0, {_LIMITS}",
        f"CREATE ROLE IF NOT EXISTS {ROLE}{on}",
    ]
    tables = _tables(target)
    statements += [f"GRANT{on} SELECT ON {target.database}.{name} TO {ROLE}" for name in sorted({*tables, *_open()})]
    for tenant in tenants:
        statements.append(f"CREATE USER IF NOT EXISTS {_name(tenant)}{on} HOST NONE SETTINGS PROFILE {quoted(ROLE)}")
        statements.append(f"GRANT{on} {ROLE} TO {_name(tenant)}")
    for table, column in tables.items():
        at = f"{on} ON {target.database}.{table}"
        # A table with any policy may be empty for whom none is made: workers and operators.
        statements.append(f"CREATE ROW POLICY OR REPLACE {ROLE}_others{at} USING 1 TO ALL EXCEPT {users}")
        for tenant in tenants:
            policy = _name(f"{ROLE}_{tenant}")
            condition = f"{column} = {quoted(tenant)}"
            statements.append(f"CREATE ROW POLICY OR REPLACE {policy}{at} USING {condition} TO {_name(tenant)}")
    return statements


def _tables(target: Target) -> dict[str, str]:
    """Tables that have rows of tenants, those of each server of a cluster as well, and the column that says whose."""
    found: dict[str, str] = {}
    for table in described(read_migrations()).values():
        if isinstance(table, Table):
            column = next((column.name for column in table.columns if column.name in _TENANT), "")
            if column:
                found |= dict.fromkeys((table.name, *([f"{table.name}_local"] if target.cluster else [])), column)
    return dict(sorted(found.items()))


def _open() -> list[str]:
    """What has no rows of its own, or none of any tenant. Views read with the rights, and the policies, of who asks."""
    views = [name for name, what in described(read_migrations()).items() if not isinstance(what, Table)]
    return [*views, _SHARED]


def _name(name: str) -> str:
    """A name of anybody's choice, quoted."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
