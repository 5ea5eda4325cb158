"""SQL of users who see one tenant's rows: complete for the tables there are, and understood by the engine."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError
from typer.testing import CliRunner

from processor.cli.schema import app
from processor.errors import ConfigError
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.store.ddl import Target
from processor.store.tenant_sql import ROLE, tenant_users

TENANTS = ("acme", "o'brien `x` \\")


@pytest.mark.parametrize("cluster", ["", "main"])
@pytest.mark.usefixtures("store")
def test_every_table_with_tenants_has_a_policy_for_each(client: Any, store_config: StoreConfig, cluster: str) -> None:
    """And every table and view that a tenant may read is granted; what has no tenant is not, but one for a view."""
    database = store_config.database
    statements = tenant_users(Target(database, cluster), TENANTS)
    tables = client.query(f"SELECT name, engine FROM system.tables WHERE database = '{database}'").result_rows
    with_tenant = client.query(
        f"SELECT table, name FROM system.columns WHERE database = '{database}' AND lower(name) = 'tenant'"
    ).result_rows
    columns = dict(with_tenant)
    for name, engine in tables:
        at = f"ON {database}.{name} "
        policies = [each for each in statements if "ROW POLICY" in each and at in each]
        granted = [each for each in statements if f"{at}TO {ROLE}" in each]
        if engine == "View" or name == "settings":
            assert (len(policies), len(granted)) == (0, 1)
        elif name in columns:
            assert (len(policies), len(granted)) == (1 + len(TENANTS), 1)
            assert f"USING {columns[name]} = 'acme' TO `acme`" in policies[1]
        else:
            assert policies == granted == [], name
    assert all(" ON CLUSTER 'main'" in each for each in statements) == bool(cluster)


@pytest.mark.parametrize("cluster", ["", "main"])
def test_the_engine_understands_each_statement(client: Any, store_config: StoreConfig, cluster: str) -> None:
    """The embedded engine has no users to give rights to, so it parses them, and refuses them for that alone."""
    for statement in tenant_users(Target(store_config.database, cluster), TENANTS):
        client.query("SELECT formatQuery({text:String})", parameters={"text": statement})
        with pytest.raises(ClickHouseError) as refused:
            client.command(statement)
        assert any(name in str(refused.value) for name in ("ACCESS_DENIED", "PROHIBITED", "CLUSTER", "UNKNOWN_ROLE")), (
            statement
        )


@pytest.mark.usefixtures("client")
def test_a_user_can_not_log_in_yet() -> None:
    """From no host, until somebody has said how; no password is made up or written out."""
    statements = tenant_users(Target("otel"), TENANTS)
    users = [each for each in statements if each.startswith("CREATE USER")]
    assert len(users) == 2
    assert all("HOST NONE" in each for each in users)
    assert not any("IDENTIFIED" in each for each in statements)


@pytest.mark.parametrize("name", ["", " ", "default"])
def test_names_that_can_not_be(name: str) -> None:
    """An empty one, and the user that ClickHouse has already."""
    with pytest.raises(ConfigError, match="can't be the name"):
        tenant_users(Target("otel"), [name])


def test_the_command_writes_them() -> None:
    """Ready for clickhouse-client."""
    result = CliRunner().invoke(app, ["tenants", "acme", "umbrella"])
    assert result.exit_code == 0
    assert result.output == "".join(f"{each};\n" for each in tenant_users(Target("otel"), ["acme", "umbrella"]))


def test_the_store_is_untouched(store: ClickHouseStore) -> None:
    """What was refused has left nothing behind."""
    assert store.revision() == 0
