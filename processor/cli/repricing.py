"""`otel-sessions reprice`: history by the prices in use now."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer

from processor.errors import ConfigError

if TYPE_CHECKING:
    from processor.config import Config

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reprice_since(since: str, config: Config) -> None:
    """Reprice what is stored since a moment in ISO 8601; progress goes to a terminal.

    Errors: `ConfigError` for a moment that is none; those of `reprice_stored`.
    """
    from processor.repricing import reprice_stored

    typer.echo(reprice_stored(config, _unix_ns(since), _show))


def _show(traces: int, sessions: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{traces} traces, {sessions} sessions", nl=False, err=True)


def _unix_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"--since: {text!r} is no date or time in ISO 8601, like 2026-11-01 or 2026-11-01T12:00:00Z"
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
