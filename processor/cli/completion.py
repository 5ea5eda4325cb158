"""Ids of the running process behind the tab key.

Must never fail loudly, keep a person waiting, or give the shell a word that it would read as more than a word: ids are
whatever telemetry says, and shells put what they complete on the command line as it is.
"""

# ruff: noqa: PLC0415 (the other commands start fast)

from __future__ import annotations

import re
from dataclasses import fields
from typing import Final

import typer

from processor.cli.options import Process

_TIMEOUT_S: Final = 1.0
_ROWS: Final = 100
_HARMLESS: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@%+,-]*")  # one word in bash, zsh and fish


def session_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of sessions that begin with what is typed, the newest first."""
    return _ids(ctx, "sessions", "start", incomplete)


def thread_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of threads that begin with what is typed, the last one seen first."""
    return _ids(ctx, "threads", "last_seen", incomplete)


def _ids(ctx: typer.Context, what: str, sort_by: str, incomplete: str) -> list[str]:
    try:
        from processor.cli.client import Api

        # What the line says so far, and the environment.
        known = {field.name: given for field in fields(Process) if (given := ctx.params.get(field.name))}
        with Api(Process(**known), _TIMEOUT_S) as api:
            rows = api.get(f"v1/{what}", sort_by=sort_by, search=incomplete or None, limit=_ROWS)["data"]
        return [row["id"] for row in rows if row["id"].startswith(incomplete) and _HARMLESS.fullmatch(row["id"])]
    except Exception:
        # Whatever it is, the answer to the tab key is nothing.
        return []
