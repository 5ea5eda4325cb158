"""Output formats, and how the response calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from processor.clickhouse_http.errors import UNKNOWN_FORMAT, QueryError

DEFAULT: Final = "TabSeparated"
_BINARY: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Formats:
    """The engine's output formats: name and content type by lowercase name."""

    known: Mapping[str, tuple[str, str]]

    def named(self, name: str) -> str:
        """The format's proper name.

        Errors: `QueryError` 73.
        """
        found = self.known.get(name.lower())
        if found is None:
            raise QueryError(UNKNOWN_FORMAT, f"Unknown format {name[:200]}")
        return found[0]

    def content_type(self, name: str) -> str:
        """The media type, and for CSV whether it has a header."""
        media = self.known[name.lower()][1] or _BINARY
        if media.startswith("text/csv") and "header=" not in media:
            media += "; header=absent"
        return media
