"""Files that are read again when they change: tokens, keys, certificates.

Looked at, not watched: a mounted Kubernetes secret is replaced by a symbolic link, which notifications miss. Compared
by content, so that a file that is only touched changes nothing. What is there and can't be used is said once, as an
error, and what was in use before stays in use.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from processor.errors import ConfigError

FILE_BYTES_MAX = 16 * 1024 * 1024

_log = structlog.get_logger(__name__)


class Reloading:
    """Calls `apply` with the contents of `files` at `start`, and whenever they have changed since.

    `apply` raises `ConfigError` for contents that it can't use. `what` is what the log calls them. `start` and `stop`
    are safe to call twice, `stop` also without `start`.
    """

    def __init__(
        self, files: Sequence[str], apply: Callable[[Sequence[bytes]], None], interval_s: float, what: str
    ) -> None:
        self._files = [Path(file) for file in files]
        self._apply = apply
        self._interval_s = interval_s
        self._what = what
        self._contents: Sequence[bytes] = ()
        self._complaint = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the files, and from now on look at them. Errors: `ConfigError` for files that can't be used now."""
        if self._task is not None:
            return
        contents = await asyncio.to_thread(self._read)
        self._apply(contents)
        self._contents = contents
        self._task = asyncio.create_task(self._look(), name=f"reload {self._what}")

    async def stop(self) -> None:
        """Look at them no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                contents = await asyncio.to_thread(self._read)
                if contents == self._contents:
                    self._complaint = ""
                    continue
                self._apply(contents)
            except ConfigError as error:
                self._complain(str(error))
                continue
            except Exception as error:
                # Whatever it is, it must not be the end of looking. Its text may quote the file.
                self._complain(f"can't be read: {type(error).__name__}")
                continue
            self._contents, self._complaint = contents, ""
            _log.info("reloaded", what=self._what)

    def _complain(self, error: str) -> None:
        if error != self._complaint:
            self._complaint = error
            _log.error(
                "not_reloaded",
                what=self._what,
                error=error,
                in_use="what was there before",
                action="mend the file; it is read again by itself",
            )

    def _read(self) -> Sequence[bytes]:
        return [read_file(file) for file in self._files]


def read_file(file: Path) -> bytes:
    """The content of a small file.

    Errors: `ConfigError` for one that can't be read, or is larger than `FILE_BYTES_MAX`.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror or error}") from error
    if len(content) > FILE_BYTES_MAX:
        raise ConfigError(f"{file}: is larger than {FILE_BYTES_MAX} bytes")
    return content
