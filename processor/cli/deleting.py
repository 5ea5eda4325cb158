"""`otel-sessions sessions delete`: sessions and all that is stored of them, once somebody has said yes.

Must never delete anything that was not confirmed, by `--yes` or at a terminal.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

import typer

from processor.cli.client import Api, path_of
from processor.cli.exits import ApiError, NotFound
from processor.cli.options import Process
from processor.cli.render import printable
from processor.cli.units import count, counted, dollars, moment


def delete_sessions(process: Process, session_ids: Sequence[str], *, confirmed: bool) -> None:
    """Delete each, in the order given, and say so on stdout.

    Errors: a usage error where nobody can be asked; `ApiError` for a no; those of `Api`, at the first that fails.
    """
    wanted = list(dict.fromkeys(session_ids))
    if not confirmed and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("nobody can confirm here; say --yes to delete without being asked", param_hint="--yes")
    with Api(process) as api:
        if not confirmed:
            _confirm(api, wanted)
        for session_id in wanted:
            deleted = api.delete(path_of("v1/sessions/{}", session_id))["data"]
            until = f"{moment(deleted['blocked_until'])} UTC"
            typer.echo(f"{printable(session_id)}: deleted; spans that still come are dropped until {until}")


def _confirm(api: Api, session_ids: Sequence[str]) -> None:
    for session_id in session_ids:
        typer.echo(f"{printable(session_id)}: {_told(api, session_id)}", err=True)
    what = "this session" if len(session_ids) == 1 else f"these {count(len(session_ids))} sessions"
    # typer's own question would make of Ctrl-C a no.
    typer.echo(f"Delete {what} with all spans and log records, for good? [y/N]: ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ApiError("nothing was deleted")


def _told(api: Api, session_id: str) -> str:
    with contextlib.suppress(NotFound):
        found = api.get(path_of("v1/sessions/{}", session_id))["data"]
        facts = [counted(found["trace_count"], "trace"), counted(found["span_count"], "span")]
        facts += [f"last seen {moment(found['end'])} UTC", dollars(found["total_cost"])]
        return ", ".join([printable(found["name"]), *facts])
    return "not there (yet); spans of it would be dropped"
