"""Commands for the tables: show their SQL, create them, compare them."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.errors import ConfigError

if TYPE_CHECKING:
    from processor.config.tree import ClickHouseExporterConfig

app = typer.Typer(no_args_is_help=True, help="Show, create and check the tables of the store.", rich_markup_mode=None)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file; without it the embedded default, with its data under ./data."),
]


@app.command("print")
def print_sql(config: ConfigFile = None) -> None:
    """Write the SQL of all tables to stdout, ready for clickhouse-client. Nothing is connected to."""
    from processor.store.migrations import script

    sys.stdout.write(script(_exporter(config).target))


@app.command()
def migrate(config: ConfigFile = None) -> None:
    """Create what is missing. Safe to run again, and while others do; an embedded store must not be in use."""
    from processor.store.connection import connect
    from processor.store.data_directory import DataDirectory
    from processor.store.schema import check_schema, migrate_schema

    exporter = _exporter(config)
    directory = DataDirectory(exporter)
    directory.claim()
    client = connect(exporter)  # held to the end: chDB shuts down with its last handle, and is slow to come back
    try:
        for line in migrate_schema(exporter) or [f"database {exporter.database}: nothing is missing"]:
            typer.echo(line)
        _report(check_schema(exporter), "a migration never alters what it did not make; alter or drop it by hand")
    finally:
        client.close()
        directory.release()


@app.command()
def check(config: ConfigFile = None) -> None:
    """Compare the database with what this version needs: exit code 0, or 1 and a line for each difference."""
    from processor.store.data_directory import DataDirectory
    from processor.store.schema import check_schema

    exporter = _exporter(config)
    directory = DataDirectory(exporter)
    if exporter.directory is not None and not exporter.directory.is_dir():
        # To open it would be to create it.
        raise ConfigError("exporters.clickhouse.dsn: there is no such directory yet; 'otel-sessions run' creates it")
    directory.claim()
    try:
        _report(check_schema(exporter), "'otel-sessions schema migrate' creates what is missing")
    finally:
        directory.release()
    typer.echo(f"database {exporter.database}: as this version needs it")


@app.command()
def tenants(
    names: Annotated[list[str], typer.Argument(metavar="TENANT...", help="Tenants, as spans bear them.")],
    config: ConfigFile = None,
) -> None:
    """Write the SQL of users of a ClickHouse server who see one tenant's rows each. Nothing is connected to.

    A user can't log in before `ALTER USER ... IDENTIFIED ... HOST ...`. Name all tenants each time.
    """
    from processor.store.tenant_sql import tenant_users

    exporter = _exporter(config)
    sys.stdout.write("".join(f"{statement};\n" for statement in tenant_users(exporter.target, names)))


def _exporter(config: Path | None) -> ClickHouseExporterConfig:
    from processor.config import load_config

    # What the driver would say on stderr stands in the one sentence that the user gets.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    exporter = load_config(config).exporters.clickhouse
    if exporter is None:
        raise ConfigError(f"{config}: exporters.clickhouse is not defined; schema needs to know whose tables")
    return exporter


def _report(found: list[str], advice: str) -> None:
    if not found:
        return
    for sentence in found:
        typer.echo(sentence)
    typer.echo(f"{len(found)} differences; {advice}" if len(found) > 1 else f"1 difference; {advice}", err=True)
    raise typer.Exit(1)
