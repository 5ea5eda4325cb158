"""The socket of a store's directory: one operation at a time, until it is done, nobody waits, or the process stops."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processor.control.client import ask
from processor.control.place import NAME, short_path
from processor.control.server import ControlServer
from processor.errors import ConfigError, Retryable


class Operations:
    """One that counts until it is given up, one that fails, and one that refuses."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.ended = threading.Event()

    def count(self, arguments: dict[str, Any], given_up: threading.Event) -> Iterator[dict[str, Any]]:
        """From a number on."""
        try:
            yield {"progress": arguments["first"]}
            self.began.set()
            given_up.wait()
            yield {"progress": "given up"}
        finally:
            self.ended.set()

    def fail(self, _: dict[str, Any], __: threading.Event) -> Iterator[dict[str, Any]]:
        """By a fault of ours."""
        raise ZeroDivisionError
        yield {}

    def refuse(self, _: dict[str, Any], __: threading.Event) -> Iterator[dict[str, Any]]:
        """By a mistake of theirs."""
        raise ConfigError("not like this")
        yield {}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_operation_at_a_time(tmp_path: Path) -> None:
    """In a directory with a long name; a client that leaves ends its operation, and the socket is its owner's alone."""
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    operations = Operations()
    names = {"count": operations.count, "fail": operations.fail, "refuse": operations.refuse}

    def talk() -> None:
        counting = ask(directory, "count", {"first": 7})
        assert next(counting) == {"progress": 7}
        assert operations.began.wait(30)
        (busy,) = ask(directory, "refuse", {})
        assert "another operation" in busy["error"]
        counting.close()
        assert operations.ended.wait(30)
        answers: list[Any] = []
        while not answers or "another operation" in answers[0]["error"]:
            answers = list(ask(directory, "refuse", {}))
        assert answers == [{"error": "not like this"}]
        (failed,) = ask(directory, "fail", {})
        assert "ZeroDivisionError" in failed["error"]
        (unknown,) = ask(directory, "dance", {})
        assert "'dance' is not known" in unknown["error"]
        with socket.socket(socket.AF_UNIX) as connection, short_path(directory) as path:
            connection.connect(path)
            connection.sendall(b"nonsense\n")
            answer = connection.makefile("rb").readline()
        assert "no line of JSON" in json.loads(answer)["error"]

    async def scenario() -> None:
        server = ControlServer(directory, names)
        (directory / NAME).touch()  # what a killed process left
        await server.start()
        await server.start()
        assert stat.S_IMODE(os.stat(directory / NAME).st_mode) == 0o600
        await asyncio.to_thread(talk)
        await server.stop()
        await server.stop()

    asyncio.run(scenario())
    with pytest.raises(Retryable, match="does not answer"):
        next(ask(directory, "count", {}))
