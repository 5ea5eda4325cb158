"""A process that dies, at any moment, under load: nothing acknowledged is lost, nothing is counted twice.

The load is real gRPC from a client that does what exporters do: it sends each request again until it is acknowledged,
several at a time. At the end the tables must say what the oracle says about the whole load, to the last token, the last
nanosecond and the last nano-dollar.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import psutil
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processor.clock import now_ns
from processor.model import DEFAULT_TENANT
from tests.integration import process
from tests.integration.process import ANY_PORTS, COMMAND, TIMEOUT_S, Running
from tests.oracle import expected
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

Row = dict[str, Any]


# --- The load ---


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


def make_load(traces: int, dice: random.Random) -> list[bytes]:
    """Requests in any order: a trace's root and its children never share one, and lie anywhere in the load."""
    end_ns = now_ns()
    roots: list[Span] = []
    children: list[Span] = []
    for number in range(1, traces + 1):
        root, *others = make_trace(number, dice, end_ns - dice.randrange(1, 3600) * 1000 * MS)
        roots.append(root)
        children += others
    requests = []
    for spans in (roots, children):
        dice.shuffle(spans)
        for begin in range(0, len(spans), SPANS_PER_REQUEST):
            request = ExportTraceServiceRequest()
            resource_spans = request.resource_spans.add()
            resource_spans.resource.attributes.append(KeyValue(key="service.name", value=any_value("agent")))
            resource_spans.scope_spans.add().spans.extend(spans[begin : begin + SPANS_PER_REQUEST])
            requests.append(request.SerializeToString())
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


# --- The truth, and what the tables say ---

# In a process of its own: chDB opens one directory a process.
READER = """
import json, sys
from processor.store.clickhouse import StoreConfig, connect
client = connect(StoreConfig(dsn="chdb://" + sys.argv[1]))
for query in sys.argv[2:]:
    print(json.dumps(list(client.query(query).named_results())))
client.close()
"""


def read(data: Path, *queries: str) -> list[list[Row]]:
    """The rows of queries on a store that no process has open."""
    command = [sys.executable, "-c", READER, str(data), *queries]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_key(rows: Iterable[Row], *names: str) -> dict[tuple[str, ...], Row]:
    """Rows by key, without their version."""
    return {tuple(row[name] for name in names): {k: v for k, v in row.items() if k != "version"} for row in rows}


def assert_same(stored: dict[Any, Row], truth: dict[Any, Row]) -> None:
    """Equal, and if not, a few of the rows that differ."""
    wrong = [key for key in stored.keys() | truth.keys() if stored.get(key) != truth.get(key)]
    assert not wrong, [len(wrong), *((key, stored.get(key), truth.get(key)) for key in sorted(wrong)[:3])]


def assert_tables_hold_the_load(data: Path, load: list[bytes]) -> None:
    """Spans once each, and every trace and session row exactly the oracle's."""
    spans, traces, memberships, sessions = read(
        data,
        "SELECT count() AS all, uniqExact(TraceId, SpanId) AS distinct FROM otel.otel_traces FINAL",
        "SELECT * FROM otel.session_traces FINAL WHERE span_count > 0",
        "SELECT * FROM otel.trace_sessions FINAL",
        "SELECT * FROM otel.session_rollups FINAL WHERE trace_count > 0",
    )
    truth = expected([(DEFAULT_TENANT, request) for request in load], now_ns())
    count = sum(row["span_count"] for row in truth.trace_sessions.values())
    assert spans == [{"all": count, "distinct": count}]
    assert_same(by_key(traces, "tenant", "session_id", "trace_id"), truth.session_traces)
    assert_same(by_key(memberships, "tenant", "trace_id"), truth.trace_sessions)
    assert_same(by_key(sessions, "tenant", "session_id"), truth.session_rollups)


# --- The tests ---


def kill_while_it_starts(folder: Path, after_s: float) -> None:
    """Start a process and kill it so long after it has claimed the data directory: it opens its store, or resumes."""
    victim = subprocess.Popen(
        [COMMAND, "run", "--config", str(folder / "config.yaml")],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TEST_DATA": str(folder / "data")},
    )
    lock = folder / "data" / "otel-sessions.lock"
    while lock.read_text() != str(victim.pid):
        assert victim.poll() is None, "it did not start by itself"
    with contextlib.suppress(subprocess.TimeoutExpired):
        victim.wait(after_s)
    victim.kill()
    assert victim.wait() == -signal.SIGKILL


async def restarted(folder: Path, started: contextlib.ExitStack) -> Running:
    """A process on the folder's data, up; killed at the latest when the test ends."""
    return await asyncio.to_thread(lambda: started.enter_context(Running(folder)))


def test_killed_twenty_times_under_load_it_has_everything_once(tmp_path: Path) -> None:
    """Twenty SIGKILLs, while it takes spans and rolls up, has just started, or is starting: totals are the oracle's."""
    dice = random.Random(20)
    load = make_load(6_000, dice)
    under_load = dice.sample(range(1, len(load)), 12)  # so many requests are acknowledged when it dies
    just_started = dice.choices(under_load, k=3)  # the same moment again: nothing happens in between
    deaths = sorted(under_load + just_started)
    deaths_while_starting = {deaths.index(death): 0.5 * dice.random() for death in dice.sample(under_load, 5)}
    assert len(deaths) + len(deaths_while_starting) == 20

    async def scenario(started: contextlib.ExitStack) -> None:
        client = Client(load)
        running = await restarted(tmp_path, started)
        client.connect(running)
        async with client.sending():
            for number, acknowledged in enumerate(deaths):
                await client.reach(acknowledged)
                code, _ = await asyncio.to_thread(running.stop, signal.SIGKILL)
                assert code == -signal.SIGKILL
                if number in deaths_while_starting:
                    await asyncio.to_thread(kill_while_it_starts, tmp_path, deaths_while_starting[number])
                running = await restarted(tmp_path, started)
                client.connect(running)
        assert client.failures, "requests were under way when it died"
        assert (await asyncio.to_thread(running.stop))[0] == 0

    with contextlib.ExitStack() as started:
        asyncio.run(scenario(started))
    assert_tables_hold_the_load(tmp_path / "data", load)


def test_sigterm_under_load_ends_it_in_order_and_loses_nothing(tmp_path: Path) -> None:
    """It exits with 0 while exporters still send; what it did not take was answered retryably and arrives later."""
    load = make_load(2_000, random.Random(15))

    async def scenario(started: contextlib.ExitStack) -> None:
        client = Client(load)
        running = await restarted(tmp_path, started)
        client.connect(running)
        async with client.sending():
            await client.reach(len(load) // 3)
            code, lines = await asyncio.to_thread(running.stop)
            assert (code, [line["event"] for line in lines]) == (0, ["stopping", "stopped"])
            assert client.acknowledged < len(load)
            running = await restarted(tmp_path, started)
            client.connect(running)
        assert client.failures[grpc.StatusCode.UNAVAILABLE]
        assert (await asyncio.to_thread(running.stop))[0] == 0

    with contextlib.ExitStack() as started:
        asyncio.run(scenario(started))
    assert_tables_hold_the_load(tmp_path / "data", load)


def test_killed_between_the_answer_and_the_tick_it_shows_the_session_after_the_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was acknowledged but not rolled up is rolled up after the restart, without any new span."""
    with monkeypatch.context() as rare_ticks:
        rare_ticks.setattr(process, "ANY_PORTS", ANY_PORTS + "processors: {sessions: {rollups: {interval_s: 60}}}\n")
        running = Running(tmp_path)
    with running:
        end_ns = now_ns()
        running.export(
            {
                "traceId": "0af7651916cd43dd8448eb211c80319c",
                "spanId": "b7ad6b7169203331",
                "startTimeUnixNano": str(end_ns - 7 * MS),
                "endTimeUnixNano": str(end_ns),
                "attributes": [{"key": "session.id", "value": {"stringValue": "left behind"}}],
            }
        )
        assert get_session(running, "left behind") is None
        children = running.children()
        assert children, "it decodes in a process of its own"
        assert running.stop(signal.SIGKILL)[0] == -signal.SIGKILL
        assert not psutil.wait_procs(children, TIMEOUT_S)[1], "a child outlived its parent"
    with Running(tmp_path) as running:
        while (session := get_session(running, "left behind")) is None:
            time.sleep(RETRY_S)
    assert (session["span_count"], session["latency_ms"]) == (1, 7.0)


def get_session(running: Running, session_id: str) -> Row | None:
    """A session as the API shows it, None where it shows none."""
    response = httpx.get(f"{running.url('sessions_api')}/v1/sessions/{session_id}", timeout=TIMEOUT_S)
    if response.status_code == httpx.codes.NOT_FOUND:
        return None
    assert response.status_code == httpx.codes.OK, response.text
    session: Row = response.json()["data"]
    return session
