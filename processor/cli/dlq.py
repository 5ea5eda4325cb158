"""Commands for records that could not be processed: look at them, and produce them again."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

import contextlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from processor.log.kafka.config import KafkaReceiverConfig
    from processor.log.kafka.replay import DeadLetter

app = typer.Typer(no_args_is_help=True, help="Look at dead letters, and replay them.", rich_markup_mode=None)


class Format(StrEnum):
    """How a list is written to stdout."""

    TABLE = "table"
    JSON = "json"


ConfigFile = Annotated[Path, typer.Option("--config", help="YAML file of the worker, with receivers.kafka.")]

FIELDS = ("topic", "partition", "offset", "time", "tenant", "bytes", "replayed", "reason")


@app.command("list")
def list_dead_letters(
    config: ConfigFile,
    limit: Annotated[int, typer.Option(min=0, help="Dead letters to show; 0 is all.")] = 50,
    output: Annotated[Format, typer.Option("--format", help="How to write the result.")] = Format.TABLE,
) -> None:
    """List dead letters with where they come from and why they are here."""
    import asyncio

    rows = asyncio.run(rows_of(_receiver(config), limit))
    if output is Format.JSON:
        from processor.cli import render

        render.write_json(rows)
    else:
        write_rows(rows)


@app.command()
def replay(
    config: ConfigFile,
    match: Annotated[str, typer.Option(help="Only those with this in their reason.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Dead letters to replay; 0 is all.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be replayed, write nothing.")] = False,
) -> None:
    """Produce dead letters again where they came from, each once; the worker overwrites what it has of them."""
    import asyncio

    count = asyncio.run(replay_all(_receiver(config), match, limit, dry_run))
    typer.echo(f"{count} dead letters {'would be ' if dry_run else ''}replayed", err=True)


async def rows_of(receiver: KafkaReceiverConfig, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` dead letters as `FIELDS`, 0 is all. Errors: `Retryable` when the brokers are away."""
    from processor.log.kafka.replay import read_dead_letters

    rows: list[dict[str, Any]] = []
    async with contextlib.aclosing(read_dead_letters(receiver)) as letters:
        async for letter in letters:
            rows.append(_row(letter))
            if len(rows) == limit:
                break
    return rows


async def replay_all(receiver: KafkaReceiverConfig, match: str, limit: int, dry_run: bool) -> int:
    """Replay, a line to stdout for each; how many. Errors: `Retryable` when the brokers are away."""
    from processor.log.kafka.replay import replay as replay_dead_letters

    count = 0
    letters = replay_dead_letters(receiver, match, limit, dry_run=dry_run)
    async with contextlib.aclosing(letters):
        async for letter in letters:
            count += 1
            typer.echo(f"{letter.topic} {letter.partition} {letter.offset} {_printable(letter.reason)}")
    return count


def write_rows(rows: list[dict[str, Any]]) -> None:
    """A line a dead letter; nothing is cut, so that reasons can be read and matched."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=400)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in FIELDS:
        numeric = name in ("partition", "offset", "bytes")
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_printable(str(row[name]))) for name in FIELDS))
    console.print(table)


def _row(letter: DeadLetter) -> dict[str, Any]:
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(letter.timestamp_ms / 1000, UTC).isoformat() if letter.timestamp_ms >= 0 else ""
    return {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": at,
        "tenant": letter.tenant,
        "bytes": len(letter.value),
        "replayed": letter.is_replayed,
        "reason": letter.reason,
    }


def _printable(text: str) -> str:
    """What telemetry says is data, never a terminal command."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _receiver(file: Path) -> KafkaReceiverConfig:
    from processor.config import load_config
    from processor.errors import ConfigError

    receiver = load_config(file).receivers.kafka
    if receiver is None:
        raise ConfigError(f"{file}: receivers.kafka: not there; dead letters are Kafka's")
    return receiver
