"""`otel-sessions sessions tail`: a line for each session that appears or changes, until Ctrl-C or a closed pipe.

Must never end because the process that it asks is away for a while.
"""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Callable, Mapping
from typing import Final

import typer

from processor.cli.client import Api
from processor.cli.exits import ApiError
from processor.cli.following import Change, Follower, Session
from processor.cli.interrupts import remembered_interrupts
from processor.cli.live import live_line, live_state
from processor.cli.options import Process
from processor.cli.render import console
from processor.cli.sessions import TailFormat

PAGE_ROWS: Final = 200
PAGES_MAX: Final = 50  # of one look

_MS_PER_S: Final = 1_000


def follow(process: Process, filters: Mapping[str, object], output: TailFormat, lines: int, interval_s: float) -> None:
    """Write the last `lines` sessions, then every change, looking again every `interval_s` seconds.

    Errors: those of `Api`, at the first look alone; `BrokenPipeError` when nobody reads any more.
    """
    follower = Follower(_state if output is TailFormat.NDJSON else live_state)
    write = _write_json if output is TailFormat.NDJSON else _line_writer()
    with Api(process) as api, remembered_interrupts() as raise_if_interrupted:
        seen = _look(api, filters, follower, pages_max=1)
        write(seen[len(seen) - min(lines, len(seen)) :])
        told = ""
        while True:
            raise_if_interrupted()
            _wait(interval_s)
            try:
                changes = _look(api, filters, follower, PAGES_MAX)
            except ApiError as error:
                if str(error) != told:
                    told = str(error)
                    typer.echo(f"otel-sessions: {told}; asking again every {interval_s:g} s", err=True)
                continue
            if told:
                told = ""
                typer.echo(f"otel-sessions: {process.url} answers again", err=True)
            write(changes)


def _look(api: Api, filters: Mapping[str, object], follower: Follower, pages_max: int) -> list[Change]:
    """Changes since the last look, the earliest end first; a page that ends in one is followed by the next."""
    found: list[Change] = []
    for page in range(pages_max):
        sessions = api.get(
            "v1/sessions",
            sort_by="last_seen",
            sort_order="desc",
            limit=PAGE_ROWS,
            offset=page * PAGE_ROWS,
            **filters,
        )["data"]
        is_all = len(sessions) < PAGE_ROWS
        changes = follower.look(sessions, is_all=is_all)
        found += changes
        if is_all or not changes or changes[-1].session is not sessions[-1]:
            break
    return sorted(found, key=lambda change: (change.session["end"], change.session["id"]))


def _line_writer() -> Callable[[list[Change]], None]:
    out = console()

    def write(changes: list[Change]) -> None:
        for change in changes:
            out.print(live_line(change.event, change.session, out.width), soft_wrap=True)
        sys.stdout.flush()

    return write


def _write_json(changes: list[Change]) -> None:
    for change in changes:
        sys.stdout.write(json.dumps({"event": change.event.value, **change.session}) + "\n")
    sys.stdout.flush()


def _state(session: Session) -> str:
    return json.dumps(session, sort_keys=True)


def _wait(interval_s: float) -> None:
    """Errors: `BrokenPipeError` as soon as the reader of stdout is gone; without it only the next change would tell."""
    stdout = select.poll()
    stdout.register(sys.stdout.fileno(), 0)  # errors and hang-ups are always told
    if stdout.poll(interval_s * _MS_PER_S):
        raise BrokenPipeError
