"""The result of one query through a pipe, in any format, with bounded memory.

chDB either holds a result whole, outside of the engine's own limits, or hands out blocks that are formatted one by one,
each with a head and a foot. `INTO OUTFILE` writes a result as it should be, and `/dev/fd` names a pipe as a file that
nobody keeps: the engine waits while it is full, and nothing is left on a disk whatever becomes of this process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable
from typing import Any, Final

CHUNK_BYTES: Final = 1024 * 1024
_JOIN_S: Final = 0.05


class PipedQuery:
    """Runs one statement in a thread of its own, which ends with it. `close` is due, whatever has happened."""

    def __init__(self) -> None:
        # The writing end stays open until the query is over: only then is the end of the pipe the end of the result.
        self._reader, self._writer = os.pipe()
        with contextlib.suppress(OSError):  # beyond what a user may have: smaller reads
            fcntl.fcntl(self._reader, fcntl.F_SETPIPE_SZ, CHUNK_BYTES)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self.result: Any = None

    def start(self, run: Callable[[str], Any]) -> None:
        """Run what makes the engine write to the path that it is given."""
        thread = threading.Thread(target=self._run, args=(run,), name="clickhouse-http-query")
        thread.start()
        self._thread = thread

    def read(self, bytes_min: int = 1) -> bytes:
        """The next piece of the result, at least `bytes_min` but at its end; nothing after it.

        Errors: those of the query; what it had written since the last `read` is lost.
        """
        parts: list[bytes] = []
        size = 0
        while size < bytes_min:
            part = os.read(self._reader, CHUNK_BYTES)
            if not part:
                self._join()
                if self._error is not None:
                    raise self._error
                break
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def close(self, kill: Callable[[], None]) -> None:
        """End the query if it runs, and forget it. Safe to call twice; never during `read`."""
        if self._reader < 0:
            return
        os.set_blocking(self._reader, False)
        while self._thread is not None and self._thread.is_alive():
            kill()
            # The engine may be waiting for room in the pipe, where it does not hear that it should end.
            with contextlib.suppress(BlockingIOError):
                while os.read(self._reader, CHUNK_BYTES):
                    pass
            self._thread.join(_JOIN_S)
        if self._thread is None:
            os.close(self._writer)
        os.close(self._reader)
        self._reader = -1

    def _run(self, run: Callable[[str], Any]) -> None:
        try:
            self.result = run(f"/dev/fd/{self._writer}")
        except BaseException as error:
            self._error = error
        finally:
            os.close(self._writer)

    def _join(self) -> None:
        assert self._thread is not None
        self._thread.join()
