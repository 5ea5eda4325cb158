"""`audit`, `rebuild`, `backup` and `restore`: whether what is stored is right, making it so, and keeping it.

Must import nothing that is slow before it runs: these commands stand beside those that ask.
"""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from processor.cli.exits import DIFFERENT
from processor.cli.units import count, counted, size
from processor.errors import ConfigError

if TYPE_CHECKING:
    from processor.config import Config

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLUMNS: Final = ("table", "tenant", "session_id", "trace_id", "column", "stored", "recomputed")


class AuditFormat(StrEnum):
    """How differences are written to stdout."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


def audit(config: Config, arguments: dict[str, Any], output: AuditFormat) -> None:
    """Every difference to stdout, the end to stderr. Errors: exit code `exits.DIFFERENT` where there is any."""
    from processor.operations import AUDIT, run_operation

    found: list[dict[str, Any]] = []
    done: dict[str, Any] = {}
    writer = csv.DictWriter(sys.stdout, _COLUMNS)
    if output is AuditFormat.CSV:
        writer.writeheader()
    for event in run_operation(config, AUDIT, arguments):
        if "difference" in event:
            difference = event["difference"]
            if output is AuditFormat.NDJSON:
                sys.stdout.write(json.dumps(difference) + "\n")
            elif output is AuditFormat.CSV:
                writer.writerow(difference | {name: _told(difference[name]) for name in ("stored", "recomputed")})
            else:
                found.append(difference)
        done = event.get("done", done)
    if output is AuditFormat.JSON:
        sys.stdout.write(json.dumps({"differences": found, "audited": done}, indent=2) + "\n")
    elif output is AuditFormat.TABLE and found:
        _write_table(found)
    typer.echo(_sentence(done), err=True)
    if done["differences"]:
        raise typer.Exit(DIFFERENT)


def rebuild(config: Config, arguments: dict[str, Any]) -> None:
    """Progress to a terminal, the end to stdout."""
    from processor.operations import REBUILD, run_operation

    for event in run_operation(config, REBUILD, arguments):
        if "progress" in event and sys.stderr.isatty():
            at = event["progress"]
            typer.echo(f"\r{at['phase']}: {at['traces']} traces, {at['sessions']} sessions", nl=False, err=True)
        if "done" in event:
            at = event["done"]
            typer.echo(f"{counted(at['traces'], 'trace')} of {counted(at['sessions'], 'session')} rebuilt")


def backup(config: Config, path: Path) -> None:
    """Progress to a terminal, the end to stdout."""
    from processor.operations import BACKUP, run_operation

    for event in run_operation(config, BACKUP, {"path": str(path.absolute())}):
        if "progress" in event:
            _show_bytes(event["progress"]["bytes"])
        if "done" in event:
            made = event["done"]
            typer.echo(f"{path}: {count(made['rows'])} rows, {size(made['bytes'])}, as of {made['taken_at']}")


def restore(config: Config, path: Path) -> None:
    """The same the other way round."""
    from processor.operations import restore_backup

    made = restore_backup(config, path.absolute(), _show_bytes)
    typer.echo(f"{path}: {count(made['rows'])} rows restored, as of {made['taken_at']}")


def scope(since: str | None, until: str | None, tenant: str) -> dict[str, Any]:
    """Options as arguments of an operation. Errors: `ConfigError` for what is no moment, or a range the wrong way."""
    now = datetime.now(UTC)
    since_ns, until_ns = _unix_ns("--since", since, now), _unix_ns("--until", until, now)
    if since_ns is not None and until_ns is not None and since_ns >= until_ns:
        raise ConfigError(f"--until: {until!r} is not after --since {since!r}")
    return {"since_ns": since_ns, "until_ns": until_ns, "tenant": tenant}


def _unix_ns(option: str, given: str | None, now: datetime) -> int | None:
    if given is None:
        return None
    number, unit = given[:-1], given[-1:]
    try:
        if unit in _UNITS and number.isdecimal():
            moment = now - timedelta(**{_UNITS[unit]: int(number)})
        else:
            moment = datetime.fromisoformat(given)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{option}: {given!r} is no date or time in ISO 8601, like 2026-11-01 or 2026-11-01T12:00:00Z, and not how "
            "long ago, like 90s, 15m, 2h, 7d or 1w"
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _write_table(found: list[dict[str, Any]]) -> None:
    from processor.cli.render import console, table_of, text

    table = table_of(("table", "tenant", "session", "trace", "column", "stored", "recomputed"), ())
    for row in found:
        table.add_row(*(text(one) for one in _cells(row)))
    console().print(table)


def _cells(row: dict[str, Any]) -> Iterator[str]:
    from processor.cli.render import printable

    yield from (printable(row[name]) for name in ("table", "tenant", "session_id", "trace_id", "column"))
    yield from (_told(row[name]) for name in ("stored", "recomputed"))


def _told(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def _sentence(done: dict[str, Any]) -> str:
    parts = [f"{counted(done['sessions'], 'session')} of {counted(done['traces'], 'trace')} audited"]
    parts.append(counted(done["differences"], "difference"))
    if done["moving"]:
        parts.append(f"{counted(done['moving'], 'session')} left out, with work waiting")
    if done["trimmed"]:
        parts.append(f"{counted(done['trimmed'], 'trace')} older than retention, as stored")
    if done["costs_as_stored"]:
        parts.append("costs of rows by other prices as stored; 'otel-sessions rebuild' makes them anew")
    return "; ".join(parts)


def _show_bytes(copied: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{size(copied)}", nl=False, err=True)
