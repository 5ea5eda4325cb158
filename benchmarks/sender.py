"""An exporter of raw requests over gRPC, as fast as the server answers or at a constant rate.

Bounded: at most `in_flight` requests wait for an answer, each is retried for a bounded time. At a constant rate the
latency of a request counts from the moment at which it was due, so a server that stalls can't hide it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from benchmarks.failure import BenchmarkError
from benchmarks.load import SPANS_PER_REQUEST, Load, Request
from benchmarks.process import HOST

EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_REQUEST_S_MAX: Final = 60.0  # retries included
_RETRY_S: Final = 0.5

_Export: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"


@dataclass(slots=True)
class Sent:
    """What came back so far."""

    spans: int = 0  # acknowledged, each counted once
    resent_spans: int = 0  # acknowledged again
    requests: int = 0
    retries: int = 0
    latencies_s: list[float] = field(default_factory=list)
    last_answer: float = 0.0  # to the load, on the clock of `time.perf_counter`
    late_s_max: float = 0.0  # how far the generator fell behind a constant rate


class Sender:
    """Some connections to one server."""

    def __init__(self, port: int, channels: int, check: Callable[[], None]) -> None:
        """`check` raises when the server is gone, so that nothing is retried then."""
        self._check = check
        # A pool of its own for each channel, else they share one connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channels = [grpc.aio.insecure_channel(f"{HOST}:{port}", options=options) for _ in range(channels)]
        self._export: list[_Export] = [channel.unary_unary(EXPORT) for channel in self._channels]
        self.sent = Sent()

    async def close(self) -> None:
        """Close all connections."""
        for channel in self._channels:
            await channel.close()

    async def run(self, load: Load, seconds: float, rate: float, in_flight: int) -> None:
        """Send for `seconds`, `rate` spans a second (0: as fast as it goes), then what `load` has left.

        Errors: `BenchmarkError` when the server refuses a request for good, or does not take it in time.
        """
        started = time.perf_counter()
        until = started + seconds
        turn = 0

        def due() -> float:
            nonlocal turn
            turn += 1
            return started + (turn - 1) * SPANS_PER_REQUEST / rate if rate else time.perf_counter()

        async with asyncio.TaskGroup() as tasks:
            for number in range(in_flight):
                tasks.create_task(self._send_until(until, load, due, number, bool(rate)))
        async with asyncio.TaskGroup() as tasks:
            limit = asyncio.Semaphore(in_flight)
            for number, request in enumerate(load.remaining()):
                await limit.acquire()
                task = tasks.create_task(self.export(request, number))
                task.add_done_callback(lambda _: limit.release())
        self.sent.last_answer = time.perf_counter()

    async def _send_until(self, until: float, load: Load, due: Callable[[], float], number: int, paced: bool) -> None:
        while (at := due()) < until:
            wait_s = at - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            now = time.perf_counter()
            if now > until:
                return
            if paced:
                self.sent.late_s_max = max(self.sent.late_s_max, now - at)
            await self.export(load.next(time.time_ns()), number, at)

    async def export(self, request: Request, number: int, at: float | None = None) -> None:
        """Send one request until it is acknowledged."""
        at = time.perf_counter() if at is None else at
        deadline = time.perf_counter() + _REQUEST_S_MAX
        call = self._export[number % len(self._export)]
        while True:
            try:
                answer: bytes = await call(request.payload, timeout=_REQUEST_S_MAX)
                break
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or time.perf_counter() > deadline:
                    raise BenchmarkError(f"the server answers {error.code().name}: {error.details()}") from error
            self._check()
            self.sent.retries += 1
            await asyncio.sleep(_RETRY_S)
        self.sent.latencies_s.append(time.perf_counter() - at)
        self.sent.requests += 1
        if answer:
            rejected = ExportTraceServiceResponse.FromString(answer).partial_success
            if rejected.rejected_spans:
                raise BenchmarkError(f"the server rejects {rejected.rejected_spans} spans: {rejected.error_message}")
        if request.resent:
            self.sent.resent_spans += request.spans
        else:
            self.sent.spans += request.spans
