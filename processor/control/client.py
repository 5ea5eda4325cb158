"""The end of a command: one request, and its events as they come."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from processor.control.place import short_path
from processor.errors import Retryable


def ask(directory: Path, operation: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What comes of an operation that the process does which has the directory open; closing it ends the operation.

    Errors: `Retryable` where no process answers, or stops to; what it can't do is an event `{"error": ...}`.
    """
    request = json.dumps({"operation": operation, "arguments": arguments}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            with short_path(directory) as path:
                connection.connect(path)
            connection.sendall(request)
            with connection.makefile("rb") as lines:
                for line in lines:
                    yield json.loads(line)
    except OSError as error:
        raise Retryable(
            f"the process that has {directory} open does not answer ({error.strerror or error}); it may be starting, "
            "stopping, or be no 'otel-sessions run'"
        ) from error
