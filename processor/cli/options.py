"""What the commands that ask a running process have in common."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import typer


class Format(StrEnum):
    """How a result is written to stdout."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class SortOrder(StrEnum):
    """Direction of a sort."""

    ASC = "asc"
    DESC = "desc"


Url = Annotated[str, typer.Option(envvar="OTEL_SESSIONS_URL", help="REST API of the process to ask.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Rows on the page.")]
Offset = Annotated[int, typer.Option(min=0, help="Rows before the page.")]
Output = Annotated[Format, typer.Option("--format", help="How to write the result.")]
Order = Annotated[SortOrder, typer.Option(help="Direction.")]

URL: Final = "http://127.0.0.1:3000"


def write_footer(pagination: dict[str, Any], shown: int, what: str) -> None:
    """How much of the whole is shown, and how to go on, to stderr."""
    after = pagination["offset"] + shown
    more = f"; the next page: --offset {after}" if shown and after < pagination["total"] else ""
    typer.echo(f"{shown} of {pagination['total']} {what}{more}", err=True)
