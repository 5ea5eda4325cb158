"""An ASGI application on a TCP endpoint, served inside the running event loop: API, telemetry, OTLP over HTTP.

Uvicorn without what belongs to the process: it installs no signal handlers, configures no logging and never exits.
The port is bound before anything is served, so a taken port is an error with a name instead of a dead task.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import uvicorn

from processor.endpoint import cannot_listen, parse_endpoint
from processor.errors import ConfigError
from processor.http_heads import HEAD_TIMEOUT_S, BoundedHeads
from processor.tls.server import ServerTls

BACKLOG = 1024
STOP_GRACE_S = 5.0
_CLOSE = (b"connection", b"close")
REQUEST_HEAD_BYTES_MAX = 1024 * 1024  # session ids travel in the path and may be long


def listen(endpoint: str, option: str) -> socket.socket:
    """A listening socket on `endpoint`.

    Errors: `ConfigError` that names `option`, the configuration key to change.
    """
    host, port = parse_endpoint(endpoint)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio would leave Nagle's algorithm on: 40 ms on every answer over a kept connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(cannot_listen(endpoint, option, error.strerror or str(error))) from error
    listener.setblocking(False)
    return listener


class AsgiServer:
    """Serves one application. `start` and `stop` are safe to call twice, `stop` also without `start`."""

    def __init__(
        self,
        app: Any,
        endpoint: str,
        option: str,
        keepalive_timeout_s: int = 5,
        tls: ServerTls | None = None,
        *,
        head_timeout_s: float = HEAD_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._tls = tls
        self._endpoint = endpoint
        self._option = option
        self._keepalive_timeout_s = keepalive_timeout_s
        self._head_timeout_s = head_timeout_s
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The bound port; 0 before `start`."""
        return self._port

    @property
    def dead(self) -> str:
        """Why it answers no more although nobody stopped it; '' while it does."""
        ended = self._task is not None and self._task.done()
        return f"nothing answers on {self._endpoint} any more; restart the process" if ended else ""

    async def start(self) -> None:
        """Bind and serve; returns when requests are answered.

        Errors: `ConfigError` when the endpoint can't be bound, or its certificate can't be used.
        """
        if self._task is not None:
            return
        tls = self._tls
        if tls is not None:
            await tls.start()
        try:
            listener = listen(self._endpoint, self._option)
        except ConfigError:
            if tls is not None:
                await tls.stop()
            raise
        self._port = listener.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=self._keepalive_timeout_s,
                ws="none",
                http=partial(BoundedHeads, head_timeout_s=self._head_timeout_s),  # type: ignore[arg-type]
                h11_max_incomplete_event_size=REQUEST_HEAD_BYTES_MAX,
                ssl_context_factory=None if tls is None else lambda _config, _default: tls.asgi_context(),
            )
        )
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name=f"asgi {self._endpoint}")
        answering = asyncio.create_task(self._server.answering.wait())
        await asyncio.wait({self._task, answering}, return_when=asyncio.FIRST_COMPLETED)
        answering.cancel()
        if self._task.done():
            await self._task

    def drain(self) -> None:
        """From now on say `Connection: close` in every answer: the next request goes where the balancer sends it."""
        if self._server is not None:
            self._server.close_after_answers()

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Accept no more, give requests in flight `grace_s` seconds, then cancel them and see them end."""
        if self._server is None or self._task is None:
            return
        server, task = self._server, self._task
        self._task = self._server = None
        server.config.timeout_graceful_shutdown = grace_s  # type: ignore[assignment]  # handed to asyncio.wait_for
        server.should_exit = True
        await task
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
        if self._tls is not None:
            await self._tls.stop()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The service decides what a signal stops, and in which order.
        yield

    def close_after_answers(self) -> None:
        # The first is copied into the second once a second.
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()
