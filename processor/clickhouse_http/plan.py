"""One query, ready to run: the statement, the shape of its result, and what holds while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from processor.clickhouse_http.formats import DEFAULT
from processor.clickhouse_http.settings import escaped


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement for the engine.

    `output_at` is the byte where INTO OUTFILE belongs, -1 for statements with little to say. `data` is that of an
    INSERT, and `format` is then the data's. `settings`, `confining` and `readonly` are set on the handle before;
    `confining` is the SET that leaves a tenant its own rows, '' where nobody is confined.
    """

    sql: bytes = b""
    format: str = DEFAULT
    has_result: bool = False
    output_at: int = -1
    settings: Mapping[str, str] = field(default_factory=dict)
    confining: str = ""
    readonly: int = 0
    data: bytes | None = None

    def into(self, path: str) -> bytes:
        """The statement, its result written to a file."""
        # On a line of its own: a comment may stand before it.
        outfile = f"\nINTO OUTFILE '{escaped(path)}' APPEND ".encode()
        return self.sql[: self.output_at] + outfile + self.sql[self.output_at :]
