"""Where the socket is. A path of a Unix socket has some hundred bytes, a directory may have more."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME: Final = "otel-sessions.sock"


@contextlib.contextmanager
def short_path(directory: Path) -> Iterator[str]:
    """A path of the socket that is short enough, while the context lasts: by way of an open directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
