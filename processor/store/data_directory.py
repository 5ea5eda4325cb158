"""One process to one data directory.

chDB locks its directory too, but says "Error initializing EmbeddedServer" to whoever comes second. This lock comes
first and names the process that holds it. It is the kernel's: a killed process leaves nothing behind to clean up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from processor.errors import ConfigError
from processor.store.connection import StoreConfig

_LOCK = "otel-sessions.lock"
_SCRATCH = "otel-sessions.batches"
MARK = "otelsessions"
"""What the names of a backup's marks begin with, below `shadow`: hard links, which hold on to removed parts. Letters
alone, which the engine does not escape.
"""
RESTORING = "otel-sessions.restoring"
"""The file that stands in a directory while a backup is restored to it."""
_OPTION = "exporters.clickhouse.dsn"


class InUse(ConfigError):
    """Another process has the directory."""


class DataDirectory:
    """Holds the directory of an embedded store from `claim` to `release`; a server's store needs no claim."""

    def __init__(self, config: StoreConfig) -> None:
        self._path = config.directory
        self._descriptor: int | None = None

    def claim(self) -> None:
        """Create the directory and lock it. Safe to call twice.

        Errors: `ConfigError` when it can't be created or written, holds half of a backup, or another process has it
        (`InUse`).
        """
        if self._path is None or self._descriptor is not None:
            return
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigError(
                f"the data directory {self._path} can't be used: {error.strerror}; make it writable for this user, "
                f"or set {_OPTION} to chdb:// and another directory"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "another process"
            os.close(descriptor)
            raise InUse(
                f"the data directory {self._path} is in use by process {holder}; stop it, or set {_OPTION} to "
                "chdb:// and another directory"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        if (self._path / RESTORING).exists():
            self.release()
            raise ConfigError(
                f"the data directory {self._path} has a backup in it that was not restored to the end; empty it and "
                "run 'otel-sessions restore' again"
            )

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty directory for rows on their way to the store, removed at the end.

        An embedded store's lies beside its tables, so that the next process clears up what a killed one left.
        """
        if self._path is None:
            with tempfile.TemporaryDirectory(prefix="otel-sessions-") as temporary:
                yield Path(temporary)
            return
        path = self._path / _SCRATCH
        shutil.rmtree(path, ignore_errors=True)
        for mark in (self._path / "shadow").glob(f"{MARK}*"):  # of a backup that was killed
            shutil.rmtree(mark, ignore_errors=True)
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def release(self) -> None:
        """Let the next process in. Safe to call twice and without `claim`."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
