"""Commands about the sessions of a running process."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processor.cli.bundles import asking
from processor.cli.completion import session_ids as ids_of_sessions
from processor.cli.exits import EPILOG, ApiError, NotFound
from processor.cli.filters import SessionFilters, SortKey
from processor.cli.options import MEDIA_TYPES, Format, ItemFormat, ItemOutput, Order, Output, Page, Process, SortOrder

if TYPE_CHECKING:
    from processor.cli.client import Api

app = typer.Typer(
    no_args_is_help=True, help="Look at the sessions of a running process.", rich_markup_mode=None, epilog=EPILOG
)

SessionId = Annotated[
    str, typer.Argument(help="Session id, as `sessions list` shows it.", autocompletion=ids_of_sessions)
]
Sort = Annotated[SortKey, typer.Option(help="Ties are broken by id.")]


class TailFormat(StrEnum):
    """How a change is written to stdout."""

    TABLE = "table"
    NDJSON = "ndjson"


class Interval(StrEnum):
    """How long a step of a series is; the API's names."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@asking(app, "list")
def list_sessions(
    filters: SessionFilters,
    page: Page,
    process: Process,
    sort_by: Sort = SortKey.START,
    sort_order: Order = SortOrder.DESC,
    output: Output = Format.TABLE,
) -> None:
    """List sessions, the newest first."""
    from processor.cli import lists, render

    order = {"sort_by": sort_by.value, "sort_order": sort_order.value}
    parameters = filters.parameters() | order
    wanted = lists.Listing("sessions", "v1/sessions", parameters, render.write_sessions)
    lists.write_list(process, page, output, wanted)


@asking(app)
def show(session_id: SessionId, process: Process, output: ItemOutput = ItemFormat.TABLE) -> None:
    """Show one session, and what each model, provider and service took of it."""
    from processor.cli import client, lists, render, summaries

    def write(session: dict[str, Any]) -> None:
        render.write_session(session)
        summaries.write_breakdown(session["breakdown"])

    with client.Api(process) as api:
        session = _found(api, session_id)
    lists.write_item(session, output, render.SESSION_FIELDS, write)


@asking(app)
def traces(session_id: SessionId, page: Page, process: Process, output: Output = Format.TABLE) -> None:
    """Show the traces of one session with their spans, as they happened; CSV, NDJSON and Parquet: without spans."""
    from processor.cli import lists, render

    parameters = {"session_id": session_id, "spans": False if output in MEDIA_TYPES else None}
    wanted = lists.Listing("traces", "v1/traces", parameters, render.write_traces, lambda api: _found(api, session_id))
    lists.write_list(process, page, output, wanted)


@asking(app)
def logs(session_id: SessionId, page: Page, process: Process, output: Output = Format.TABLE) -> None:
    """Show the log records of one session, a line each, the earliest first."""
    from processor.cli import client, lists
    from processor.cli import logs as records

    path = client.path_of("v1/sessions/{}/logs", session_id)
    wanted = lists.Listing("log records", path, {}, records.write_logs, lambda api: _found(api, session_id))
    lists.write_list(process, page, output, wanted)


@asking(app)
def tail(
    filters: SessionFilters,
    process: Process,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=200, help="Sessions to begin with.")] = 10,
    interval: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds from one look to the next.")] = 2.0,
    output: Annotated[TailFormat, typer.Option("--format", help="How to write a change.")] = TailFormat.TABLE,
) -> None:
    """Follow sessions: a line for each that appears or changes, until Ctrl-C."""
    from processor.cli import tail as tailing

    tailing.follow(process, filters.parameters(), output, lines, interval)


@asking(app)
def export(
    filters: SessionFilters,
    page: Page,
    process: Process,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="`.csv`, `.ndjson`, `.jsonl`, `.parquet`; - is stdout.")
    ] = Path("-"),
    sort_by: Sort = SortKey.START,
    sort_order: Order = SortOrder.DESC,
    output: Annotated[
        Format | None, typer.Option("--format", help="csv, ndjson or parquet; without it what FILE ends in, else csv.")
    ] = None,
) -> None:
    """Write all sessions that the filters select to a file, whole or not at all, or to stdout."""
    from processor.cli import export as exporting

    order = {"sort_by": sort_by.value, "sort_order": sort_order.value}
    exporting.export_sessions(process, file, output, page, filters.parameters() | order)


@asking(app)
def delete(
    session_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Session ids.", autocompletion=ids_of_sessions)
    ],
    process: Process,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal.")] = False,
) -> None:
    """Delete sessions with all spans and log records; spans that still come are dropped for a while."""
    from processor.cli import deleting

    deleting.delete_sessions(process, session_ids, confirmed=yes)


@asking(app)
def stats(
    filters: SessionFilters,
    process: Process,
    interval: Annotated[Interval | None, typer.Option(help="Of the series; without it by the range.")] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="Rows of each top list.")] = 5,
    output: ItemOutput = ItemFormat.TABLE,
) -> None:
    """Show totals, percentiles, a chart and top lists of sessions; CSV and NDJSON: the series."""
    from processor.cli import client, lists, render
    from processor.cli import stats as statistics

    parameters = filters.parameters() | {"interval": interval and interval.value, "top": top}
    with client.Api(process) as api:
        found = api.get("v1/sessions/stats", **parameters)["data"]
    if output is ItemFormat.CSV:
        render.write_csv(found["series"], statistics.SERIES_FIELDS)
    elif output is ItemFormat.NDJSON:
        render.write_ndjson(found["series"])
    else:
        lists.write_item(found, output, (), statistics.write_stats)


def _found(api: Api, session_id: str) -> Any:
    """The session as the API shows it. Errors: `ApiError` that says how to find ids."""
    from processor.cli.client import path_of

    try:
        return api.get(path_of("v1/sessions/{}", session_id))["data"]
    except NotFound as error:
        raise ApiError(f"no session {session_id!r}; 'otel-sessions sessions list --search PART' finds ids") from error
