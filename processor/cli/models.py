"""Commands that say what models took, and which have no price."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

import typer

from processor.cli.options import URL, Format, Limit, Offset, Output, Url, write_footer

app = typer.Typer(
    no_args_is_help=True, help="Look at the models that a running process has seen.", rich_markup_mode=None
)


@app.command("list")
def list_models(limit: Limit = 50, offset: Offset = 0, output: Output = Format.TABLE, url: Url = URL) -> None:
    """List models with what they took over all sessions, those without a price first."""
    _list(False, limit, offset, output, url)


@app.command()
def unpriced(limit: Limit = 50, offset: Offset = 0, output: Output = Format.TABLE, url: Url = URL) -> None:
    """List models with calls whose tokens have no known price; `processors.sessions.pricing` takes your own."""
    _list(True, limit, offset, output, url)


def _list(only_unpriced: bool, limit: int, offset: int, output: Format, url: str) -> None:
    from processor.cli import client, render, summaries

    body = client.get(url, "v1", "models", unpriced=str(only_unpriced).lower(), limit=limit, offset=offset)
    if output is Format.JSON:
        render.write_json(body)
    elif output is Format.CSV:
        render.write_csv(body["data"], summaries.MODEL_FIELDS)
    else:
        summaries.write_models(body["data"])
        write_footer(body["pagination"], len(body["data"]), "models without a price" if only_unpriced else "models")
