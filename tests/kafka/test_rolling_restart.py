"""A new version is rolled out under load: every receiver, then every worker, is replaced, and exporters notice nothing.

The exporters are the SDK's own, over gRPC and HTTP, with their own patience. They reach the receivers through a
balancer that asks `/ready`, as a cluster's does. One receiver at a time is asked to stop, and another one started.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.integration.process import Running
from tests.kafka.balancer import Balancer
from tests.kafka.deployment import Deployment

EXPORTERS_EACH = 2
TRACES_PER_BATCH = 5
BATCHES_BETWEEN = 10
PAUSE_S = 0.05
"""Between two exports of one exporter: restarts are what is tested, and the oracle adds up all that is sent."""
TICK_S = 0.5
DRAIN_S = 1.0
GRACE_S = 20.0
"""What a supervisor would give a process to end: a cluster's default is 30 s."""


def batches(number: int) -> Iterator[list[ReadableSpan]]:
    """Traces of an agent as the SDK makes them, some at a time, for ever."""
    collected = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(collected))
    tracer = provider.get_tracer("agent")
    for turn in count():
        for _ in range(TRACES_PER_BATCH):
            # It states what it cost: the oracle would look each price up by itself.
            said = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": turn + 1, "gen_ai.usage.cost": 0.001}
            with (
                tracer.start_as_current_span("turn", attributes={"session.id": f"chat {number} {turn % 7}"}),
                tracer.start_as_current_span("chat", attributes=said),
            ):
                pass
        yield list(collected.get_finished_spans())
        collected.clear()


class Load:
    """Exporters in threads of their own, from `start` until `stop`; what each has sent, and what it was told."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.failures = 0
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(2 * EXPORTERS_EACH)

    def start(self, grpc_port: int, http_port: int) -> None:
        """Exporters over both protocols."""
        for number in range(EXPORTERS_EACH):
            grpc = GrpcExporter(f"http://127.0.0.1:{grpc_port}", insecure=True)
            http = HttpExporter(f"http://127.0.0.1:{http_port}/v1/traces")
            self._pool.submit(self._export, grpc, 2 * number)
            self._pool.submit(self._export, http, 2 * number + 1)

    def _export(self, exporter: SpanExporter, number: int) -> None:
        for spans in batches(number):
            if self._over.wait(PAUSE_S):
                break
            if exporter.export(spans) is not SpanExportResult.SUCCESS:
                self.failures += 1
            self.sent.append(encode_spans(spans).SerializeToString())
        exporter.shutdown()

    async def more(self) -> None:
        """Until some more batches are through."""
        enough = len(self.sent) + BATCHES_BETWEEN
        while len(self.sent) < enough:  # noqa: ASYNC110 (threads count)
            await asyncio.sleep(0.02)

    def stop(self) -> None:
        """Until every exporter has finished."""
        self._over.set()
        self._pool.shutdown()


@pytest.mark.timeout(900)  # it starts seven processes, one after the other
def test_receivers_then_workers_are_replaced_under_load_and_no_exporter_notices(deployment: Deployment) -> None:
    """No export fails for good, every process ends in time with 0 and no complaint, and the totals are the oracle's."""
    receivers = [deployment.receiver(TEST_DRAIN_S=str(DRAIN_S), wait=False) for _ in range(2)]
    for _ in range(2):
        deployment.worker(tick_s=TICK_S, wait=False)
    for started in (*receivers, *deployment.workers):
        started.wait_until_started()
    load = Load()

    async def replace(running: Running) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        code, lines = await asyncio.to_thread(running.stop)
        assert loop.time() - began_s < GRACE_S
        assert (code, lines[-1]["event"]) == (0, "stopped")
        complaints = [line for line in lines if line["level"] in ("warning", "error", "critical")]
        # Somebody joined while it had records: those are another's then, which is what a rollout is.
        assert {line["event"] for line in complaints} <= {"kafka_commit_refused"}

    async def scenario() -> None:
        grpc, http = Balancer(lambda: receivers, "grpc"), Balancer(lambda: receivers, "http")
        async with grpc.serving(), http.serving():
            load.start(grpc.port, http.port)
            try:
                for old in list(receivers):
                    await load.more()
                    receivers.append(await asyncio.to_thread(deployment.receiver, TEST_DRAIN_S=str(DRAIN_S)))
                    await load.more()
                    await replace(old)
                    receivers.remove(old)
                await asyncio.to_thread(deployment.worker, tick_s=TICK_S, wait=False)
                for worker in deployment.workers[:2]:
                    await load.more()
                    deployment.workers.remove(worker)
                    await replace(worker)
                await load.more()
            finally:
                await asyncio.to_thread(load.stop)

    asyncio.run(scenario())
    assert load.failures == 0
    deployment.assert_holds(load.sent)
