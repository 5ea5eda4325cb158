"""`otel-sessions sessions export`: all sessions that the filters select, into a file or to stdout, as they come.

Must never leave half a file under the name that was asked for, or anything under another: a file is renamed into
place when it is whole and on disk.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import IO, Final

import typer

from processor.cli.client import Api
from processor.cli.lists import refuse_parquet_on_terminal, write_chunks
from processor.cli.options import MEDIA_TYPES, Format, Page, Process
from processor.cli.progress import RowCounter, shown_progress
from processor.cli.units import counted, size

STDOUT: Final = Path("-")

_SUFFIXES: Final = {
    ".csv": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".parquet": Format.PARQUET,
}


def export_sessions(
    process: Process, file: Path, asked: Format | None, page: Page, parameters: Mapping[str, object]
) -> None:
    """Write the sessions to `file`, `-` is stdout; what came of it stands on stderr.

    Errors: those of `Api`, `OSError` of the file, a usage error for a file whose format is not known.
    """
    output = format_of(file, asked)
    wanted = {**parameters, **page.parameters(output)}
    if file == STDOUT:
        refuse_parquet_on_terminal(output)
    with Api(process) as api, contextlib.ExitStack() as stack:
        counter = RowCounter(output)
        chunks = counter.counted(api.stream("v1/sessions", MEDIA_TYPES[output], **wanted, format=output.value))
        if sys.stderr.isatty() and not (file == STDOUT and sys.stdout.isatty()):
            chunks = stack.enter_context(shown_progress(chunks, counter, _expected(api, parameters, page)))
        if file == STDOUT:
            write_chunks(chunks, output)
            return
        with whole_file(file) as out:
            for chunk in chunks:
                out.write(chunk)
    rows = "" if counter.rows is None else f"{counted(counter.rows, 'session')}, "
    typer.echo(f"{file}: {rows}{size(counter.bytes)}", err=True)


def format_of(file: Path, asked: Format | None) -> Format:
    """The format that was asked for, else that of the file's suffix; to stdout, CSV.

    Errors: a usage error for another suffix, and for tables and JSON.
    """
    if asked is not None and asked not in MEDIA_TYPES:
        raise typer.BadParameter(
            f"{asked.value} is a page for a terminal; an export is csv, ndjson or parquet", param_hint="--format"
        )
    if asked is not None:
        return asked
    if file == STDOUT:
        return Format.CSV
    if (known := _SUFFIXES.get(file.suffix.lower())) is None:
        raise typer.BadParameter(
            f"{str(file)!r} does not say which format; end it in {', '.join(_SUFFIXES)}, or give --format",
            param_hint="FILE",
        )
    return known


@contextlib.contextmanager
def whole_file(file: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name, or replaces the one there, when the block ends well; else nothing is left.

    What is not a regular file (a pipe, a device) is written as it is: a rename would replace it.
    Errors: `OSError`, which names the file or its folder.
    """
    if file.exists() and not file.is_file():
        with file.open("wb") as out:
            yield out
        return
    target = Path(os.path.realpath(file))  # what a link points to is replaced, not the link
    partial = target.parent / f".otel-sessions-{secrets.token_hex(8)}.part"
    with _signals_as_exceptions():
        try:
            with _created(partial) as out:
                if target.exists():
                    os.fchmod(out.fileno(), target.stat().st_mode & 0o777)
                yield out
                out.flush()
                os.fsync(out.fileno())
            partial.replace(target)
        except OSError as error:
            raise OSError(error.errno, error.strerror, error.filename or str(file)) from error
        finally:
            # What could not even be created can't be removed.
            with contextlib.suppress(OSError):
                partial.unlink()


def _created(file: Path) -> IO[bytes]:
    try:
        return file.open("xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file.parent)) from error


@contextlib.contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """A process that is told to end still tidies up; it ends with the code that the signal stands for."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _expected(api: Api, parameters: Mapping[str, object], page: Page) -> int:
    total: int = api.get("v1/sessions", **parameters, limit=1)["pagination"]["total"]
    behind = max(0, total - page.offset)
    return behind if page.limit is None else min(page.limit, behind)
