"""A process that dies, at any moment, under load: nothing acknowledged is lost, nothing is counted twice.

The load is real gRPC from a client that does what exporters do: it sends each request again until it is acknowledged,
several at a time. At the end the tables must say what the oracle says about the whole load.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import grpc
import httpx
import psutil
import pytest

from processor.clock import now_ns
from tests.integration.closed_store import read
from tests.integration.load import MS, RETRY_S, Client, make_load
from tests.integration.process import ANY_PORTS, COMMAND, TIMEOUT_S, Running
from tests.integration.truth import Row, assert_tables_hold

RARE_TICKS = ANY_PORTS + "processors: {sessions: {rollups: {interval_s: 60}}}\n"


def assert_tables_hold_the_load(data: Path, load: list[bytes]) -> None:
    """In a store that nobody has open."""
    assert_tables_hold(load, lambda query: read(data, query)[0])


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


@pytest.mark.timeout(900)  # it starts 26 processes
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
    tmp_path: Path,
) -> None:
    """What was acknowledged but not rolled up is rolled up after the restart, without any new span."""
    with Running(tmp_path, RARE_TICKS) as running:
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
