"""Workers that freeze, brokers and a store that are away, disks that are gone: every total ends as the oracle's."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path

import grpc
import httpx

from deploy.kafka.broker import Broker
from tests.integration.load import make_load
from tests.integration.process import TIMEOUT_S, Running
from tests.kafka.conftest import PARTITIONS, without
from tests.kafka.deployment import ClickHouse, Deployment, send, sending

BROKER_AWAY_S = 30
STORE_AWAY_S = 60


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
