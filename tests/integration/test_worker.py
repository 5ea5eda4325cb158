"""The worker in this process, when what it stands on fails: its decoder dies, the store refuses a tick.

Failures are real: a killed process, a database without its tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processor.clock import now_ns
from processor.errors import Permanent, Retryable
from processor.log.base import Record
from processor.log.memory import MemoryLog, MemoryLogConfig
from processor.model import Receipt
from processor.signals import Signal
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.telemetry.metrics import Metrics
from processor.worker import RollupConfig, Worker, WorkerConfig
from processor.worker.config import ThreadsConfig
from processor.worker.decoding import Decoding
from processor.worker.worker import THREAD_IDLE_AFTER_S

DEADLINE_S = 60


def request(tenant: str, traces: int) -> bytes:
    """A request of so many traces, one span each, all of session `s`."""
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for number in range(traces):
        span = Span(trace_id=os.urandom(16), span_id=os.urandom(8), name=f"{tenant} {number}")
        span.start_time_unix_nano = span.end_time_unix_nano = now_ns()
        span.attributes.append(KeyValue(key="session.id", value=AnyValue(string_value="s")))
        spans.append(span)
    return message.SerializeToString()


@contextlib.asynccontextmanager
async def running(
    store: ClickHouseStore, scratch: Path, config: WorkerConfig | None = None
) -> AsyncIterator[tuple[Worker, MemoryLog]]:
    """A worker that polls and ticks; stopped in order at the end."""
    log = MemoryLog(MemoryLogConfig())
    worker = Worker(config or WorkerConfig(), {Signal.TRACES: log}, store, Metrics(), scratch)
    await worker.start()
    try:
        yield worker, log
    finally:
        async with asyncio.timeout(DEADLINE_S):
            await worker.stop()


def traces_in(client: Any, config: StoreConfig, tenant: str) -> int:
    """Traces in the row of the tenant's session; 0 without a row."""
    rows = client.query(
        f"SELECT sum(trace_count) FROM {config.database}.sessions WHERE tenant = %(tenant)s", {"tenant": tenant}
    ).result_rows
    return int(rows[0][0])


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.02)


def decoders() -> list[psutil.Process]:
    """The processes that this one has started and that decode."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # or not any more
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_killed_decoder_loses_nothing(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, tmp_path: Path
) -> None:
    """Killed between two requests, and while it has some: another one is started, and the exporter is told OK."""

    async def scenario() -> None:
        async with running(store, tmp_path) as (worker, log):
            for _ in range(3):
                (decoder,) = decoders()
                sent = [asyncio.create_task(log.append("killed", request("killed", 40))) for _ in range(50)]
                await asyncio.sleep(0)  # they are in the log now
                os.kill(decoder.pid, signal.SIGKILL)
                assert await asyncio.gather(*sent) == [Receipt(accepted_spans=40)] * 50
            await worker.settle()

    asyncio.run(scenario())
    assert traces_in(client, store_config, "killed") == 3 * 50 * 40
    assert not list(tmp_path.iterdir())


def test_a_record_is_not_blamed_for_what_this_machine_lacks(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, tmp_path: Path
) -> None:
    """Without a place for its rows a request is answered "retry", and taken when there is one again."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    async def scenario() -> None:
        async with running(store, scratch) as (worker, log):
            scratch.rmdir()
            with pytest.raises(Retryable, match="requests can't be decoded now"):
                await log.append("room", request("room", 2))
            assert not worker.healthy
            scratch.mkdir()
            assert await log.append("room", request("room", 2)) == Receipt(accepted_spans=2)
            assert worker.healthy
            await worker.settle()

    asyncio.run(scenario())
    assert traces_in(client, store_config, "room") == 2
    assert not list(scratch.iterdir())


def test_a_request_that_kills_every_decoder_is_refused_and_leaves_nothing(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, tmp_path: Path
) -> None:
    """Nothing is wrong with the next one."""

    async def scenario() -> None:
        async with running(store, tmp_path, WorkerConfig(poll_linger_s=0.5)) as (worker, log):
            good = asyncio.create_task(log.append("kills", request("kills", 2)))
            while not good.done():
                for decoder in decoders():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(decoder.pid, signal.SIGKILL)
                await asyncio.sleep(0.01)
            with pytest.raises(Permanent, match="can't be processed"):
                await good
            assert os.listdir(tmp_path) == []
            assert await log.append("kills", request("kills", 3)) == Receipt(accepted_spans=3)
            await worker.settle()

    asyncio.run(scenario())
    assert traces_in(client, store_config, "kills") == 3


def test_batches_of_all_signals_outlive_a_decoder_that_one_of_them_may_have_killed(tmp_path: Path) -> None:
    """They are decoded in one process; when it dies, each has another chance in a process of its own."""
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=now_ns())
    work = [(Signal.TRACES, request("beside", 3)), (Signal.LOGS, logs.SerializeToString())] * 3

    async def scenario() -> list[int]:
        decoding = Decoding(WorkerConfig(), tmp_path)
        await decoding.start()
        (shared,) = decoders()
        os.kill(shared.pid, signal.SIGSTOP)
        batches = [
            asyncio.create_task(decoding.batch(of, [Record("acme", value)], number))
            for number, (of, value) in enumerate(work)
        ]
        await asyncio.sleep(0)  # they are handed over
        os.kill(shared.pid, signal.SIGKILL)
        try:
            return [(await batch).items for batch in batches]
        finally:
            decoding.stop()

    assert asyncio.run(scenario()) == [3, 1] * 3
    assert not decoders()


def test_no_process_is_left_by_a_stop(store: ClickHouseStore, tmp_path: Path) -> None:
    """The decoder ends with its worker."""

    async def scenario() -> list[psutil.Process]:
        async with running(store, tmp_path):
            return decoders()

    left = asyncio.run(scenario())
    assert left
    assert not any(decoder.is_running() for decoder in left)


def test_decoding_in_a_thread_gives_the_same_rows(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, tmp_path: Path
) -> None:
    """`decode_processes: 0`."""

    async def scenario() -> None:
        async with running(store, tmp_path, WorkerConfig(decode_processes=0)) as (worker, log):
            assert decoders() == []
            assert await log.append("thread", request("thread", 7)) == Receipt(accepted_spans=7)
            await worker.settle()

    asyncio.run(scenario())
    assert traces_in(client, store_config, "thread") == 7


@pytest.fixture
def refused_table(client: Any, store_config: StoreConfig) -> Any:
    """Takes the table of session rows away, and puts it back."""
    table = f"{store_config.database}.session_rollups"

    class Refused:
        def begin(self) -> None:
            client.command(f"RENAME TABLE {table} TO {table}_away")

        def end(self) -> None:
            client.command(f"RENAME TABLE {table}_away TO {table}")

    return Refused()


def test_a_loop_that_has_failed_says_that_only_a_restart_helps(store: ClickHouseStore, tmp_path: Path) -> None:
    """A fault of ours, here a log that forgot its record: `crashed` tells whoever runs it, `dead` whoever asks."""

    async def scenario() -> None:
        async with running(store, tmp_path) as (worker, log):
            assert not worker.dead
            sent = asyncio.create_task(log.append("crash", request("crash", 1)))
            await asyncio.sleep(0)  # it is in the log now
            log._pending.clear()
            assert isinstance(await worker.crashed(), KeyError)
            assert worker.dead == "the loop of traces has failed; restart the process"
            assert worker.missing == "the worker does not run"
            sent.cancel()

    asyncio.run(scenario())


def test_a_tick_that_failed_is_made_up_for(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, refused_table: Any, tmp_path: Path
) -> None:
    """Spans are taken meanwhile, health says what is wrong, and when the store is back every row comes by itself."""

    async def scenario() -> None:
        async with running(store, tmp_path) as (worker, log):
            refused_table.begin()
            assert await log.append("tick", request("tick", 3)) == Receipt(accepted_spans=3)
            await until(lambda: not worker.healthy)
            assert worker.missing.startswith("the last rollup was not written")
            assert not worker.dead, "it comes back by itself"
            refused_table.end()
            await until(lambda: worker.healthy and traces_in(client, store_config, "tick") == 3)

    asyncio.run(scenario())


def test_it_stops_also_while_ingest_waits_for_ticks_that_fail(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, refused_table: Any, tmp_path: Path
) -> None:
    """What was accepted is stored; the next worker rolls it up."""
    one_request_a_poll = 64 * 1024
    config = WorkerConfig(poll_bytes_max=one_request_a_poll, rollups=RollupConfig(waiting_spans_max=1_000))

    async def scenario() -> None:
        async with running(store, tmp_path, config) as (worker, log):
            refused_table.begin()
            sent = [asyncio.create_task(log.append("stop", request("stop", 1_000))) for _ in range(4)]
            await until(lambda: not worker.healthy)
        assert [await one for one in sent] == [Receipt(accepted_spans=1_000)] * 4
        refused_table.end()
        async with running(store, tmp_path) as (worker, _):
            await worker.settle()

    asyncio.run(scenario())
    assert traces_in(client, store_config, "stop") == 4_000


def test_a_stop_takes_no_longer_than_it_may(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, tmp_path: Path
) -> None:
    """With no time left nothing is rolled up any more; the next worker does it."""
    config = WorkerConfig(stop_timeout_s=0, rollups=RollupConfig(interval_s=60))

    async def stopped() -> None:
        async with running(store, tmp_path, config) as (_, log):
            assert await log.append("hurry", request("hurry", 5)) == Receipt(accepted_spans=5)

    async def next_one() -> None:
        async with running(store, tmp_path) as (worker, _):
            await worker.settle()

    asyncio.run(stopped())
    assert traces_in(client, store_config, "hurry") == 0
    asyncio.run(next_one())
    assert traces_in(client, store_config, "hurry") == 5


def test_views_know_the_configuration_of_the_worker_that_started_last(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, tmp_path: Path
) -> None:
    """`threads.idle_after_s` is in the store before the first span is."""

    async def start_and_stop(idle_after_s: int) -> None:
        config = WorkerConfig(threads=ThreadsConfig(idle_after_s))
        async with running(store, tmp_path, config) as (worker, _):
            assert worker.healthy

    for idle_after_s in (86_400, 7):
        asyncio.run(start_and_stop(idle_after_s))
        query = f"SELECT name, value FROM {store_config.database}.settings FINAL WHERE NOT startsWith(name, 'prices')"
        assert client.query(query).result_rows == [(THREAD_IDLE_AFTER_S, str(idle_after_s))]
