"""How far an export is, on a terminal's stderr."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from processor.cli.options import Format
from processor.cli.render import console
from processor.cli.units import size


class RowCounter:
    """Counts the bytes of a body that passes, and its rows where rows are lines; of Parquet there is no count."""

    def __init__(self, output: Format) -> None:
        self.bytes = 0
        self._format = output
        self._line_ends = 0
        self._quoted = 0  # 1 inside of a quoted cell of CSV, where a line end is data

    @property
    def rows(self) -> int | None:
        """Rows so far, without the header of CSV; None where it can't be said."""
        if self._format is Format.PARQUET:
            return None
        return max(0, self._line_ends - (self._format is Format.CSV))

    def counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same chunks, each counted before it is passed on."""
        for chunk in chunks:
            self.bytes += len(chunk)
            if self._format is Format.NDJSON:
                self._line_ends += chunk.count(b"\n")
            elif self._format is Format.CSV:
                # A quote inside of a cell is doubled, so it opens and closes at once.
                between = chunk.split(b'"')
                self._line_ends += sum(part.count(b"\n") for part in between[self._quoted :: 2])
                self._quoted ^= (len(between) - 1) & 1
            yield chunk


@contextlib.contextmanager
def shown_progress(chunks: Iterator[bytes], counter: RowCounter, expected: int) -> Iterator[Iterator[bytes]]:
    """The same chunks, with a bar that moves as they pass; where rows can't be counted, it says only that they do."""
    total = None if counter.rows is None else expected
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{expected:,} sessions", total=total)

        def passing() -> Iterator[bytes]:
            for chunk in chunks:
                so_far = "" if counter.rows is None else f"{counter.rows:,} of "
                told = f"{so_far}{expected:,} sessions, {size(counter.bytes)}"
                progress.update(task, completed=counter.rows or 0, description=told)
                yield chunk

        yield passing()
