"""Commands that say what models took, and which have no price."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

import typer

from processor.cli.bundles import asking
from processor.cli.exits import EPILOG
from processor.cli.options import Format, Output, Page, Process

app = typer.Typer(
    no_args_is_help=True,
    help="Look at the models that a running process has seen.",
    rich_markup_mode=None,
    epilog=EPILOG,
)


@asking(app, "list")
def list_models(page: Page, process: Process, output: Output = Format.TABLE) -> None:
    """List models with what they took over all sessions, those without a price first."""
    _list(process, page, output, only_unpriced=False)


@asking(app)
def unpriced(page: Page, process: Process, output: Output = Format.TABLE) -> None:
    """List models with calls whose tokens have no known price; `processors.sessions.pricing` takes your own."""
    _list(process, page, output, only_unpriced=True)


def _list(process: Process, page: Page, output: Format, *, only_unpriced: bool) -> None:
    from processor.cli import lists, summaries

    what = "models without a price" if only_unpriced else "models"
    wanted = lists.Listing(what, "v1/models", {"unpriced": only_unpriced}, summaries.write_models)
    lists.write_list(process, page, output, wanted)
