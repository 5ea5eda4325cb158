"""receiver: gRPC in to records on Apache Kafka, the receiver in a process of its own, the brokers real.

Measures spans acknowledged a second (acknowledged means that the brokers have every record), the receiver's own CPU
time and memory as the operating system counts them, and the latency of requests; then the same with one span a
request. `spans_per_cpu_s` is what one core does when nothing else wants it. Afterwards the topic must hold exactly the
records that were acknowledged: exit status 1 if it doesn't.

The load and the broker run on the same machine and take their share of the cores. Not measured: TLS, a network,
replicas, workers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.failure import BenchmarkError
from benchmarks.load import Load, LoadShape, Request, add_load_options, check_load, load_shape
from benchmarks.report import (
    Figure,
    mib,
    percentile_ms,
    print_header,
    print_last_line,
    print_section,
    rounded,
)
from benchmarks.sender import Sender
from deploy.kafka.broker import Broker
from deploy.kafka.failure import BrokerError
from processor.allocators import tune_allocators
from processor.log.kafka.config import KafkaExporterConfig, KafkaProducerConfig, KafkaTopicConfig
from processor.log.kafka.producer import KafkaProducerLog
from processor.receiver.otlp_grpc import OtlpGrpcConfig, OtlpGrpcReceiver
from processor.signals import Signal
from processor.telemetry.metrics import Metrics

_START_S_MAX: Final = 60.0
_STOP_S_MAX: Final = 60.0
_SAMPLE_S: Final = 0.1
_WARM_UP_S: Final = 2.0
_SINGLE_POOL: Final = 8192  # different requests of one span
_STOP: Final = "stop"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    add_load_options(parser)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to send, for each of the two figures")
    parser.add_argument("--in-flight", type=int, default=64, help="requests that wait for an answer at a time")
    parser.add_argument("--channels", type=int, default=4, help="gRPC connections")
    parser.add_argument("--partitions", type=int, default=12, help="of the topic")
    parser.add_argument(
        "--compression", choices=("none", "gzip", "snappy", "lz4", "zstd"), default="none", help="of record batches"
    )
    parser.add_argument("--linger-ms", type=int, default=KafkaProducerConfig().linger_ms, help="of record batches")
    parser.add_argument("--pass-through", action="store_true", help="partition_traces_by_id: false")
    parser.add_argument("--profile", type=Path, help="write a cProfile of the receiver's event loop there")
    parser.add_argument(
        "--bootstrap", default=os.environ.get("KAFKA_BOOTSTRAP", ""), help="an existing broker; else one is started"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print; 1 when the topic does not hold what was acknowledged."""
    shape = load_shape(options, time.time_ns())
    check_load(shape)
    load = Load(shape)
    given: dict[str, Figure] = {
        **shape.described(),
        "bytes_per_span": round(load.span_bytes, 1),
        "seconds": options.seconds,
        "in_flight_requests": options.in_flight,
        "channels": options.channels,
        "partitions": options.partitions,
        "partition_traces_by_id": not options.pass_through,
        "compression": options.compression,
        "linger_ms": options.linger_ms,
        "aiokafka": version("aiokafka"),
        "broker": "given" if options.bootstrap else "Apache Kafka, one node",
    }
    print_header("receiver", given)
    with (
        tempfile.TemporaryDirectory(prefix="otel-sessions-") as directory,
        _broker(options, Path(directory)) as address,
    ):
        config = KafkaExporterConfig(
            brokers=(address,),
            topic=f"otlp_spans_{time.time_ns()}",
            partition_traces_by_id=not options.pass_through,
            create_topic=KafkaTopicConfig(partitions=options.partitions),
            producer=KafkaProducerConfig(compression=options.compression, linger_ms=options.linger_ms),
        )
        with _Receiver(config, options.profile) as receiver:
            figures = _figures(receiver, load, shape, options)
            acknowledged = receiver.stop()
        stored = asyncio.run(_records(config))
    figures["records"] = acknowledged
    figures["totals_right"] = stored == acknowledged
    print_section("figures", figures)
    if stored != acknowledged:
        print(f"\nWRONG: {acknowledged} records were acknowledged, the topic holds {stored}")
    print_last_line("receiver", figures, given)
    return 0 if stored == acknowledged else 1


@contextlib.contextmanager
def _broker(options: argparse.Namespace, directory: Path) -> Iterator[str]:
    if options.bootstrap:
        yield options.bootstrap
        return
    try:
        with Broker(directory / "kafka") as broker:
            yield broker.bootstrap
    except BrokerError as error:
        raise BenchmarkError(str(error)) from error


def _figures(receiver: _Receiver, load: Load, shape: LoadShape, options: argparse.Namespace) -> dict[str, Figure]:
    full = asyncio.run(_measure(receiver, load, options, options.seconds))
    rss = receiver.rss_bytes_max  # before the second load adds to it
    single = asyncio.run(_measure(receiver, _SingleSpans(load, shape), options, options.seconds))
    spans, requests = max(full.spans, 1), max(single.spans, 1)
    return {
        "spans_per_s": round(spans / full.seconds),
        "spans_per_cpu_s": round(spans / full.receiver_cpu_s),
        "cpu_s_per_million_spans": rounded(full.receiver_cpu_s / spans * 1e6),
        "rss_mib_max": mib(rss),
        "spans": full.spans,
        "retries": full.retries + single.retries,
        "latency_p50_ms": percentile_ms(full.latencies_s, 50),
        "latency_p99_ms": percentile_ms(full.latencies_s, 99),
        "receiver_cores_used": rounded(full.receiver_cpu_s / full.seconds),
        "generator_cpu_s_per_million_spans": rounded(full.generator_cpu_s / spans * 1e6),
        "single_span_requests_per_s": round(requests / single.seconds),
        "single_span_requests_per_cpu_s": round(requests / single.receiver_cpu_s),
        "single_span_cpu_s_per_thousand_requests": rounded(single.receiver_cpu_s / requests * 1e3),
        "single_span_latency_p50_ms": percentile_ms(single.latencies_s, 50),
        "single_span_latency_p99_ms": percentile_ms(single.latencies_s, 99),
        "single_span_receiver_cores_used": rounded(single.receiver_cpu_s / single.seconds),
    }


class _Phase:
    """What one of the two loads came to."""

    def __init__(self) -> None:
        self.spans = 0
        self.retries = 0
        self.seconds = 0.0
        self.receiver_cpu_s = 0.0
        self.generator_cpu_s = 0.0
        self.latencies_s: list[float] = []


async def _measure(receiver: _Receiver, load: Load, options: argparse.Namespace, seconds: float) -> _Phase:
    phase = _Phase()
    for measured, duration in ((False, _WARM_UP_S), (True, seconds)):
        sender = Sender(receiver.port, options.channels, receiver.check)
        cpu_s, own_cpu_s, started = receiver.cpu_s(), time.process_time(), time.perf_counter()
        try:
            await sender.run(load, duration, 0.0, options.in_flight)
        finally:
            await sender.close()
        if measured:
            phase.seconds = sender.sent.last_answer - started
            phase.receiver_cpu_s = receiver.cpu_s() - cpu_s
            phase.generator_cpu_s = time.process_time() - own_cpu_s
            phase.spans, phase.retries = sender.sent.spans, sender.sent.retries
            phase.latencies_s = sender.sent.latencies_s
    return phase


class _SingleSpans(Load):
    """The spans of another load, each in a request of its own; a pool of them, sent over and over."""

    def __init__(self, load: Load, shape: LoadShape) -> None:
        super().__init__(replace(shape, templates=1))
        self._pool: list[Request] = []
        self._next = 0
        while len(self._pool) < _SINGLE_POOL:
            whole = ExportTraceServiceRequest.FromString(load.next(time.time_ns()).payload)
            for resource in whole.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        one = ExportTraceServiceRequest()
                        resource_spans = one.resource_spans.add(resource=resource.resource)
                        resource_spans.scope_spans.add(scope=scope.scope).spans.append(span)
                        self._pool.append(Request(one.SerializeToString(), 1))

    def next(self, now_ns: int) -> Request:
        """The next of the pool."""
        self._next = (self._next + 1) % len(self._pool)
        return self._pool[self._next]


class _Receiver:
    """The receiver in a process of its own. A context manager; gone after exit, and when this process dies."""

    def __init__(self, config: KafkaExporterConfig, profile: Path | None) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, config, profile), daemon=True)
        self._theirs = theirs
        self._watched: psutil.Process | None = None
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._sample, name="watch receiver", daemon=True)
        self.port = 0
        self.rss_bytes_max = 0

    def __enter__(self) -> _Receiver:
        self._process.start()
        self._theirs.close()
        self._watched = psutil.Process(self._process.pid)
        self.port = self._answer(_START_S_MAX)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._ours.close()
        self._process.join(_STOP_S_MAX)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def stop(self) -> int:
        """End it in order; how many records the brokers acknowledged to it."""
        self._ours.send(_STOP)
        return self._answer(_STOP_S_MAX)

    def check(self) -> None:
        """Errors: `BenchmarkError` when it is gone."""
        if not self._process.is_alive():
            raise BenchmarkError(f"the receiver ended with status {self._process.exitcode}")

    def cpu_s(self) -> float:
        """CPU time so far, user and system, all threads."""
        assert self._watched is not None
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    def _answer(self, seconds: float) -> int:
        try:
            if self._ours.poll(seconds):
                return int(self._ours.recv())
        except EOFError:
            pass
        self.check()
        raise BenchmarkError(f"the receiver does not answer within {seconds:.0f} s")

    def _sample(self) -> None:
        assert self._watched is not None
        while not self._done.wait(_SAMPLE_S):
            with contextlib.suppress(psutil.Error):
                self.rss_bytes_max = max(self.rss_bytes_max, self._watched.memory_info().rss)


def _serve(pipe: Connection, config: KafkaExporterConfig, profile: Path | None) -> None:
    """The receiver's process: gRPC and the log, until the other end says so or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and with it the pipe
    tune_allocators()
    if profile is None:
        asyncio.run(_receive(pipe, config))
        return
    import cProfile  # noqa: PLC0415

    profiler = cProfile.Profile()
    profiler.runcall(asyncio.run, _receive(pipe, config))
    profiler.dump_stats(profile)


async def _receive(pipe: Connection, config: KafkaExporterConfig) -> None:
    metrics = Metrics()
    log = KafkaProducerLog(config, metrics)
    await log.start()
    receiver = OtlpGrpcReceiver(OtlpGrpcConfig(endpoint="127.0.0.1:0"), {Signal.TRACES: log}, metrics)
    await receiver.start()
    gc.freeze()  # as `processor.service` does
    pipe.send(receiver.port)
    told: Any = None
    with contextlib.suppress(EOFError):
        told = await asyncio.to_thread(pipe.recv)
    await receiver.stop(grace_s=1)
    await log.close()
    if told == _STOP:
        pipe.send(int(metrics.registry.get_sample_value("otel_sessions_kafka_sent_records_total") or 0))


async def _records(config: KafkaExporterConfig) -> int:
    """Records in the topic, by its offsets: nothing else writes to it."""
    consumer = AIOKafkaConsumer(bootstrap_servers=list(config.brokers))
    await consumer.start()
    try:
        partitions = [TopicPartition(config.topic, n) for n in range(config.create_topic.partitions)]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        return sum(ends.values())
    finally:
        await consumer.stop()
