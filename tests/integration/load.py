"""A load that leaves nothing out, and a client that sends it as exporters do: each request until it is acknowledged.

A trace's session is named by its root, by a child alone, or by nobody; its spans lie in many requests, in any order.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processor.clock import now_ns
from tests.integration.process import Running
from tests.strategies import any_value

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RETRYABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
RETRY_S = 0.05
IN_FLIGHT = 8
SPANS_PER_REQUEST = 60

MS = 1_000_000
TRACE_SPANS = (
    # parent, start and length in ms, attributes; numbers in braces are drawn for each trace
    (None, 0, 900, {"gen_ai.operation.name": "invoke_agent"}),
    (0, 10, 400, {"gen_ai.operation.name": "agent_step", "gen_ai.usage.input_tokens": "{tokens}"}),
    (1, 20, 300, {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": "{tokens}", "llm.cost.total": "{usd}"}),
    (0, 450, 60, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}),
    (3, 460, 40, {"gen_ai.operation.name": "embeddings", "gen_ai.usage.total_tokens": 17, "model": "small"}),
    (0, 520, 350, {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": "{tokens}", "model": "large"}),
    (5, 530, 20, {}),
    (5, 560, -5, {"note": "ends before it starts"}),
)


def make_trace(number: int, dice: random.Random, at_ns: int) -> list[Span]:
    """One trace. Its session is named by the root, by a child alone, or by nobody."""
    drawn = {"{tokens}": dice.randrange(1, 5000), "{usd}": dice.randrange(1, 10**9) / 10**9}
    spans = []
    for index, (parent, start_ms, length_ms, attributes) in enumerate(TRACE_SPANS):
        start_ns = at_ns + start_ms * MS + dice.randrange(MS)
        span = Span(
            trace_id=number.to_bytes(16, "big"),
            span_id=(number * 16 + index + 1).to_bytes(8, "big"),
            parent_span_id=b"" if parent is None else (number * 16 + parent + 1).to_bytes(8, "big"),
            name=f"step {index}",
            start_time_unix_nano=start_ns,
            end_time_unix_nano=start_ns + length_ms * MS,
        )
        say(span, {key: drawn.get(value, value) for key, value in attributes.items()})
        if index >= 3 and dice.random() < 0.05:
            span.status.code = 2
        spans.append(span)
    names_session = dice.choices([0, 4, None], [85, 10, 5])[0]
    if names_session is not None:
        say(spans[names_session], {"session.id": f"session {number % 997}", "user.id": f"user {number % 13}"})
    return spans


def say(span: Span, attributes: dict[str, Any]) -> None:
    """Add attributes."""
    span.attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in attributes.items())


def make_load(traces: int, dice: random.Random, *, roots_last: bool = False) -> list[bytes]:
    """Requests in any order: a trace's root and its children never share one, and lie anywhere in the load."""
    end_ns = now_ns()
    roots: list[Span] = []
    children: list[Span] = []
    for number in range(1, traces + 1):
        root, *others = make_trace(number, dice, end_ns - dice.randrange(1, 3600) * 1000 * MS)
        roots.append(root)
        children += others
    requests = []
    for spans in (children, roots):
        dice.shuffle(spans)
        for begin in range(0, len(spans), SPANS_PER_REQUEST):
            request = ExportTraceServiceRequest()
            resource_spans = request.resource_spans.add()
            resource_spans.resource.attributes.append(KeyValue(key="service.name", value=any_value("agent")))
            resource_spans.scope_spans.add().spans.extend(spans[begin : begin + SPANS_PER_REQUEST])
            requests.append(request.SerializeToString())
    if not roots_last:
        dice.shuffle(requests)
    return requests


class Client:
    """Sends each request until it is acknowledged, `IN_FLIGHT` at a time, to the process that it was told of last."""

    def __init__(self, requests: Iterable[bytes]) -> None:
        self._waiting = list(requests)
        self._channels: list[grpc.aio.Channel] = []
        self._progress = asyncio.Event()
        self.acknowledged = 0
        self.failures: Counter[grpc.StatusCode] = Counter()

    def connect(self, running: Running) -> None:
        """From now on talk to this process."""
        self._channels.append(grpc.aio.insecure_channel(running.url("grpc").removeprefix("http://")))

    async def reach(self, acknowledged: int) -> None:
        """Until so many requests are acknowledged."""
        while self.acknowledged < acknowledged:
            self._progress.clear()
            await self._progress.wait()

    async def _send_all(self) -> None:
        while self._waiting:
            request = self._waiting.pop()
            while not await self._is_acknowledged(request):  # noqa: ASYNC110 (an exporter's pause)
                await asyncio.sleep(RETRY_S)
            self.acknowledged += 1
            self._progress.set()

    async def _is_acknowledged(self, request: bytes) -> bool:
        try:
            response: bytes = await self._channels[-1].unary_unary(EXPORT)(request)
        except grpc.aio.AioRpcError as error:
            if error.code() not in RETRYABLE:
                raise
            self.failures[error.code()] += 1
            return False
        assert response == b"", "no span of the load is refused"
        return True

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send while the body runs, and leave when everything is acknowledged."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(IN_FLIGHT):
                    tasks.create_task(self._send_all())
                yield
        finally:
            for channel in self._channels:
                await channel.close()
