"""Both receivers on free ports over a real in-memory log, with a consumer that gives every record one outcome."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import grpc
import grpc.aio
import httpx
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.errors import OtelSessionsError
from processor.log.base import Receipt, Record
from processor.log.memory import MemoryLog, MemoryLogConfig
from processor.receiver.item_count import count_items
from processor.receiver.otlp_grpc import OtlpGrpcConfig, OtlpGrpcReceiver
from processor.receiver.otlp_http import OtlpHttpConfig, OtlpHttpReceiver
from processor.receiver.rate_limits import RateLimits
from processor.signals import Signal
from processor.telemetry.metrics import Metrics

MIB = 1024 * 1024
GRPC = OtlpGrpcConfig(endpoint="127.0.0.1:0", max_recv_msg_size_mib=1)
HTTP = OtlpHttpConfig(endpoint="127.0.0.1:0", max_request_body_size_mib=1)
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}

Outcome = Receipt | OtelSessionsError | None


def accept_all(record: Record) -> Outcome:
    """What a worker answers to good data."""
    return Receipt(accepted_spans=count_items(record.value, Signal.TRACES) or 0)


def request_bytes(spans: int = 3, filler: int = 0) -> bytes:
    """A serialized request with that many spans, and that many bytes of name in each."""
    request = ExportTraceServiceRequest()
    scope_spans = request.resource_spans.add().scope_spans.add()
    for number in range(spans):
        scope_spans.spans.add(trace_id=bytes(16), span_id=number.to_bytes(8, "big"), name="x" * filler)
    return request.SerializeToString()


@dataclass
class Bench:
    """Running receivers and what their log has handed out so far."""

    log: MemoryLog
    metrics: Metrics
    grpc: OtlpGrpcReceiver
    http: OtlpHttpReceiver
    channel: grpc.aio.Channel
    client: httpx.AsyncClient
    records: list[Record] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def export(self, value: bytes, path: str = EXPORT, compression: grpc.Compression | None = None) -> bytes:
        """One unary call with raw bytes."""
        call = self.channel.unary_unary(path)
        response: bytes = await call(value, compression=compression)
        return response

    async def refused(
        self, value: bytes, compression: grpc.Compression | None = None
    ) -> tuple[grpc.StatusCode, Status]:
        """The code and the rich status of a call that must fail; an empty status where core answered by itself."""
        try:
            await self.export(value, compression=compression)
        except grpc.aio.AioRpcError as error:
            return error.code(), _rich_status(error)
        raise AssertionError("the call succeeded")

    def counted(self, name: str, **labels: str) -> float:
        """A counter by its exposed name."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    async def wait_for_records(self, count: int) -> None:
        """Until the log has handed out that many records."""
        while len(self.records) < count:
            self.arrived.clear()
            await self.arrived.wait()


def _rich_status(error: grpc.aio.AioRpcError) -> Status:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            assert isinstance(value, bytes)
            return Status.FromString(value)
    return Status()


@contextlib.asynccontextmanager
async def bench(
    outcome: Callable[[Record], Outcome] = accept_all,
    grpc_config: OtlpGrpcConfig = GRPC,
    http_config: OtlpHttpConfig = HTTP,
    queue_bytes_max: int = 8 * MIB,
    signals: Iterable[Signal] = (Signal.TRACES,),
    limits: RateLimits | None = None,
) -> AsyncIterator[Bench]:
    """Start everything, consume the log in a task (an outcome of None leaves the record waiting), stop everything.

    All `signals` go to the one log, others to none.
    """
    log = MemoryLog(MemoryLogConfig(queue_bytes_max=queue_bytes_max))
    metrics, logs = Metrics(), dict.fromkeys(signals, log)
    grpc_receiver = OtlpGrpcReceiver(grpc_config, logs, metrics, limits=limits)
    http_receiver = OtlpHttpReceiver(http_config, logs, metrics, limits=limits)
    await grpc_receiver.start()
    await http_receiver.start()
    options = [("grpc.max_send_message_length", -1)]
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{grpc_receiver.port}", options=options)
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{http_receiver.port}", timeout=60)
    running = Bench(log, metrics, grpc_receiver, http_receiver, channel, client)
    consumer = asyncio.create_task(_consume(running, outcome))
    try:
        yield running
    finally:
        await channel.close()
        await client.aclose()
        await grpc_receiver.stop(grace_s=0)
        await http_receiver.stop(grace_s=0)
        await log.close()
        await consumer


async def _consume(running: Bench, outcome: Callable[[Record], Outcome]) -> None:
    while records := await running.log.poll(bytes_max=MIB, linger_s=0):
        for record in records:
            running.records.append(record)
            verdict = outcome(record)
            if verdict is not None:
                running.log.acknowledge([record], [verdict])
        running.arrived.set()
