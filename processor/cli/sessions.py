"""Commands that read sessions from a running process."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from processor.cli.options import URL, Format, Limit, Offset, Order, Output, SortOrder, Url, write_footer

app = typer.Typer(no_args_is_help=True, help="Look at the sessions of a running process.", rich_markup_mode=None)


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


SessionId = Annotated[str, typer.Argument(help="Session id, as `sessions list` shows it.")]


@app.command("list")
def list_sessions(
    limit: Limit = 50,
    offset: Offset = 0,
    sort_by: Annotated[SortKey, typer.Option(help="Ties are broken by id.")] = SortKey.START,
    sort_order: Order = SortOrder.DESC,
    search: Annotated[str | None, typer.Option(help="Part of the id or the name, in any case.")] = None,
    user: Annotated[str | None, typer.Option(help="User id, exactly.")] = None,
    thread: Annotated[str | None, typer.Option(help="Thread id, exactly.")] = None,
    tag: Annotated[str | None, typer.Option(help="One of the tags, exactly.")] = None,
    environment: Annotated[str | None, typer.Option(help="Environment, exactly.")] = None,
    model: Annotated[str | None, typer.Option(help="One of the models, exactly.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Metadata, exactly; all that are given hold.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="ISO 8601: sessions that end at or after it.")] = None,
    until: Annotated[str | None, typer.Option(help="ISO 8601: sessions that start at or before it.")] = None,
    output: Output = Format.TABLE,
    url: Url = URL,
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
        thread_id=thread,
        tag=tag,
        environment=environment,
        model=model,
        start_date=since,
        end_date=until,
        **_metadata_parameters(metadata or []),
    )
    if output is Format.JSON:
        render.write_json(body)
    elif output is Format.CSV:
        render.write_csv(body["data"], render.SESSION_FIELDS)
    else:
        render.write_sessions(body["data"])
        write_footer(body["pagination"], len(body["data"]), "sessions")


@app.command()
def show(session_id: SessionId, output: Output = Format.TABLE, url: Url = URL) -> None:
    """Show one session, and what each model, provider and service took of it."""
    from processor.cli import client, render, summaries

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
        summaries.write_breakdown(body["data"]["breakdown"])


@app.command()
def traces(
    session_id: SessionId,
    limit: Limit = 50,
    offset: Offset = 0,
    output: Output = Format.TABLE,
    url: Url = URL,
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
        write_footer(body["pagination"], len(body["data"]), "traces")


def _metadata_parameters(filters: list[str]) -> dict[str, str]:
    """Options as the API's parameters; of two values of a key none could hold, so that is a mistake."""
    found: dict[str, str] = {}
    for text in filters:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--metadata")
        if found.setdefault(f"metadata.{key}", value) != value:
            raise typer.BadParameter(f"{key!r} stands twice", param_hint="--metadata")
    return found
