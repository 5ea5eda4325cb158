"""The end of the process: takes one request a connection, runs it in a thread, and sends what comes of it.

One operation at a time: a backup and a rebuild would be in each other's way. Must never hold up what is ingested.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

from processor.control.place import NAME, short_path
from processor.errors import ConfigError, OtelSessionsError

REQUEST_BYTES_MAX: Final = 64 * 1024
_REQUEST_S: Final = 10.0
_EVENTS_MAX: Final = 256  # on their way to the connection

Event: TypeAlias = dict[str, Any]
Operation: TypeAlias = Callable[[dict[str, Any], threading.Event], Iterator[Event]]
"""From its arguments, and what is set when nobody waits for it any more, to its events. Runs in a thread."""

_log = structlog.get_logger(__name__)


class ControlServer:
    """Listens from `start` to `stop`, both safe to call twice."""

    def __init__(self, directory: Path, operations: dict[str, Operation]) -> None:
        """The directory must be this process's (`DataDirectory.claim`)."""
        self._directory = directory
        self._operations = operations
        self._server: asyncio.Server | None = None
        self._one = asyncio.Lock()
        self._given_up: set[threading.Event] = set()
        self._running: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Errors: `ConfigError` where the directory takes no socket."""
        if self._server is not None:
            return
        (self._directory / NAME).unlink(missing_ok=True)  # a killed process's: the directory is ours
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_path(self._directory) as path:
                listener.bind(path)
                os.chmod(path, 0o600)  # before anybody can connect
            listener.listen()
        except OSError as error:
            listener.close()
            raise ConfigError(
                f"exporters.clickhouse.dsn: {self._directory} takes no socket ({error.strerror}); commands reach this "
                "process by it; choose a directory on a local file system"
            ) from error
        listener.setblocking(False)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=REQUEST_BYTES_MAX)

    async def stop(self) -> None:
        """Listen no more, end what runs after its step."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for given_up in self._given_up:
            given_up.set()
        if self._running:
            await asyncio.wait(self._running)
        (self._directory / NAME).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._running.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            name, arguments = _parsed(await asyncio.wait_for(reader.readline(), _REQUEST_S))
            operation = self._operations.get(name)
            if operation is None:
                raise ConfigError(f"{name!r} is not known to the running process; is it of the same version?")
            if self._one.locked():
                raise ConfigError("another operation on this store is under way; wait until it is done")
            async with self._one:
                _log.info("operation_started", operation=name)
                await self._run(operation, arguments, reader, writer)
                _log.info("operation_ended", operation=name)
        except (OtelSessionsError, TimeoutError) as error:
            await _send(writer, {"error": str(error) or "no request came"})
        except Exception as error:
            _log.exception(
                "operation_failed", action="report it, this is a fault of ours; the operation can be repeated"
            )
            await _send(writer, {"error": f"the operation failed ({type(error).__name__}); see the process's log"})

    async def _run(
        self,
        operation: Operation,
        arguments: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Errors: the operation's."""
        given_up = threading.Event()
        self._given_up.add(given_up)
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Event | None](_EVENTS_MAX)

        def put(event: Event | None) -> None:
            asyncio.run_coroutine_threadsafe(events.put(event), loop).result()

        def work() -> None:
            try:
                for event in operation(arguments, given_up):
                    put(event)
                    if given_up.is_set():
                        return
            finally:
                put(None)

        leaving = asyncio.create_task(_until_left(reader, given_up))
        working = asyncio.create_task(asyncio.to_thread(work))
        try:
            while (event := await events.get()) is not None:
                with contextlib.suppress(ConnectionError):  # the events of one that has left are taken all the same
                    await _send(writer, event)
            await working
        finally:
            given_up.set()
            leaving.cancel()
            self._given_up.discard(given_up)


async def _until_left(reader: asyncio.StreamReader, given_up: threading.Event) -> None:
    """A client says nothing after its request: what comes is the end."""
    with contextlib.suppress(OSError, ValueError):
        await reader.read(1)
    given_up.set()


async def _send(writer: asyncio.StreamWriter, event: Event) -> None:
    writer.write(json.dumps(event).encode() + b"\n")
    await writer.drain()


def _parsed(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        request = json.loads(line)
        return str(request["operation"]), dict(request["arguments"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError("the request is no line of JSON with operation and arguments") from error
