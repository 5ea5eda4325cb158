"""Commands that read threads from a running process."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from processor.cli.options import URL, Format, Limit, Offset, Order, Output, SortOrder, Url, write_footer

app = typer.Typer(
    no_args_is_help=True, help="Look at threads: sessions that name the same thread, together.", rich_markup_mode=None
)


class SortKey(StrEnum):
    """What threads can be sorted by; the API's names."""

    LAST_SEEN = "last_seen"
    TOTAL_COST = "total_cost"
    TOTAL_TOKENS = "total_tokens"
    SESSION_COUNT = "session_count"


class Status(StrEnum):
    """Whether the last span of a thread is recent."""

    ACTIVE = "active"
    IDLE = "idle"


@app.command("list")
def list_threads(
    limit: Limit = 50,
    offset: Offset = 0,
    sort_by: Annotated[SortKey, typer.Option(help="Ties are broken by id.")] = SortKey.LAST_SEEN,
    sort_order: Order = SortOrder.DESC,
    status: Annotated[Status | None, typer.Option(help="Only those.")] = None,
    user: Annotated[str | None, typer.Option(help="One of the users, exactly.")] = None,
    search: Annotated[str | None, typer.Option(help="Part of the id, in any case.")] = None,
    output: Output = Format.TABLE,
    url: Url = URL,
) -> None:
    """List threads, the last one seen first."""
    from processor.cli import client, render, summaries

    body = client.get(
        url,
        "v1",
        "threads",
        limit=limit,
        offset=offset,
        sort_by=sort_by.value,
        sort_order=sort_order.value,
        status=status and status.value,
        user_id=user,
        search=search,
    )
    if output is Format.JSON:
        render.write_json(body)
    elif output is Format.CSV:
        render.write_csv(body["data"], summaries.THREAD_FIELDS)
    else:
        summaries.write_threads(body["data"])
        write_footer(body["pagination"], len(body["data"]), "threads")


@app.command()
def show(
    thread_id: Annotated[str, typer.Argument(help="Thread id, as `threads list` shows it.")],
    output: Output = Format.TABLE,
    url: Url = URL,
) -> None:
    """Show one thread; `sessions list --thread ID` lists its sessions."""
    from processor.cli import client, render, summaries

    try:
        body = client.get(url, "v1", "threads", thread_id)
    except client.NotFound as error:
        raise client.ApiError(
            f"no thread {thread_id!r}; 'otel-sessions threads list --search PART' finds ids"
        ) from error
    if output is Format.JSON:
        render.write_json(body["data"])
    elif output is Format.CSV:
        render.write_csv([body["data"]], summaries.THREAD_FIELDS)
    else:
        summaries.write_thread(body["data"])
