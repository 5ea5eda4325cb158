"""Commands that act on a configuration: `run`, `validate`, and the root."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli import dlq, models, schema, sessions, threads, tokens, truth, users
from processor.cli.exits import EPILOG, INTERRUPTED, REFUSED, ApiError
from processor.cli.truth import AuditFormat
from processor.errors import OtelSessionsError
from processor.role import Role

if TYPE_CHECKING:
    from processor.config import Config

app = typer.Typer(
    name="otel-sessions",
    help="Turns the spans of LLM agents into sessions: duration, cost, tokens and traces per conversation.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(sessions.app, name="sessions")
app.add_typer(threads.app, name="threads")
app.add_typer(users.app, name="users")
app.add_typer(models.app, name="models")
app.add_typer(schema.app, name="schema")
app.add_typer(dlq.app, name="dlq")
app.add_typer(tokens.app, name="tokens")


def main() -> None:
    """Entry point: an expected error is one sentence on stderr and the exit code that `exits` gives it."""
    try:
        app()
    except OtelSessionsError as error:
        sys.stderr.write(f"otel-sessions: {error}\n")
        sys.exit(error.exit_code if isinstance(error, ApiError) else REFUSED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # `… | head` closed the pipe; the interpreter's last flush must not meet it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"otel-sessions {version('otel-sessions')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Turns the spans of LLM agents into sessions."""


ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file; without it the embedded default, with its data under ./data."),
]
RoleOption = Annotated[
    Role | None,
    typer.Option(
        help="Do one part of what the file defines: receiver (OTLP to Kafka), worker (Kafka to ClickHouse), api "
        "(queries), or all of it; without it, what the file's pipeline says."
    ),
]


@app.command()
def run(config: ConfigFile = None, role: RoleOption = None) -> None:
    """Run the processor until SIGINT or SIGTERM."""
    import asyncio

    from processor.allocators import tune_allocators

    tune_allocators()  # before anything imports what it tunes
    os.environ.setdefault(
        "GRPC_VERBOSITY", "ERROR"
    )  # or its core writes a line about every port scan, in no form of ours

    from processor.process import run_until_signal
    from processor.telemetry.logging import configure_logging

    settings = _load(config, role)
    configure_logging(settings.service.telemetry.logs)
    try:
        asyncio.run(run_until_signal(settings))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@app.command()
def validate(file: Annotated[Path, typer.Argument(help="YAML file.")], role: RoleOption = None) -> None:
    """Check a configuration file and say what is wrong with it."""
    _load(file, role)
    typer.echo(f"{file}: valid")


@app.command()
def reprice(
    since: Annotated[str, typer.Option(help="ISO 8601: traces with a span that starts at or after it.")],
    config: ConfigFile = None,
) -> None:
    """Recompute what stored sessions cost, by the prices of the configuration and of the installed genai-prices."""
    from processor.cli import repricing

    repricing.reprice_since(since, _load(config, None))


SinceOption = Annotated[
    str | None, typer.Option(help="ISO 8601 in UTC, or how long ago: 90s, 15m, 2h, 7d, 1w. From here on.")
]
UntilOption = Annotated[str | None, typer.Option(help="The same. Up to here.")]
TenantOption = Annotated[str, typer.Option(help="Of this tenant alone.")]


@app.command()
def audit(
    sample: Annotated[int, typer.Option(min=1, max=1_000_000, help="Sessions to audit, chosen by a hash.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Another seed, other sessions.")] = 0,
    since: SinceOption = None,
    until: UntilOption = None,
    tenant: TenantOption = "",
    output: Annotated[AuditFormat, typer.Option("--format", help="How to write differences.")] = AuditFormat.TABLE,
    config: ConfigFile = None,
) -> None:
    """Recompute sessions from their stored spans, and compare: exit code 0, or 4 and every difference."""
    arguments = truth.scope(since, until, tenant) | {"sample": sample, "seed": seed}
    truth.audit(_load(config, None), arguments, output)


@app.command()
def rebuild(
    since: SinceOption = None,
    until: UntilOption = None,
    tenant: TenantOption = "",
    config: ConfigFile = None,
) -> None:
    """Make the roll-ups of sessions anew from their stored spans. Ended anywhere, the same command goes on there."""
    truth.rebuild(_load(config, None), truth.scope(since, until, tenant))


@app.command()
def backup(
    path: Annotated[Path, typer.Argument(help="Directory for the backup: empty, or not there yet.")],
    config: ConfigFile = None,
) -> None:
    """Copy an embedded store, while it is in use or not, with checksums of all that is in it."""
    truth.backup(_load(config, None), path)


@app.command()
def restore(
    path: Annotated[Path, typer.Argument(help="A backup.")],
    config: ConfigFile = None,
) -> None:
    """Make the embedded store that the configuration names of a backup; its directory must be empty."""
    truth.restore(_load(config, None), path)


def _load(file: Path | None, role: Role | None) -> Config:
    from processor.config import load_config

    settings = load_config(file)
    return settings if role is None else settings.as_role(role)
