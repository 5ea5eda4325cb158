"""OTLP over HTTP, port 4318: `POST /v1/traces`, `/v1/logs`, `/v1/metrics`, protobuf and JSON on one port.

A plain ASGI application; signals and logging stay with the process.
Source: opentelemetry-proto `docs/specification.md`, "OTLP/HTTP"; Collector `confighttp`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from processor.asgi import AsgiServer
from processor.errors import ConfigError, Retryable
from processor.model import DEFAULT_TENANT, Receipt
from processor.receiver import http_wire
from processor.receiver.cors import Cors
from processor.receiver.http_body import BodyReader, Receive
from processor.receiver.http_wire import Answer, Export
from processor.receiver.intake import Intake, LogWriters
from processor.receiver.rate_limits import RateLimits
from processor.receiver.status import Failure, failure_of
from processor.telemetry.metrics import Metrics

_Scope = Mapping[str, Any]
_Send = Callable[[Mapping[str, Any]], Awaitable[None]]

_MIB = 1024 * 1024
_OPTION = "receivers.otlp.protocols.http.endpoint"


@dataclass(frozen=True, slots=True)
class OtlpHttpConfig:
    """Where to listen and how much to take."""

    endpoint: str = field(
        default="127.0.0.1:4318",
        metadata={"help": "host:port to listen on; port 0 chooses a free one, no host means all IPv4 interfaces."},
    )
    max_request_body_size_mib: int = field(
        default=64,
        metadata={"help": "Largest body in MiB, also after decompression; larger is 413.", "min": 1, "max": 1024},
    )
    max_buffered_mib: int = field(
        default=256,
        metadata={
            "help": "MiB of bodies on their way in, all requests together, before the log has them; more is 503. At "
            "least max_request_body_size_mib, or a body of that size never fits.",
            "min": 1,
        },
    )
    max_concurrent_requests: int = field(
        default=1024,
        metadata={"help": "Requests under way; more is answered 503, unread, with Retry-After.", "min": 1},
    )
    read_timeout_s: float = field(
        default=60.0,
        metadata={"help": "Seconds a client has to send its body; then it is answered 503.", "min": 1},
    )
    keepalive_timeout_s: int = field(
        default=30,
        metadata={"help": "Seconds an idle connection is kept for the next request.", "min": 1},
    )
    cors_allowed_origins: tuple[str, ...] = field(
        default=(),
        metadata={"help": "Origins of web pages that may send, like https://*.example.com; * is any, empty is none."},
    )
    cors_allowed_headers: tuple[str, ...] = field(
        default=(),
        metadata={"help": "Headers such a page may set besides content-type, content-encoding, x-requested-with."},
    )
    cors_max_age_s: int = field(
        default=7200,
        metadata={"help": "Seconds a browser may remember the permission; 0 asks before every request.", "min": 0},
    )


class OtlpHttpReceiver:
    """Listens between `start` and `stop`, which are safe in any order and twice."""

    def __init__(
        self,
        config: OtlpHttpConfig,
        logs: LogWriters,
        metrics: Metrics,
        tenant: str = DEFAULT_TENANT,
        limits: RateLimits | None = None,
    ) -> None:
        self._config = config
        self._cors = Cors(config.cors_allowed_origins, config.cors_allowed_headers, config.cors_max_age_s)
        self._intake = Intake(logs, metrics, "http", tenant, config.max_concurrent_requests, limits)
        self._running: _Running | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The bound port; 0 before `start`."""
        return self._port

    async def start(self) -> None:
        """Bind and serve. Errors: `ConfigError` if the endpoint is wrong or taken."""
        if self._running is not None:
            return
        config = self._config
        bodies = BodyReader(
            config.max_request_body_size_mib * _MIB, config.max_buffered_mib * _MIB, config.read_timeout_s
        )

        async def app(scope: _Scope, receive: Receive, send: _Send) -> None:
            await self._serve(bodies, scope, receive, send)

        server = AsgiServer(app, config.endpoint, _OPTION, config.keepalive_timeout_s)
        try:
            await server.start()
        except ConfigError:
            bodies.close()
            raise
        self._running = _Running(server, bodies)
        self._port = server.port

    async def stop(self, grace_s: float) -> None:
        """Refuse new connections, give running requests `grace_s` seconds, then answer them 503."""
        running, self._running = self._running, None
        if running is not None:
            await running.server.stop(grace_s)
            running.bodies.close()

    async def _serve(self, bodies: BodyReader, scope: _Scope, receive: Receive, send: _Send) -> None:
        assert scope["type"] == "http", "no lifespan and no websockets are configured"
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if self._cors.is_preflight(scope["method"], headers):
            await _send(Answer(204, headers=tuple(self._cors.preflight(headers))), send)
            return
        export = http_wire.read_head(scope["method"], scope["path"], headers)
        media = http_wire.media_of(headers)
        if isinstance(export, Failure):
            response = http_wire.refusal(self._intake.refuse(export), media)
        else:
            outcome = await self._export(
                export, lambda: bodies.read(export, headers.get("content-length", ""), receive)
            )
            response = http_wire.answer(outcome, export)
        await _send(Answer(response.status, response.body, (*response.headers, *self._cors.answer(headers))), send)

    async def _export(self, export: Export, read: Callable[[], Awaitable[bytes]]) -> Receipt | Failure:
        try:
            return await self._intake.take(export.signal, read)
        except asyncio.CancelledError:
            # Only `stop` cancels; left to uvicorn this would be a 500, which exporters don't retry.
            return failure_of(Retryable("shutting down; retry against the restarted process"))


@dataclass(frozen=True, slots=True)
class _Running:
    """What `start` made and `stop` takes down."""

    server: AsgiServer
    bodies: BodyReader


async def _send(response: Answer, send: _Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if response.status != HTTPStatus.NO_CONTENT:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
