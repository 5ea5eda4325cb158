"""Workers, brokers and the store die, freeze and come back under load; every total ends as the oracle's.

To the last token and the last nano-dollar, each time: a total that depended on any of this would be wrong here.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from deploy.kafka.broker import Broker
from tests.integration.load import make_load
from tests.integration.process import TIMEOUT_S, Running
from tests.kafka.conftest import PARTITIONS, create_topic, without
from tests.kafka.deployment import ClickHouse, Deployment, send, sending

BROKER_AWAY_S = 30
STORE_AWAY_S = 60
KILLS = 50
STORED = "SELECT uniqExact(trace_id, span_id) FROM {database}.session_spans"
RARELY_S = 25.0
NEVER_S = 60.0


@pytest.fixture
def own_deployment(own_broker: Broker, clickhouse: ClickHouse, tmp_path: Path) -> Iterator[Deployment]:
    """On a broker that the test may kill."""
    create_topic(own_broker.bootstrap, "spans")
    database = f"own_{os.urandom(4).hex()}"
    deployed = Deployment(tmp_path / "own", own_broker.bootstrap, "spans", PARTITIONS, clickhouse, database)
    yield deployed
    deployed.close()


# --- Killed at a named point ---


def test_killed_after_the_insert_and_before_the_rollup(deployment: Deployment) -> None:
    """All spans are stored, no row shows them, nothing is committed; the next worker gets them all again."""
    load = make_load(300, random.Random(11))
    receiver, worker = deployment.receiver(), deployment.worker(tick_s=NEVER_S)
    send(load, receiver)
    deployment.wait(lambda: deployment.number(STORED) == 300 * 8)
    assert deployment.number("SELECT count() FROM {database}.trace_sessions") == 0
    deployment.kill(worker)
    assert deployment.committed() == {}
    deployment.worker()
    deployment.assert_holds(load)


def test_killed_between_the_trace_rows_and_the_session_rows(deployment: Deployment) -> None:
    """Traces are bound and rolled up, their sessions show nothing of it: the last step of every binding."""
    load = make_load(300, random.Random(12))
    receiver, worker = deployment.receiver(), deployment.worker()
    deployment.command("RENAME TABLE {database}.session_rollups TO {database}.away")
    send(load, receiver)
    deployment.wait(lambda: deployment.number("SELECT uniqExact(trace_id) FROM {database}.session_traces") > 200)
    deployment.kill(worker)
    deployment.command("RENAME TABLE {database}.away TO {database}.session_rollups")
    assert deployment.committed() == {}
    assert deployment.number("SELECT count() FROM {database}.session_rollups") == 0
    deployment.worker()
    deployment.assert_holds(load)


def test_killed_after_the_rollup_and_before_the_commit(own_deployment: Deployment, own_broker: Broker) -> None:
    """Every row is right already, and all is consumed once more."""
    deployment = own_deployment
    load = make_load(300, random.Random(13))
    receiver, worker = deployment.receiver(), deployment.worker(tick_s=RARELY_S)
    send(load, receiver)
    deployment.wait(lambda: deployment.number(STORED) == 300 * 8)
    own_broker.kill()
    traces = deployment.number("SELECT uniqExact(trace_id) FROM {database}.session_spans")
    deployment.wait(
        lambda: (
            deployment.number("SELECT uniqExact(trace_id) FROM {database}.trace_sessions FINAL") == traces
            and deployment.number("SELECT count() FROM {database}.session_rollups") > 0
        )
    )
    deployment.kill(worker)
    own_broker.start()
    assert deployment.committed() == {}
    deployment.worker()
    deployment.assert_holds(load)


# --- At any point ---


def test_fifty_workers_killed_at_any_time(deployment: Deployment) -> None:
    """Two at a time under load; each dies while it starts, joins, learns, stores, rolls up or commits."""
    dice = random.Random(50)
    load = make_load(2_500, dice)
    receiver = deployment.receiver()
    slots = [deployment.worker(), deployment.worker()]

    async def scenario() -> None:
        async with sending(load, receiver) as client:
            for kill in range(1, KILLS + 1):
                await client.reach(len(load) * kill // (KILLS + 1))
                slot = dice.randrange(len(slots))
                await asyncio.sleep(dice.random())
                await asyncio.to_thread(deployment.kill, slots[slot])
                # A worker that is killed while it starts has done nothing: most are let get to work.
                wait = dice.random() < 0.8
                slots[slot] = await asyncio.to_thread(deployment.worker, tick_s=0.1 + dice.random(), wait=wait)

    asyncio.run(scenario())
    deployment.assert_holds(load)


# --- Frozen ---


def test_a_worker_that_was_frozen_longer_than_its_session_wakes_up_and_harms_nothing(deployment: Deployment) -> None:
    """SIGSTOP under load until the other has all partitions, then SIGCONT: it writes on as if nothing had happened."""
    load = make_load(3_000, random.Random(14))
    receiver, frozen, other = deployment.receiver(), deployment.worker(), deployment.worker()

    def assignments(worker: Running) -> list[list[int]]:
        return [line["partitions"] for line in worker.logged() if line["event"] == "kafka_partitions_assigned"]

    async def scenario() -> None:
        async with sending(load, receiver) as client:
            await client.reach(len(load) // 4)
            frozen.signal(signal.SIGSTOP)
            await asyncio.to_thread(deployment.wait, lambda: len(assignments(other)[-1]) == PARTITIONS)
            await client.reach(len(load) // 2)
            before = len(assignments(frozen))
            frozen.signal(signal.SIGCONT)
            await asyncio.to_thread(deployment.wait, lambda: len(assignments(frozen)) > before)

    asyncio.run(scenario())
    deployment.assert_holds(load)


# --- Away ---


def test_a_worker_without_a_place_for_its_rows_waits_for_one(deployment: Deployment, tmp_path: Path) -> None:
    """No record is to blame for that: none is refused, none becomes a dead letter, and none is passed over."""
    load = make_load(300, random.Random(16))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    receiver, worker = deployment.receiver(), deployment.worker(TMPDIR=str(temporary))
    (scratch,) = temporary.glob("otel-sessions-*")
    scratch.rmdir()
    send(load, receiver)
    deployment.wait(lambda: any(line["event"] == "decoding_failed" for line in worker.logged()))
    assert deployment.committed() == {}
    scratch.mkdir()
    deployment.assert_holds(load)


def test_brokers_away_for_half_a_minute_and_the_store_for_a_whole_one(
    own_deployment: Deployment, own_broker: Broker, clickhouse: ClickHouse
) -> None:
    """Exporters are told to retry while the brokers are away, and notice nothing while the store is; all recovers."""
    deployment = own_deployment
    if not clickhouse.can_stop:
        without("the server of CLICKHOUSE_URL is not ours to stop")
    load = make_load(4_000, random.Random(15))
    receiver, worker, leaving = deployment.receiver(), deployment.worker(), deployment.worker()
    ready = f"{worker.url('health_check')}/ready"

    def is_ready() -> bool:
        return httpx.get(ready, timeout=TIMEOUT_S).status_code == 200

    async def scenario() -> None:
        async with sending(load, receiver) as client:
            await client.reach(len(load) // 3)
            await asyncio.to_thread(own_broker.kill)
            await asyncio.sleep(BROKER_AWAY_S)
            refused = client.failures[grpc.StatusCode.UNAVAILABLE]
            assert refused > 0
            assert client.acknowledged < len(load)
            await asyncio.to_thread(own_broker.start)
            await client.reach(2 * len(load) // 3)
            await asyncio.to_thread(clickhouse.stop)
            back_s = time.monotonic() + STORE_AWAY_S
        # The rest of the load is acknowledged: Kafka has it.
        await asyncio.to_thread(deployment.wait, lambda: not is_ready())
        deployment.workers.remove(leaving)
        assert (await asyncio.to_thread(leaving.stop))[0] == 0, "what it could not store it leaves to the other"
        await asyncio.sleep(max(back_s - time.monotonic(), 0))
        await asyncio.to_thread(clickhouse.start)

    asyncio.run(scenario())
    deployment.wait(is_ready)
    deployment.assert_holds(load)
