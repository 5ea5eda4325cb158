"""Commands that say what users took."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from processor.cli.bundles import asking
from processor.cli.exits import EPILOG
from processor.cli.filters import Since, Until, moment
from processor.cli.options import Format, Order, Output, Page, Process, SortOrder

app = typer.Typer(
    no_args_is_help=True, help="Look at the users that sessions name.", rich_markup_mode=None, epilog=EPILOG
)


class SortKey(StrEnum):
    """What users can be sorted by; the API's names."""

    ID = "id"
    SESSION_COUNT = "session_count"
    TRACE_COUNT = "trace_count"
    ERROR_COUNT = "error_count"
    TOTAL_TOKENS = "total_tokens"
    TOTAL_COST = "total_cost"
    FIRST_SEEN = "first_seen"
    LAST_SEEN = "last_seen"


@app.callback()
def users() -> None:
    """Keeps `list` a command of its own, although it is the only one."""


@asking(app, "list")
def list_users(
    page: Page,
    process: Process,
    search: Annotated[str | None, typer.Option(help="Part of the id, in any case.")] = None,
    since: Since = None,
    until: Until = None,
    sort_by: Annotated[SortKey, typer.Option(help="Ties are broken by id.")] = SortKey.LAST_SEEN,
    sort_order: Order = SortOrder.DESC,
    output: Output = Format.TABLE,
) -> None:
    """List users, the last one seen first. Sessions without a user are no user's."""
    from processor.cli import lists, summaries

    now = datetime.now(UTC)
    parameters = {
        "search": search,
        "start_date": moment(since, now),
        "end_date": moment(until, now),
        "sort_by": sort_by.value,
        "sort_order": sort_order.value,
    }
    lists.write_list(process, page, output, lists.Listing("users", "v1/users", parameters, summaries.write_users))
