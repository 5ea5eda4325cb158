"""Commands that read sessions from a running process."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Look at the sessions of a running process.", rich_markup_mode=None)


class Format(StrEnum):
    """How a result is written to stdout."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class SortKey(StrEnum):
    """What sessions can be sorted by; the API's names."""

    NAME = "name"
    START = "start"
    END = "end"
    TRACE_COUNT = "trace_count"
    TOTAL_COST = "total_cost"
    TOTAL_TOKENS = "total_tokens"
    LATENCY_MS = "latency_ms"
    USER_ID = "user_id"
    ERROR_COUNT = "error_count"
    ACTIVE_MS = "active_ms"
    SPAN_COUNT = "span_count"
    LAST_SEEN = "last_seen"


class SortOrder(StrEnum):
    """Direction of a sort."""

    ASC = "asc"
    DESC = "desc"


Url = Annotated[str, typer.Option(envvar="OTEL_SESSIONS_URL", help="REST API of the process to ask.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Rows on the page.")]
Offset = Annotated[int, typer.Option(min=0, help="Rows before the page.")]
Output = Annotated[Format, typer.Option("--format", help="How to write the result.")]
SessionId = Annotated[str, typer.Argument(help="Session id, as `sessions list` shows it.")]

_URL = "http://127.0.0.1:3000"


@app.command("list")
def list_sessions(
    limit: Limit = 50,
    offset: Offset = 0,
    sort_by: Annotated[SortKey, typer.Option(help="Ties are broken by id.")] = SortKey.START,
    sort_order: Annotated[SortOrder, typer.Option(help="Direction.")] = SortOrder.DESC,
    search: Annotated[str | None, typer.Option(help="Part of the id or the name, in any case.")] = None,
    user: Annotated[str | None, typer.Option(help="User id, exactly.")] = None,
    since: Annotated[str | None, typer.Option(help="ISO 8601: sessions that end at or after it.")] = None,
    until: Annotated[str | None, typer.Option(help="ISO 8601: sessions that start at or before it.")] = None,
    output: Output = Format.TABLE,
    url: Url = _URL,
) -> None:
    """List sessions, the newest first."""
    from processor.cli import client, render

    body = client.get(
        url,
        "v1",
        "sessions",
        limit=limit,
        offset=offset,
        sort_by=sort_by.value,
        sort_order=sort_order.value,
        search=search,
        user_id=user,
        start_date=since,
        end_date=until,
    )
    if output is Format.JSON:
        render.write_json(body)
    elif output is Format.CSV:
        render.write_csv(body["data"], render.SESSION_FIELDS)
    else:
        render.write_sessions(body["data"])
        _write_footer(body["pagination"], len(body["data"]), "sessions")


@app.command()
def show(session_id: SessionId, output: Output = Format.TABLE, url: Url = _URL) -> None:
    """Show one session."""
    from processor.cli import client, render

    try:
        body = client.get(url, "v1", "sessions", session_id)
    except client.NotFound as error:
        raise client.ApiError(
            f"no session {session_id!r}; 'otel-sessions sessions list --search PART' finds ids"
        ) from error
    if output is Format.JSON:
        render.write_json(body["data"])
    elif output is Format.CSV:
        render.write_csv([body["data"]], render.SESSION_FIELDS)
    else:
        render.write_session(body["data"])


@app.command()
def traces(
    session_id: SessionId,
    limit: Limit = 50,
    offset: Offset = 0,
    output: Output = Format.TABLE,
    url: Url = _URL,
) -> None:
    """Show the traces of one session with their spans, as they happened."""
    from processor.cli import client, render

    body = client.get(url, "v1", "traces", session_id=session_id, limit=limit, offset=offset)
    if output is Format.JSON:
        render.write_json(body)
    elif output is Format.CSV:
        render.write_csv(body["data"], render.TRACE_FIELDS)
    elif not body["pagination"]["total"]:
        raise client.ApiError(f"no session {session_id!r}; 'otel-sessions sessions list --search PART' finds ids")
    else:
        render.write_traces(body["data"])
        _write_footer(body["pagination"], len(body["data"]), "traces")


def _write_footer(pagination: dict[str, Any], shown: int, what: str) -> None:
    after = pagination["offset"] + shown
    more = f"; the next page: --offset {after}" if shown and after < pagination["total"] else ""
    typer.echo(f"{shown} of {pagination['total']} {what}{more}", err=True)
