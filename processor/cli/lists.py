"""How what the API answers reaches stdout, in whichever format was asked for.

Tables and JSON are a page; the other formats come from the API as they are, and go out as they come.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from processor.cli import render
from processor.cli.client import Api
from processor.cli.options import MEDIA_TYPES, Format, ItemFormat, Page, Process, write_footer

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of the API: what it holds, where it is, and the table that people see of a page."""

    what: str
    path: str
    parameters: Mapping[str, object]
    write_table: Callable[[list[_Json]], None]
    on_nothing: Callable[[Api], object] | None = None  # called before an empty list is written; may raise why


def write_list(process: Process, page: Page, output: Format, wanted: Listing) -> None:
    """Ask for a list and write it; how much of it is shown stands under a table, on stderr.

    Errors: those of `Api`; a usage error for Parquet on a terminal, before anything is asked.
    """
    refuse_parquet_on_terminal(output)
    part = page.parameters(output)
    with Api(process) as api:
        if output in MEDIA_TYPES:
            if wanted.on_nothing and not api.get(wanted.path, **wanted.parameters, limit=1)["pagination"]["total"]:
                wanted.on_nothing(api)
            parameters = {**wanted.parameters, **part, "format": output.value}
            write_chunks(api.stream(wanted.path, MEDIA_TYPES[output], **parameters), output)
            return
        body = api.get(wanted.path, **wanted.parameters, **part)
        if wanted.on_nothing and not body["pagination"]["total"]:
            wanted.on_nothing(api)
    if output is Format.JSON:
        render.write_json(body)
        return
    wanted.write_table(body["data"])
    write_footer(body["pagination"], len(body["data"]), wanted.what)


def write_item(item: _Json, output: ItemFormat, fields: Sequence[str], write_table: Callable[[_Json], None]) -> None:
    """One thing of the API; as CSV its `fields`."""
    if output is ItemFormat.JSON:
        render.write_json(item)
    elif output is ItemFormat.NDJSON:
        render.write_ndjson([item])
    elif output is ItemFormat.CSV:
        render.write_csv([item], fields)
    else:
        write_table(item)


def refuse_parquet_on_terminal(output: Format) -> None:
    """Errors: a usage error that says where Parquet can go."""
    if output is Format.PARQUET and sys.stdout.isatty():
        raise typer.BadParameter(
            "Parquet is binary and this is a terminal; write it to a file with '> FILE.parquet', or use "
            "'otel-sessions sessions export FILE.parquet'",
            param_hint="--format",
        )


def write_chunks(chunks: Iterator[bytes], output: Format) -> None:
    """Bytes to stdout as they come; on a terminal without what would command it."""
    if output is Format.PARQUET or not sys.stdout.isatty():
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in chunks:
        sys.stdout.write(render.printable(decoder.decode(chunk), "\r\n\t"))
    sys.stdout.write(render.printable(decoder.decode(b"", final=True), "\r\n\t"))
