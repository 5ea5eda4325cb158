"""The components of one process: which feeds which, and in which order they start and stop.

Start downstream first, so that nothing is accepted that could not be stored; stop upstream first, so that everything
accepted is stored: receivers finish what is in flight, the log drains, the worker flushes, the store closes. With Kafka
between, each half may be a process of its own: everything accepted is in the log then.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from importlib.metadata import version
from typing import Any

import structlog

from processor.api.config import ApiConfig
from processor.asgi import AsgiServer
from processor.auth.extensions import Authenticators
from processor.clock import monotonic_s
from processor.config import Config
from processor.control.server import ControlServer
from processor.debug.exporter import DebugExporter, DebugLog, ShownReader, ShownWriter
from processor.exposure import exposures
from processor.log.base import LogReader
from processor.log.kafka.config import KafkaExporterConfig
from processor.log.kafka.producer import KafkaProducerLog
from processor.log.kafka.reader import KafkaLogReader
from processor.log.memory import MemoryLog, MemoryLogConfig
from processor.model import DEFAULT_TENANT
from processor.operations import Operations
from processor.pricing.prices import Prices
from processor.receiver.intake import LogWriters
from processor.receiver.otlp_grpc import OtlpGrpcReceiver
from processor.receiver.otlp_http import OtlpHttpReceiver
from processor.receiver.rate_limits import RateLimits
from processor.signals import Signal
from processor.store.budgeting import BudgetStore
from processor.store.clickhouse import open_store
from processor.store.connection import StoreConfig, connect
from processor.store.data_directory import DataDirectory
from processor.store.deletions import SessionDeletions
from processor.store.purging import PurgeStore
from processor.store.queries import SessionQueries
from processor.telemetry.health import Health, health_app
from processor.telemetry.logging import lines_counted
from processor.telemetry.metrics import Metrics
from processor.telemetry.requests import WatchedApi
from processor.telemetry.server import metrics_app
from processor.telemetry.traces import OwnTraces
from processor.tls.config import TlsConfig
from processor.tls.server import ServerTls
from processor.worker import Worker, WorkerConfig
from processor.worker.worker import Budgets

_SWITCH_INTERVAL_S = 0.001  # rollups and inserts take turns with the event loop in small steps

_log = structlog.get_logger(__name__)


class Service:
    """Everything one `Config` describes. `start` and `stop` are safe to call twice, `stop` also without `start`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._authenticators = Authenticators(config.extensions.bearertokenauth, config.extensions.oidc)
        self._metrics = Metrics()
        self._stack: AsyncExitStack | None = None
        self._worker: Worker | None = None
        self._draining: list[Callable[[], None]] = []
        self._traces = OwnTraces(config.service.telemetry.traces, self._metrics)
        self._health = Health()
        self._started = False
        self._ports: dict[str, int] = {}

    @property
    def ports(self) -> dict[str, int]:
        """Bound ports of what is served: `metrics, health_check, sessions_api, clickhouse_http, grpc, http`."""
        return dict(self._ports)

    @property
    def ready(self) -> bool:
        """Everything stands, the log takes spans, and the worker can store them."""
        return self._started and not self._health.missing

    async def crashed(self) -> BaseException:
        """Wait until a part has failed for good: only a restart mends it."""
        while (worker := self._worker) is None:
            await asyncio.Event().wait()  # for ever: what else there is mends itself
        return await worker.crashed()

    async def settle(self) -> None:
        """Make every rollup current."""
        if self._worker is not None:
            await self._worker.settle()

    async def start(self) -> None:
        """Start everything, or nothing.

        Errors: `ConfigError` for what the configuration must change, `Retryable` for a store that does not answer.
        """
        if self._stack is not None:
            return
        async with AsyncExitStack() as stack:
            stack.callback(self._health.forget)
            for section, warning in exposures(self._config):
                _log.warning(
                    "exposed",
                    section=section,
                    warning=warning,
                    action="see docs/authentication.md, or listen on loopback",
                )
            stack.callback(self._draining.clear)
            await self._authenticators.start()
            stack.push_async_callback(self._authenticators.stop)
            await self._start_telemetry(stack)
            writers = await self._start_worker(stack)
            await self._start_api(stack)
            await self._start_clickhouse_http(stack)
            await self._start_receivers(stack, writers)
            self._stack = stack.pop_all()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        gc.freeze()  # what stands now stands to the end; collections need not look at it again
        self._started = True
        self._health.started()
        _log.info("started", **{f"{name}_port": port for name, port in self._ports.items()})

    async def drain(self) -> None:
        """Not ready from now on, and serving all the same for `service.drain.delay_s`: until balancers know of it."""
        delay_s = self._config.service.drain.delay_s
        if not self._started or not delay_s:
            return
        self._started = False
        self._health.stopping()
        _log.info("draining", delay_s=delay_s)
        for drain in self._draining:
            drain()
        await asyncio.sleep(delay_s)

    async def stop(self) -> None:
        """Stop upstream first; what was accepted is stored when this returns."""
        self._started = False
        stack, self._stack = self._stack, None
        if stack is not None:
            self._health.stopping()
            _log.info("stopping")
            await stack.aclose()
            _log.info("stopped")

    async def _start_telemetry(self, stack: AsyncExitStack) -> None:
        telemetry, health = self._config.service.telemetry, self._config.health_check
        stack.enter_context(lines_counted(self._metrics))
        self._metrics.ready.set_function(lambda: float(self.ready))
        self._traces.start()
        stack.push_async_callback(asyncio.to_thread, self._traces.stop)
        if telemetry.metrics.address:
            option = "service.telemetry.metrics.address"
            app, tls = metrics_app(self._metrics), telemetry.metrics.tls
            await self._serve(stack, "metrics", app, telemetry.metrics.address, option, tls)
        if health is not None:
            option = "extensions.health_check.endpoint"
            await self._serve(stack, "health_check", health_app(self._health), health.endpoint, option, health.tls)

    async def _start_worker(self, stack: AsyncExitStack) -> LogWriters:
        """The worker, where there is one, on the logs that it reads; the writing ends of logs in memory."""
        exporter, sessions = self._config.exporters.clickhouse, self._config.sessions
        if sessions is None:
            return {}
        assert exporter is not None
        directory = DataDirectory(exporter)
        directory.claim()
        stack.callback(directory.release)
        store = await asyncio.to_thread(open_store, exporter, self._metrics)
        stack.push_async_callback(asyncio.to_thread, store.close)
        scratch = stack.enter_context(directory.scratch())
        readers, writers = self._logs(exporter.sending_queue)
        purges = await asyncio.to_thread(PurgeStore, exporter, self._metrics)
        stack.push_async_callback(asyncio.to_thread, purges.close)
        budgets = await self._budgets(stack, exporter) if sessions.budgets.rules else None
        self._worker = worker = Worker(sessions, readers, store, self._metrics, scratch, purges, budgets, self._traces)
        stack.push_async_callback(worker.stop)
        await worker.start()
        self._health.add("worker", lambda: worker.missing, lambda: worker.dead)
        if exporter.directory is not None:
            operations = Operations(self._config, held_up=self._held_up(worker))
            control = ControlServer(exporter.directory, operations.by_name())
            stack.push_async_callback(control.stop)
            await control.start()
        return writers

    async def _budgets(self, stack: AsyncExitStack, exporter: StoreConfig) -> Budgets:
        stores = [await asyncio.to_thread(BudgetStore, exporter) for _ in range(2)]
        for store in stores:
            stack.push_async_callback(asyncio.to_thread, store.close)
        return Budgets(*stores)

    def _held_up(self, worker: Worker) -> Callable[[], AbstractContextManager[None]]:
        """Keeps the worker from writing; for another thread."""
        loop = asyncio.get_running_loop()

        @contextmanager
        def held_up() -> Iterator[None]:
            closed = worker.gate.closed()
            asyncio.run_coroutine_threadsafe(closed.__aenter__(), loop).result()
            try:
                yield
            finally:
                asyncio.run_coroutine_threadsafe(closed.__aexit__(None, None, None), loop).result()

        return held_up

    async def _start_api(self, stack: AsyncExitStack) -> None:
        api = self._config.sessions_api
        if api is None:
            return
        # FastAPI: 0.3 s and 18 MiB that a receiver and a worker of their own save.
        from processor.api.app import create_app  # noqa: PLC0415
        from processor.api.pool import QueryPool  # noqa: PLC0415

        readers = [await self._reader(stack, api) for _ in range(api.concurrent_queries_max)]
        sessions = self._config.processors.sessions or WorkerConfig()
        prices = await asyncio.to_thread(Prices, sessions.pricing.prices)
        pool = QueryPool(readers, api.waiting_queries_max)
        deletions = await self._deletions(stack, sessions.deletion.block_days)
        who = self._authenticators.of(api.auth)
        app = create_app(pool, DEFAULT_TENANT, version("otel-sessions"), prices, deletions, who)
        watched = WatchedApi(app, "sessions_api", self._metrics, self._traces)
        await self._serve(stack, "sessions_api", watched, api.endpoint, "extensions.sessions_api.endpoint", api.tls)

    async def _start_clickhouse_http(self, stack: AsyncExitStack) -> None:
        interface, exporter = self._config.clickhouse_http, self._config.exporters.clickhouse
        if interface is None or exporter is None:
            return
        # chDB: 200 MiB, most of it pages of its library.
        from processor.clickhouse_http.app import PATHS, ClickHouseHttp  # noqa: PLC0415
        from processor.clickhouse_http.engine import Engine  # noqa: PLC0415

        engine = await asyncio.to_thread(Engine, exporter, interface)
        queries = ClickHouseHttp(engine, self._authenticators.of(interface.auth))
        stack.push_async_callback(asyncio.to_thread, queries.close)
        app = WatchedApi(queries, "clickhouse_http", self._metrics, self._traces, PATHS)
        option = "extensions.clickhouse_http.endpoint"
        await self._serve(stack, "clickhouse_http", app, interface.endpoint, option, interface.tls)

    async def _reader(self, stack: AsyncExitStack, api: ApiConfig) -> SessionQueries:
        exporter = self._config.exporters.clickhouse
        assert exporter is not None
        client = await asyncio.to_thread(connect, exporter)
        stack.callback(client.close)
        return SessionQueries(client, exporter.database, api.query_timeout_s, api.export_timeout_s)

    async def _deletions(self, stack: AsyncExitStack, block_days: int) -> SessionDeletions:
        exporter = self._config.exporters.clickhouse
        assert exporter is not None
        client = await asyncio.to_thread(connect, exporter)
        stack.callback(client.close)
        return SessionDeletions(client, exporter.database, block_days)

    async def _start_receivers(self, stack: AsyncExitStack, writers: LogWriters) -> None:
        otlp, kafka = self._config.otlp, self._config.kafka_exporter
        if otlp is None:
            return
        if kafka is not None:
            signals = [signal for signal in Signal if kafka.topic_of(signal)]
            logs = await asyncio.gather(*(self._start_producer(stack, kafka, signal) for signal in signals))
            writers = dict(zip(signals, logs, strict=True))
        writers = self._shown(writers)
        limits = RateLimits(otlp.limits) if otlp.limits.is_set else None
        receivers: dict[str, OtlpGrpcReceiver | OtlpHttpReceiver] = {}
        if (grpc := otlp.protocols.grpc) is not None:
            who = self._authenticators.of(grpc.auth)
            receivers["grpc"] = OtlpGrpcReceiver(grpc, writers, self._metrics, DEFAULT_TENANT, who, limits)
        if (http := otlp.protocols.http) is not None:
            who = self._authenticators.of(http.auth)
            receivers["http"] = OtlpHttpReceiver(http, writers, self._metrics, DEFAULT_TENANT, who, limits)
        stack.push_async_callback(self._stop_receivers, receivers.values())
        for protocol, receiver in receivers.items():
            await receiver.start()
            self._draining.append(receiver.drain)
            self._ports[protocol] = receiver.port

    async def _stop_receivers(self, receivers: Iterable[OtlpGrpcReceiver | OtlpHttpReceiver]) -> None:
        """All at a time, so that `timeout_s` is the time of all."""
        await asyncio.gather(*(receiver.stop(self._config.service.drain.timeout_s) for receiver in receivers))

    async def _start_producer(
        self, stack: AsyncExitStack, kafka: KafkaExporterConfig, signal: Signal
    ) -> KafkaProducerLog:
        """Brokers that are away are no reason not to start: exporters are told to retry until they are back."""
        log = KafkaProducerLog(kafka.of(signal), self._metrics, signal)
        stack.push_async_callback(log.close)
        await log.start()
        if signal is Signal.TRACES:  # a topic that only log records lack keeps no spans out
            self._health.add("kafka", lambda: "" if log.connected else "no connection to the brokers; see the log")
        self._health.add(signal.suffixed("kafka", "/"), dead=lambda: log.dead)
        self._observe_queue(signal.suffixed("kafka", "/"), log)
        return log

    def _logs(self, queue: MemoryLogConfig) -> tuple[Mapping[Signal, LogReader], LogWriters]:
        """The logs that the worker reads, and their other ends where those are in this process."""
        if (kafka := self._config.kafka_receiver) is not None:
            signals = [signal for signal in Signal if kafka.topic_of(signal)]
            readers = {signal: KafkaLogReader(kafka.of(signal), self._metrics, signal=signal) for signal in signals}
            spans = readers[Signal.TRACES]
            self._health.add("kafka reader", lambda: spans.missing)
            debug = None if self._config.otlp is not None else self._config.debug_exporter  # shown when it came in
            if debug is None:
                return readers, {}
            return {signal: ShownReader(log, DebugExporter(debug, signal)) for signal, log in readers.items()}, {}
        logs = {signal: MemoryLog(queue) for signal in Signal}
        for signal, log in logs.items():
            self._observe_queue(signal.suffixed("clickhouse", "/"), log)
        return logs, logs

    def _shown(self, writers: LogWriters) -> LogWriters:
        """The same, beside the debug exporter; that alone where there are none."""
        debug = self._config.debug_exporter
        if debug is None:
            return writers
        if not writers:
            return {signal: DebugLog(DebugExporter(debug, signal), signal) for signal in Signal}
        return {signal: ShownWriter(log, DebugExporter(debug, signal)) for signal, log in writers.items()}

    def _observe_queue(self, exporter: str, log: KafkaProducerLog | MemoryLog) -> None:
        self._metrics.queue_bytes.labels(exporter).set_function(lambda: log.queued_bytes)
        age_s = self._metrics.oldest_unflushed_s.labels(exporter)
        age_s.set_function(lambda: log.oldest_s(monotonic_s()))
        self._metrics.queue_bytes_max.labels(exporter).set(log.queue_bytes_max)

    async def _serve(
        self, stack: AsyncExitStack, name: str, app: Any, endpoint: str, option: str, tls: TlsConfig | None
    ) -> None:
        """`option` is the configuration key of the endpoint; that of its certificate stands beside it."""
        certificate = None if tls is None else ServerTls(tls, f"{option.rpartition('.')[0]}.tls")
        server = AsgiServer(app, endpoint, option, tls=certificate)
        await server.start()
        stack.push_async_callback(server.stop)
        self._draining.append(server.drain)
        self._health.add(name, dead=lambda: server.dead)
        self._ports[name] = server.port
