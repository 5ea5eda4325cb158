"""Lists as people want them: a page in JSON, or all of it as a file.

`format` wins over `Accept`; what names none of our formats, as a browser's, gets JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import Request

from processor.api.context import Context
from processor.api.exports.formats import MEDIA, Format, encoded, encoder
from processor.api.exports.response import ExportResponse, Pieces
from processor.api.exports.tables import Table
from processor.api.parameters import LIMIT_MAX, ListParameters, invalid
from processor.store.queries import ALL, Blocks, SessionQueries

LIMIT: Final = 50

_ALIASES: Final[dict[str, Format]] = {
    **{media: kind for kind, media in MEDIA.items()},
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-parquet": "parquet",
    "application/*": "json",
    "*/*": "json",
}
FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in list(MEDIA.values())[1:]},
        "description": "A page in JSON, or the whole list as a file.",
    }
}
"""What OpenAPI says of routes that export."""


def format_of(parameters: ListParameters, request: Request) -> Format:
    """By `format`, else by `Accept`."""
    return parameters.format or accepted(request.headers.get("accept", ""))


def accepted(header: str) -> Format:
    """The format of the greatest weight, the first of several; JSON where none is ours."""
    best = 0.0
    found: Format = "json"
    for entry in header.split(","):
        media, *parameters = (part.strip().lower() for part in entry.split(";"))
        weight = next((_weight(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        if media in _ALIASES and weight > best:
            best, found = weight, _ALIASES[media]
    return found


def page_limit(parameters: ListParameters) -> int:
    """Rows of a page. Errors: 400 for more than a page holds."""
    limit = LIMIT if parameters.limit is None else parameters.limit
    if limit > LIMIT_MAX:
        raise invalid("limit", f"Input should be less than or equal to {LIMIT_MAX} in JSON", str(limit))
    return limit


def export_limit(parameters: ListParameters) -> int:
    """Rows of a file: everything, unless asked otherwise."""
    return ALL if parameters.limit is None else parameters.limit


def exported(
    context: Context, kind: Format, table: Table, stream: Callable[[SessionQueries], Blocks]
) -> ExportResponse:
    """What a stream of the store gives, as a file.

    Errors: those of the store, as far as they come before the first rows; `Overloaded`.
    """

    def pieces() -> Pieces:
        with context.pool.streaming_reader() as queries, stream(queries) as blocks:
            yield from encoded(map(table.batch, blocks), encoder(kind, table.schema))

    return ExportResponse(pieces(), kind, table.name)


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
