"""What the commands that ask a running process have in common."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

ROWS_ON_A_PAGE: Final = 50
ROWS_ON_A_PAGE_MAX: Final = 1_000
URL: Final = "http://127.0.0.1:3000"


class Format(StrEnum):
    """How a list is written to stdout."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


MEDIA_TYPES: Final = {
    Format.CSV: "text/csv",
    Format.NDJSON: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}
"""Of the formats that come from the API as they are."""


class ItemFormat(StrEnum):
    """How a single thing is written to stdout."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"


class SortOrder(StrEnum):
    """Direction of a sort."""

    ASC = "asc"
    DESC = "desc"


def _without_colors(wanted: bool) -> None:
    if wanted:
        os.environ["NO_COLOR"] = "1"  # where everything that could write a colour looks


Output = Annotated[Format, typer.Option("--format", help="How to write the result.")]
ItemOutput = Annotated[ItemFormat, typer.Option("--format", help="How to write the result.")]
Order = Annotated[SortOrder, typer.Option(help="Direction.")]


@dataclass(frozen=True, slots=True)
class Process:
    """Which process is asked, who asks, whom to trust, and whether the answer has colours."""

    url: Annotated[str, typer.Option(envvar="OTEL_SESSIONS_URL", help="REST API of the process to ask.")] = URL
    token: Annotated[
        str | None,
        typer.Option(
            envvar="OTEL_SESSIONS_TOKEN",
            help="Bearer token. Others on this machine can see what a command line holds: prefer the variable, or "
            "--token-file.",
        ),
    ] = field(default=None, repr=False)
    token_file: Annotated[
        Path | None,
        typer.Option(envvar="OTEL_SESSIONS_TOKEN_FILE", help="File with the bearer token; it wins over --token."),
    ] = None
    ca_file: Annotated[
        Path | None,
        typer.Option(envvar="OTEL_SESSIONS_CA_FILE", help="PEM file with the authority of the process's certificate."),
    ] = None
    cert_file: Annotated[
        Path | None,
        typer.Option(envvar="OTEL_SESSIONS_CERT_FILE", help="PEM file with a certificate of ours, if it asks for one."),
    ] = None
    key_file: Annotated[
        Path | None, typer.Option(envvar="OTEL_SESSIONS_KEY_FILE", help="PEM file with the key of --cert-file.")
    ] = None
    no_color: Annotated[
        bool, typer.Option("--no-color", callback=_without_colors, help="No colours on a terminal; NO_COLOR as well.")
    ] = False


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted."""

    limit: Annotated[
        int | None,
        typer.Option(min=1, help=f"Rows; without it {ROWS_ON_A_PAGE} of a table or JSON, and all of other formats."),
    ] = None
    offset: Annotated[int, typer.Option(min=0, help="Rows before the first.")] = 0

    def parameters(self, output: Format) -> dict[str, object]:
        """As the API's parameters. Errors: a usage error for a longer page than the API has."""
        if output in MEDIA_TYPES:
            return {"limit": self.limit, "offset": self.offset}
        if self.limit is not None and self.limit > ROWS_ON_A_PAGE_MAX:
            raise typer.BadParameter(
                f"a table or JSON has at most {ROWS_ON_A_PAGE_MAX:,} rows; page with --offset, or write csv, ndjson or "
                "parquet",
                param_hint="--limit",
            )
        return {"limit": self.limit or ROWS_ON_A_PAGE, "offset": self.offset}


def write_footer(pagination: dict[str, Any], shown: int, what: str) -> None:
    """How much of the whole is shown, and how to go on, to stderr."""
    after = pagination["offset"] + shown
    more = f"; the next page: --offset {after}" if shown and after < pagination["total"] else ""
    typer.echo(f"{shown} of {pagination['total']} {what}{more}", err=True)
