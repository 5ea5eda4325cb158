"""One run of the load against one server: send, wait until rollups are current, read the figures, check the totals.

`embedded`, `freshness` and `preloaded` differ in what they do beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.failure import BenchmarkError
from benchmarks.load import Load
from benchmarks.report import Figure, mib, percentile_ms, rounded
from benchmarks.sender import Sender, Sent
from benchmarks.server import Server
from benchmarks.totals import Totals, read_totals

_CURRENT_S_MAX: Final = 300.0
_PROGRESS_S: Final = 5.0
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Pace:
    """How the load is sent."""

    seconds: float
    rate: float  # spans a second; 0 is as fast as the server takes them
    in_flight: int
    channels: int

    def described(self) -> dict[str, Figure]:
        """As input of a benchmark."""
        return {
            "seconds": self.seconds,
            "rate": self.rate or "unlimited",
            "in_flight_requests": self.in_flight,
            "channels": self.channels,
        }


@dataclass(frozen=True, slots=True)
class Run:
    """Figures of one run. Seconds count from the first request."""

    sent: Sent
    acknowledged_s: float
    current_s: float  # until every acknowledged span is in its session
    server_cpu_s: float  # until then
    generator_cpu_s: float
    server: Server
    complaints: int  # warnings and errors in the server's log
    stored: Totals
    stored_before: Totals

    @property
    def spans_per_s(self) -> float:
        """Spans acknowledged a second."""
        return self.sent.spans / self.acknowledged_s

    @property
    def wrong(self) -> str:
        """What the totals contradict; '' when each acknowledged span is counted exactly once."""
        counted = self.stored.spans - self.stored_before.spans
        if counted == self.sent.spans:
            return ""
        return f"{self.sent.spans} spans were acknowledged, the store counts {counted}"

    def figures(self) -> dict[str, Figure]:
        """As the JSON line has them."""
        sent = self.sent
        spans = max(sent.spans, 1)
        return {
            "spans_per_s": round(self.spans_per_s),
            "spans_per_s_with_rollups": round(sent.spans / self.current_s),
            "cpu_s_per_million_spans": rounded(self.server_cpu_s / spans * 1e6),
            "rss_mib_max": mib(self.server.rss_bytes_max),
            "spans": sent.spans,
            "resent_spans": sent.resent_spans,
            "retries": sent.retries,
            "latency_p50_ms": percentile_ms(sent.latencies_s, 50),
            "latency_p99_ms": percentile_ms(sent.latencies_s, 99),
            "seconds_acknowledged": rounded(self.acknowledged_s),
            "seconds_rollups_current": rounded(self.current_s),
            "server_cores_used": rounded(self.server_cpu_s / self.current_s),
            "generator_cpu_s_per_million_spans": rounded(self.generator_cpu_s / spans * 1e6),
            "generator_late_s_max": rounded(sent.late_s_max),
            "server_start_s": rounded(self.server.start_s),
            "server_stop_s": rounded(self.server.stop_s),
            "server_complaints": self.complaints,
            "sessions": self.stored.sessions,
            "unbound_spans": self.stored.unbound_spans,
            "store_parts": self.stored.parts,
            "store_mib": self.stored.disk_mib,
            "totals_right": not self.wrong,
        }


def drive(
    directory: Path,
    load: Load,
    pace: Pace,
    settings: dict[str, Any],
    beside: Callable[[Server, Sender], Awaitable[None]] | None = None,
) -> Run:
    """Start a server in `directory`, send, wait, stop it, and read what it stored.

    `beside` runs while the load is sent and is waited for. Errors: `BenchmarkError`.
    """
    before = read_totals(directory / "store")
    with Server(directory, settings) as server:
        sent, acknowledged_s, current_s, server_cpu_s, generator_cpu_s = asyncio.run(
            _measure(server, load, pace, beside)
        )
        server.stop()
    after = read_totals(server.store)
    return Run(
        sent,
        acknowledged_s,
        current_s,
        server_cpu_s,
        generator_cpu_s,
        server,
        server.complaints(),
        after,
        before,
    )


async def _measure(
    server: Server, load: Load, pace: Pace, beside: Callable[[Server, Sender], Awaitable[None]] | None
) -> tuple[Sent, float, float, float, float]:
    sender = Sender(server.ports["grpc"], pace.channels, server.check)
    cpu_s, own_cpu_s = server.cpu_s(), time.process_time()
    started = time.perf_counter()
    try:
        async with _progress(server, sender), _unwrapped(), asyncio.TaskGroup() as tasks:
            tasks.create_task(sender.run(load, pace.seconds, pace.rate, pace.in_flight))
            if beside:
                tasks.create_task(_awaited(beside(server, sender)))
        acknowledged_s = sender.sent.last_answer - started
        own_cpu_s = time.process_time() - own_cpu_s
        await _until_current(server)
    finally:
        await sender.close()
    current_s = time.perf_counter() - started
    return sender.sent, acknowledged_s, current_s, server.cpu_s() - cpu_s, own_cpu_s


async def _awaited(what: Awaitable[None]) -> None:
    await what


async def _until_current(server: Server) -> None:
    """Wait for a tick that began after the last acknowledgement, and after which nothing is dirty."""
    acknowledged = time.perf_counter()
    last_poll, ticks, ticks_s = acknowledged, *_ticks(await asyncio.to_thread(server.metrics))
    began_later = False
    while True:
        await asyncio.sleep(_POLL_S)
        this_poll = time.perf_counter()
        metrics = await asyncio.to_thread(server.metrics)
        ticks_now, ticks_s_now = _ticks(metrics)
        if ticks_now > ticks:
            # It ended after the last poll. Of two or more, the last one began after the first one ended.
            began_later |= ticks_now > ticks + 1 or last_poll - (ticks_s_now - ticks_s) >= acknowledged
        last_poll, ticks, ticks_s = this_poll, ticks_now, ticks_s_now
        traces, sessions = (metrics[f"otel_sessions_dirty_{what}"] for what in ("traces", "sessions"))
        if began_later and traces == sessions == metrics["otel_sessions_rollup_lag_seconds"] == 0:
            return
        if last_poll - acknowledged > _CURRENT_S_MAX:
            raise BenchmarkError(
                f"rollups are not current {_CURRENT_S_MAX:.0f} s after the load: {traces:.0f} traces and "
                f"{sessions:.0f} sessions wait"
            )


def _ticks(metrics: dict[str, float]) -> tuple[float, float]:
    name = "otel_sessions_rollup_tick_seconds"
    return metrics[f"{name}_count"], metrics[f"{name}_sum"]


@contextlib.asynccontextmanager
async def _progress(server: Server, sender: Sender) -> AsyncIterator[None]:
    """A line every few seconds."""

    async def tell() -> None:
        started, spans = time.perf_counter(), 0
        print("\nprogress")
        while True:
            at = time.perf_counter()
            await asyncio.sleep(_PROGRESS_S)
            metrics = await asyncio.to_thread(server.metrics)
            now = time.perf_counter()
            print(
                f"  {now - started:5.0f} s  {(sender.sent.spans - spans) / (now - at):9,.0f} spans/s"
                f"  rss {mib(server.rss_bytes):6,} MiB"
                f"  rollup lag {metrics.get('otel_sessions_rollup_lag_seconds', 0):6.1f} s"
                f"  dirty sessions {metrics.get('otel_sessions_dirty_sessions', 0):9,.0f}"
                f"  traces {metrics.get('otel_sessions_dirty_traces', 0):9,.0f}",
                flush=True,
            )
            spans = sender.sent.spans

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


@contextlib.asynccontextmanager
async def _unwrapped() -> AsyncIterator[None]:
    """The first error of a task group in place of the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group


def add_pace_options(parser: argparse.ArgumentParser, rate: float = 0.0) -> None:
    """Options of `Pace` and of the server."""
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to send")
    parser.add_argument("--rate", type=float, default=rate, help="spans a second; 0 is as fast as they are taken")
    parser.add_argument("--in-flight", type=int, default=128, help="requests that wait for an answer at a time")
    parser.add_argument("--channels", type=int, default=4, help="gRPC connections")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="a configuration value of the server, as processors.sessions.rollups.interval_s=1",
    )


def pace_of(options: argparse.Namespace) -> Pace:
    """The pace that the options describe."""
    return Pace(options.seconds, options.rate, options.in_flight, options.channels)


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """The server's settings that the options name. Errors: `BenchmarkError` for what is no PATH=VALUE."""
    settings: dict[str, Any] = {}
    for text in options.set:
        path, equals, value = text.partition("=")
        if not equals:
            raise BenchmarkError(f"--set {text}: write PATH=VALUE")
        settings[path] = yaml.safe_load(value)
    return settings
