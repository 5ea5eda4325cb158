"""Options that are declared once and stand on several commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from processor.cli.bundles import bundled


@dataclass(frozen=True, slots=True)
class Colours:
    """A bundle of two options."""

    ink: Annotated[str, typer.Option(help="What is written with.")] = "black"
    paper: Annotated[list[str] | None, typer.Option(help="What is written on.")] = None


@dataclass(frozen=True, slots=True)
class Count:
    """Another one."""

    copies: Annotated[int, typer.Option(min=1)] = 1


app = typer.Typer(rich_markup_mode=None)


@app.command()
@bundled
def write(text: Annotated[str, typer.Argument()], colours: Colours, count: Count, loud: bool = False) -> None:
    """Write a text."""
    typer.echo(f"{text} {colours} {count} {loud}")


def test_a_command_has_the_options_of_its_bundles() -> None:
    """They are parsed, checked and explained as its own, beside those that it declares itself."""
    runner = CliRunner()
    result = runner.invoke(app, ["hello", "--ink", "red", "--paper", "white", "--paper", "grey", "--loud"])
    assert result.exit_code == 0, result.output
    assert result.output == f"hello {Colours('red', ['white', 'grey'])} {Count(1)} True\n"
    shown = runner.invoke(app, ["--help"]).output
    for words in ("Write a text.", "--ink", "What is written on.", "--copies", "--loud"):
        assert words in shown
    assert runner.invoke(app, ["hello", "--copies", "0"]).exit_code == 2
    assert runner.invoke(app, ["hello", "--colour", "red"]).exit_code == 2
