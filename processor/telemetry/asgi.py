"""An ASGI application on a TCP endpoint, served inside the running event loop.

Uvicorn without what belongs to the process: it installs no signal handlers, configures no logging and never exits.
The port is bound before anything is served, so a taken port is an error with a name instead of a dead task.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from processor.endpoint import parse_endpoint
from processor.errors import ConfigError

BACKLOG = 1024
REQUEST_HEAD_BYTES_MAX = 1024 * 1024  # session ids travel in the path and may be long


def listen(endpoint: str, option: str) -> socket.socket:
    """A listening socket on `endpoint`.

    Errors: `ConfigError` that names `option`, the configuration key to change.
    """
    host, port = parse_endpoint(endpoint)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"can't listen on {endpoint}: {error.strerror or error}; stop the process that uses the port, or set "
            f"{option} to another endpoint"
        ) from error
    listener.setblocking(False)
    return listener


class AsgiServer:
    """Serves one application. `start` and `stop` are safe to call twice, `stop` also without `start`."""

    def __init__(self, app: Any, endpoint: str, option: str, stop_grace_s: int = 5) -> None:
        self._app = app
        self._endpoint = endpoint
        self._option = option
        self._stop_grace_s = stop_grace_s
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The bound port; 0 before `start`."""
        return self._port

    async def start(self) -> None:
        """Bind and serve; returns when requests are answered.

        Errors: `ConfigError` when the endpoint can't be bound.
        """
        if self._task is not None:
            return
        listener = listen(self._endpoint, self._option)
        self._port = listener.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=self._stop_grace_s,
                http="h11",
                h11_max_incomplete_event_size=REQUEST_HEAD_BYTES_MAX,
            )
        )
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name=f"asgi {self._endpoint}")
        answering = asyncio.create_task(self._server.answering.wait())
        await asyncio.wait({self._task, answering}, return_when=asyncio.FIRST_COMPLETED)
        answering.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Accept no more, finish what is in flight within the grace, close."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        task, self._task, self._server = self._task, None, None
        await task


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The service decides what a signal stops, and in which order.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()
