"""worker: Kafka in to rollups committed, workers, broker and ClickHouse each in processes of their own.

Fills a topic first, with placed records as our receiver writes them. Then measures from the first span stored until
every offset is committed, which a worker does when the spans' sessions are rolled up: spans a second, and the CPU time
of each part a million spans. Afterwards the store's totals must equal what is in the topic: exit status 1 if they
don't.

All parts share the cores of one machine, so `worker_spans_per_core_s` is the figure that tells of the worker: spans a
second of CPU time of its two processes. ClickHouse is our stand-in (`benchmarks.clickhouse`), whose engine is a
server's and whose HTTP is not; how much its merges take of the cores is `--yield-merges`. Not measured: TLS,
compression, a network, replicas, merges after the last commit, a store that is not empty, records that nobody placed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil
import yaml

from benchmarks.clickhouse import ClickHouse
from benchmarks.drive import settings_of
from benchmarks.failure import BenchmarkError
from benchmarks.load import Load, add_load_options, check_load, load_shape
from benchmarks.process import HOST, free_ports
from benchmarks.report import Figure, mib, print_header, print_last_line, print_section, rounded
from benchmarks.server import Processor, apply_settings
from benchmarks.topic import Filled, Group, fill
from benchmarks.totals import Totals, read_totals
from deploy.kafka.broker import Broker
from deploy.kafka.failure import BrokerError
from processor.errors import OtelSessionsError
from processor.log.kafka.config import KafkaExporterConfig, KafkaTopicConfig

_CONFIG: Final = Path(__file__).parents[1] / "config" / "worker.yaml"
_TOPIC: Final = "otlp_spans"
_GROUP: Final = "otel-sessions"
_JOIN_S: Final = 6  # for all workers to begin in one assignment
_FIRST_S_MAX: Final = 120.0
_STUCK_S_MAX: Final = 120.0  # without a commit
_LOOK_S: Final = 0.1
_PROGRESS_S: Final = 5.0
_STORED: Final = "otelcol_exporter_sent_spans_total"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    add_load_options(parser)
    parser.add_argument("--spans", type=int, default=3_000_000, help="spans in the topic before workers start")
    parser.add_argument("--workers", type=int, default=1, help="worker processes, each with its decoder")
    parser.add_argument("--partitions", type=int, default=12, help="of the topic")
    parser.add_argument(
        "--store", choices=("http", "chdb"), default="http", help="a ClickHouse process, or the worker's embedded store"
    )
    parser.add_argument(
        "--yield-merges",
        action="store_true",
        help="merges of the ClickHouse process run one at a time and give way, as they do in the embedded store",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="a configuration value of the workers, as processors.sessions.decode_processes=0",
    )


def run(options: argparse.Namespace) -> int:
    """Fill, measure and print; 1 when the totals are wrong."""
    if options.store == "chdb" and options.workers != 1:
        raise BenchmarkError("an embedded store belongs to one process; use --workers 1")
    shape = load_shape(options, time.time_ns())
    check_load(shape)
    load = Load(shape)
    given: dict[str, Figure] = {
        **shape.described(),
        "bytes_per_span": round(load.span_bytes, 1),
        "spans": options.spans,
        "workers": options.workers,
        "partitions": options.partitions,
        "store": options.store,
        "yield_merges": options.yield_merges,
        "settings": " ".join(options.set),
        "aiokafka": version("aiokafka"),
    }
    print_header("worker", given)
    with tempfile.TemporaryDirectory(prefix="otel-sessions-") as directory:
        result = _run(Path(directory), load, options)
        figures = result.figures()
    print_section("figures", figures)
    if result.wrong:
        print(f"\nWRONG: {result.wrong}")
    print_last_line("worker", figures, given)
    return 1 if result.wrong else 0


class Worker(Processor):
    """`config/worker.yaml` as it is, told by the environment where everything is."""

    def __init__(self, directory: Path, number: int, brokers: str, dsn: str, settings: dict[str, Any]) -> None:
        ports = dict(zip(("health", "metrics"), free_ports(2), strict=True))
        config = yaml.safe_load(_CONFIG.read_text())
        apply_settings(config, settings)
        environment = {
            "KAFKA_BROKERS": brokers,
            "KAFKA_TOPIC": _TOPIC,
            "KAFKA_GROUP": _GROUP,
            "CLICKHOUSE_URL": dsn,
            "HEALTH_ENDPOINT": f"{HOST}:{ports['health']}",
            "METRICS_ADDRESS": f"{HOST}:{ports['metrics']}",
            "LOG_ENCODING": "json",
        }
        super().__init__(f"worker-{number}", directory, config, ports, environment)

    def metric(self, name: str) -> float:
        """A sum over labels; 0 for one that is not there, and before anything is served."""
        self.check()
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.metrics().get(name, 0.0)
        return 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """Figures of one run. Seconds and CPU times count from the first span stored to the last offset committed."""

    filled: Filled
    stored_before: int  # spans that were in the store at the first look that found any
    stored: int  # written by all workers, what was delivered twice included
    seconds: float
    cpu_s: dict[str, float]  # by part
    machine_cpu_s: float  # of these and everything else
    workers: Sequence[Worker]
    clickhouse: ClickHouse | None
    rebalances: int
    tick_s: float
    totals: Totals

    @property
    def wrong(self) -> str:
        """What the totals contradict; '' when each span of the topic is counted exactly once."""
        if self.totals.spans == self.filled.spans:
            return ""
        return f"the topic holds {self.filled.spans} spans, the store counts {self.totals.spans}"

    def figures(self) -> dict[str, Figure]:
        """As the JSON line has them."""
        delivered = self.filled.spans + self.filled.resent_spans
        spans = delivered - self.stored_before
        cpu_s = sum(self.cpu_s.values())
        worker = "worker" if self.clickhouse else "worker_with_store"
        worker_cpu_s = sum(used for part, used in self.cpu_s.items() if part.startswith("worker"))
        return {
            "spans_per_s": round(spans / self.seconds),
            f"{worker}_spans_per_core_s": round(spans / worker_cpu_s),
            **{f"{part}_cpu_s_per_million_spans": rounded(used / spans * 1e6) for part, used in self.cpu_s.items()},
            "worker_rss_mib_max": mib(max(worker.rss_bytes_max for worker in self.workers)),
            "clickhouse_rss_mib_max": mib(self.clickhouse.rss_bytes_max) if self.clickhouse else 0,
            "spans": self.filled.spans,
            "resent_spans": self.filled.resent_spans,
            "redelivered_spans": self.stored - delivered,
            "records": self.filled.records,
            "rebalances": self.rebalances,
            "seconds": rounded(self.seconds),
            "cores_used": rounded(cpu_s / self.seconds),
            "cores_used_by_others": rounded((self.machine_cpu_s - cpu_s) / self.seconds),
            "ticks_share": rounded(self.tick_s / self.seconds / len(self.workers)),
            "fill_spans_per_s": round(delivered / self.filled.seconds),
            "worker_complaints": sum(worker.complaints() for worker in self.workers),
            "sessions": self.totals.sessions,
            "unbound_spans": self.totals.unbound_spans,
            "store_parts": self.totals.parts,
            "store_mib": self.totals.disk_mib,
            "totals_right": not self.wrong,
        }


def _run(directory: Path, load: Load, options: argparse.Namespace) -> Result:
    topic = KafkaTopicConfig(partitions=options.partitions)
    properties = {"group.initial.rebalance.delay.ms": str(_JOIN_S * 1000)}
    try:
        with Broker(directory / "kafka", properties) as broker:
            exporter = KafkaExporterConfig(brokers=(broker.bootstrap,), topic=_TOPIC, create_topic=topic)
            print("\nfilling")
            filled = asyncio.run(fill(exporter, load, options.spans))
            print(f"  {filled.spans:,} spans in {filled.seconds:.0f} s")
            return _consume(directory, broker, filled, options)
    except (BrokerError, OtelSessionsError) as error:
        raise BenchmarkError(str(error)) from error


def _consume(directory: Path, broker: Broker, filled: Filled, options: argparse.Namespace) -> Result:
    with contextlib.ExitStack() as stack:
        clickhouse = (
            stack.enter_context(ClickHouse(directory, options.yield_merges)) if options.store == "http" else None
        )
        store = clickhouse.store if clickhouse else directory / "store"
        dsn = clickhouse.url if clickhouse else f"chdb://{store}"
        workers = [
            stack.enter_context(Worker(directory, number, broker.bootstrap, dsn, settings_of(options)))
            for number in range(options.workers)
        ]
        run = _Measurement(workers, _parts(workers, clickhouse, broker), filled)
        asyncio.run(run.measure(Group(broker.bootstrap, _TOPIC, options.partitions, _GROUP)))
        tick_s, rebalances, stored = (
            sum(worker.metric(name) for worker in workers)
            for name in ("otel_sessions_rollup_tick_seconds_sum", "otel_sessions_kafka_rebalances_total", _STORED)
        )
        for process in (*workers, *([clickhouse] if clickhouse else [])):
            process.stop()
    return Result(
        filled=filled,
        stored_before=run.stored_before,
        stored=int(stored),
        seconds=run.seconds,
        cpu_s=run.cpu_s,
        machine_cpu_s=run.machine_cpu_s,
        workers=workers,
        clickhouse=clickhouse,
        rebalances=int(rebalances),
        tick_s=tick_s,
        totals=read_totals(store),
    )


def _parts(workers: Sequence[Worker], clickhouse: ClickHouse | None, broker: Broker) -> dict[str, Callable[[], float]]:
    """CPU seconds so far of each part, all its processes."""
    jvm = psutil.Process(broker.pid)
    main = "worker_main" if clickhouse else "worker_main_with_store"
    return {
        main: lambda: sum(worker.own_cpu_s() for worker in workers),
        "worker_decoder": lambda: sum(worker.cpu_s() - worker.own_cpu_s() for worker in workers),
        **({"clickhouse": clickhouse.cpu_s} if clickhouse else {}),
        "broker": lambda: sum(jvm.cpu_times()[:2]),
    }


def _machine_cpu_s() -> float:
    """CPU seconds so far of everything on this machine."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


class _Measurement:
    """Looks from outside, seldom: whoever looks takes a share of the cores too."""

    def __init__(self, workers: Sequence[Worker], parts: dict[str, Callable[[], float]], filled: Filled) -> None:
        self._workers = workers
        self._parts = parts
        self._filled = filled
        self.stored_before = 0
        self.seconds = 0.0
        self.cpu_s: dict[str, float] = {}
        self.machine_cpu_s = 0.0

    async def measure(self, group: Group) -> None:
        """Wait for the first span stored, then for the last offset committed.

        Errors: `BenchmarkError` when a worker ends, or nothing is committed any more.
        """
        async with group:
            if group.records != self._filled.records:
                raise BenchmarkError(f"{self._filled.records} records were sent, the topic holds {group.records}")
            self.stored_before = await self._first_stored()
            before, machine_before, started = self._cpu_s(), _machine_cpu_s(), time.perf_counter()
            await self._all_committed(group)
            self.seconds = time.perf_counter() - started
            self.machine_cpu_s = _machine_cpu_s() - machine_before
            self.cpu_s = {part: cpu_s - before[part] for part, cpu_s in self._cpu_s().items()}

    async def _first_stored(self) -> int:
        until = time.perf_counter() + _FIRST_S_MAX
        while not (stored := sum(worker.metric(_STORED) for worker in self._workers)):
            if time.perf_counter() > until:
                raise BenchmarkError(f"no span is stored after {_FIRST_S_MAX:.0f} s:{self._workers[0].log_tail()}")
            await asyncio.sleep(_LOOK_S / 4)
        return int(stored)

    async def _all_committed(self, group: Group) -> None:
        print("\nprogress")
        started = told_at = moved_at = time.perf_counter()
        told = committed = 0
        spans_per_record = (self._filled.spans + self._filled.resent_spans) / max(group.records, 1)
        while committed < group.records:
            await asyncio.sleep(_LOOK_S)
            for worker in self._workers:
                worker.check()
            now, last = time.perf_counter(), committed
            committed = await group.committed()
            if committed > last:
                moved_at = now
            elif now - moved_at > _STUCK_S_MAX:
                raise BenchmarkError(f"nothing committed for {_STUCK_S_MAX:.0f} s:{self._workers[0].log_tail()}")
            if now - told_at >= _PROGRESS_S:
                speed = (committed - told) * spans_per_record / (now - told_at)
                resident = " + ".join(f"{mib(worker.rss_bytes):,}" for worker in self._workers)
                print(f"  {now - started:5.0f} s  {speed:9,.0f} spans/s rolled up  rss {resident} MiB", flush=True)
                told_at, told = now, committed

    def _cpu_s(self) -> dict[str, float]:
        return {part: read() for part, read in self._parts.items()}
