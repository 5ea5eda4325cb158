"""Commands that read threads from a running process."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from processor.cli.bundles import asking
from processor.cli.completion import thread_ids
from processor.cli.exits import EPILOG, ApiError, NotFound
from processor.cli.options import Format, ItemFormat, ItemOutput, Order, Output, Page, Process, SortOrder

app = typer.Typer(
    no_args_is_help=True,
    help="Look at threads: sessions that name the same thread, together.",
    rich_markup_mode=None,
    epilog=EPILOG,
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


@asking(app, "list")
def list_threads(
    page: Page,
    process: Process,
    sort_by: Annotated[SortKey, typer.Option(help="Ties are broken by id.")] = SortKey.LAST_SEEN,
    sort_order: Order = SortOrder.DESC,
    status: Annotated[Status | None, typer.Option(help="Only those.")] = None,
    user: Annotated[str | None, typer.Option(help="One of the users, exactly.")] = None,
    search: Annotated[str | None, typer.Option(help="Part of the id, in any case.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """List threads, the last one seen first."""
    from processor.cli import lists, summaries

    parameters = {
        "sort_by": sort_by.value,
        "sort_order": sort_order.value,
        "status": status and status.value,
        "user_id": user,
        "search": search,
    }
    wanted = lists.Listing("threads", "v1/threads", parameters, summaries.write_threads)
    lists.write_list(process, page, output, wanted)


@asking(app)
def show(
    thread_id: Annotated[str, typer.Argument(help="Thread id, as `threads list` shows it.", autocompletion=thread_ids)],
    process: Process,
    output: ItemOutput = ItemFormat.TABLE,
) -> None:
    """Show one thread; `sessions list --thread ID` lists its sessions."""
    from processor.cli import client, lists, summaries

    with client.Api(process) as api:
        try:
            thread = api.get(client.path_of("v1/threads/{}", thread_id))["data"]
        except NotFound as error:
            raise ApiError(f"no thread {thread_id!r}; 'otel-sessions threads list --search PART' finds ids") from error
    lists.write_item(thread, output, summaries.THREAD_FIELDS, summaries.write_thread)
