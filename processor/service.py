"""The processor as one process: which component feeds which, and in which order they start and stop.

Start downstream first, so that nothing is accepted that could not be stored; stop upstream first, so that everything
accepted is stored: receivers finish what is in flight, the log drains, the worker flushes, the store closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

import structlog

from processor.api.app import create_app
from processor.api.config import ApiConfig
from processor.api.pool import QueryPool
from processor.asgi import AsgiServer
from processor.clickhouse_http.app import ClickHouseHttp
from processor.clickhouse_http.engine import Engine
from processor.config import Config
from processor.log.memory import MemoryLog
from processor.model import DEFAULT_TENANT
from processor.receiver.otlp_grpc import OtlpGrpcReceiver
from processor.receiver.otlp_http import OtlpHttpReceiver
from processor.store.clickhouse import connect, open_store
from processor.store.data_directory import DataDirectory
from processor.store.queries import SessionQueries
from processor.telemetry.metrics import Metrics
from processor.telemetry.server import health_app, metrics_app
from processor.worker import Worker

_RECEIVER_GRACE_S = 5.0
_SWITCH_INTERVAL_S = 0.001  # decoding and rollups take turns in small steps, the event loop between them
_QUEUE = "clickhouse"

_log = structlog.get_logger(__name__)


class Service:
    """Everything one `Config` describes. `start` and `stop` are safe to call twice, `stop` also without `start`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._metrics = Metrics()
        self._stack: AsyncExitStack | None = None
        self._worker: Worker | None = None
        self._ready = False
        self._ports: dict[str, int] = {}

    @property
    def ports(self) -> dict[str, int]:
        """Bound ports of what is served: `metrics, health_check, sessions_api, clickhouse_http, grpc, http`."""
        return dict(self._ports)

    @property
    def ready(self) -> bool:
        """Spans are accepted, and the worker can store them."""
        return self._ready and self._worker is not None and self._worker.healthy

    async def crashed(self) -> BaseException:
        """Wait until a part has failed for good: only a restart, which resumes from the store, mends it."""
        assert self._worker is not None
        return await self._worker.crashed()

    async def settle(self) -> None:
        """Make every rollup current."""
        assert self._worker is not None
        await self._worker.settle()

    async def start(self) -> None:
        """Start everything, or nothing.

        Errors: `ConfigError` for what the configuration must change, `Retryable` for a store that does not answer.
        """
        if self._stack is not None:
            return
        async with AsyncExitStack() as stack:
            await self._start_telemetry(stack)
            log = await self._start_pipeline(stack)
            await self._start_api(stack)
            await self._start_clickhouse_http(stack)
            await self._start_receivers(stack, log)
            self._stack = stack.pop_all()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        gc.freeze()  # what stands now stands to the end; collections need not look at it again
        self._ready = True
        _log.info("started", **{f"{name}_port": port for name, port in self._ports.items()})

    async def stop(self) -> None:
        """Stop upstream first; what was accepted is stored when this returns."""
        self._ready = False
        stack, self._stack = self._stack, None
        if stack is not None:
            _log.info("stopping")
            await stack.aclose()
            _log.info("stopped")

    async def _start_telemetry(self, stack: AsyncExitStack) -> None:
        telemetry, health = self._config.service.telemetry, self._config.health_check
        if telemetry.metrics.address:
            option = "service.telemetry.metrics.address"
            await self._serve(stack, "metrics", metrics_app(self._metrics), telemetry.metrics.address, option)
        if health is not None:
            option = "extensions.health_check.endpoint"
            await self._serve(stack, "health_check", health_app(lambda: self.ready), health.endpoint, option)

    async def _start_pipeline(self, stack: AsyncExitStack) -> MemoryLog:
        exporter, sessions = self._config.exporters.clickhouse, self._config.processors.sessions
        assert exporter is not None
        assert sessions is not None
        directory = DataDirectory(exporter)
        directory.claim()
        stack.callback(directory.release)
        store = await asyncio.to_thread(open_store, exporter)
        stack.push_async_callback(asyncio.to_thread, store.close)
        log = MemoryLog(exporter.sending_queue)
        self._metrics.queue_bytes.labels(_QUEUE).set_function(lambda: log.queued_bytes)
        self._metrics.queue_bytes_max.labels(_QUEUE).set(log.queue_bytes_max)
        self._worker = Worker(sessions, log, store, self._metrics, stack.enter_context(directory.scratch()))
        stack.push_async_callback(self._worker.stop)
        stack.push_async_callback(log.close)
        await self._worker.start()
        return log

    async def _start_api(self, stack: AsyncExitStack) -> None:
        api = self._config.sessions_api
        if api is None:
            return
        readers = [await self._reader(stack, api) for _ in range(api.concurrent_queries_max)]
        app = create_app(QueryPool(readers, api.waiting_queries_max), DEFAULT_TENANT, version("otel-sessions"))
        await self._serve(stack, "sessions_api", app, api.endpoint, "extensions.sessions_api.endpoint")

    async def _start_clickhouse_http(self, stack: AsyncExitStack) -> None:
        interface, exporter = self._config.clickhouse_http, self._config.exporters.clickhouse
        if interface is None or exporter is None:
            return
        app = ClickHouseHttp(await asyncio.to_thread(Engine, exporter, interface))
        stack.push_async_callback(asyncio.to_thread, app.close)
        await self._serve(stack, "clickhouse_http", app, interface.endpoint, "extensions.clickhouse_http.endpoint")

    async def _reader(self, stack: AsyncExitStack, api: ApiConfig) -> SessionQueries:
        exporter = self._config.exporters.clickhouse
        assert exporter is not None
        client = await asyncio.to_thread(connect, exporter)
        stack.callback(client.close)
        return SessionQueries(client, exporter.database, api.query_timeout_s)

    async def _start_receivers(self, stack: AsyncExitStack, log: MemoryLog) -> None:
        otlp = self._config.receivers.otlp
        assert otlp is not None
        receivers: dict[str, OtlpGrpcReceiver | OtlpHttpReceiver] = {}
        if otlp.protocols.grpc is not None:
            receivers["grpc"] = OtlpGrpcReceiver(otlp.protocols.grpc, log, self._metrics, DEFAULT_TENANT)
        if otlp.protocols.http is not None:
            receivers["http"] = OtlpHttpReceiver(otlp.protocols.http, log, self._metrics, DEFAULT_TENANT)
        for protocol, receiver in receivers.items():
            await receiver.start()
            stack.push_async_callback(receiver.stop, _RECEIVER_GRACE_S)
            self._ports[protocol] = receiver.port

    async def _serve(self, stack: AsyncExitStack, name: str, app: Any, endpoint: str, option: str) -> None:
        server = AsgiServer(app, endpoint, option)
        await server.start()
        stack.push_async_callback(server.stop)
        self._ports[name] = server.port


async def run_until_signal(config: Config) -> None:
    """Run until SIGINT or SIGTERM, then stop in order. A second signal ends the process at once.

    Errors: those of `Service.start`; what a part died of, for the supervisor to start the process again.
    """
    service = Service(config)
    async with _asked_to_stop() as asked:
        starting = asyncio.create_task(service.start())
        try:
            await _first_of(starting, asked)
            if starting.done():
                await starting
                crashed = asyncio.create_task(service.crashed())
                await _first_of(crashed, asked)
                if crashed.done():
                    raise crashed.result()
                crashed.cancel()
        finally:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            await service.stop()


@contextlib.asynccontextmanager
async def _asked_to_stop() -> AsyncIterator[asyncio.Task[object]]:
    """A task that is done when a signal asks the process to stop."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def ask() -> None:
        asked.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, ask)
    waiting: asyncio.Task[object] = asyncio.create_task(asked.wait())
    try:
        yield waiting
    finally:
        waiting.cancel()


async def _first_of(*tasks: asyncio.Task[Any]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
