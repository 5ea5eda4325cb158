"""Options that several commands share, declared once as a dataclass.

A command names the dataclass as the type of one parameter; typer sees the fields. What every command that asks a
running process needs around it stands here too: its last flush, a closed pipe, a full disk.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any, get_type_hints

import typer

from processor.cli.exits import EPILOG, REFUSED

Command = Callable[..., None]


def asking(app: typer.Typer, name: str | None = None) -> Callable[[Command], Command]:
    """Add a command that asks a running process; it is called `name`, else as its function."""

    def add(command: Command) -> Command:
        return app.command(name, epilog=EPILOG)(bundled(command))

    return add


def bundled(command: Command) -> Command:
    """The command with the fields of its dataclass parameters as options.

    A field is what a parameter of a command would be: `name: Annotated[type, typer.Option(...)] = default`.
    Errors: of stdout, a full disk is a sentence and exit code 1; a closed pipe means that the reader has enough.
    """
    hints = get_type_hints(command, include_extras=True)
    plain: list[inspect.Parameter] = []
    shared: dict[str, type[Any]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if dataclasses.is_dataclass(hints[name]):
            shared[name] = hints[name]
        else:
            plain.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))

    def call(**given: Any) -> None:
        for name, bundle in shared.items():
            given[name] = bundle(**{field.name: given.pop(field.name) for field in dataclasses.fields(bundle)})
        _guarded(command, given)

    options = [*plain, *(option for bundle in shared.values() for option in _options(bundle))]
    call.__name__ = command.__name__
    call.__doc__ = command.__doc__
    call.__annotations__ = {option.name: option.annotation for option in options}
    call.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return call


def _options(bundle: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(bundle, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(bundle)
    ]


def _guarded(command: Command, given: dict[str, Any]) -> None:
    # A terminal that has no letter for a sign shows another sign; it does not end the command.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        command(**given)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        _forget_stdout()
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"otel-sessions: {where}{error.strerror or error}", err=True)
        raise typer.Exit(REFUSED) from error


def _forget_stdout() -> None:
    # The interpreter's last flush must not meet the same error again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
