"""Receivers, workers and the API as processes of their own: what goes in by OTLP is what the tables say.

Also where the spans come from somebody else, twice, in the worst order, hours late, or all once more.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Sequence

import httpx
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.integration.load import make_load
from tests.integration.process import TIMEOUT_S
from tests.kafka.conftest import PARTITIONS
from tests.kafka.deployment import Deployment, send, sending
from tests.kafka.harness import WAIT_S
from tests.kafka.reading import produce

ROLLED_UP = "SELECT sum(trace_count) FROM {database}.session_rollups FINAL"


def produce_unplaced(deployment: Deployment, requests: Sequence[bytes], dice: random.Random) -> None:
    """As a producer that knows nothing of ours: anywhere, without a word."""
    for partition in range(PARTITIONS):
        some = requests[partition::PARTITIONS]
        produce(deployment.bootstrap, deployment.topic, *dice.sample(some, len(some)), partition=partition)


def test_what_a_receiver_takes_is_what_the_api_shows(deployment: Deployment) -> None:
    """One receiver, two workers, one API; each says that it is ready, and none knows more than its part."""
    load = make_load(600, random.Random(1))
    receiver, _, _ = deployment.receiver(), deployment.worker(), deployment.worker()
    send(load, receiver)
    deployment.wait(deployment.is_done)
    for running in (receiver, *deployment.workers):
        assert httpx.get(f"{running.url('health_check')}/ready", timeout=TIMEOUT_S).status_code == 200
        assert "sessions_api_port" not in running.lines[-1]
    page = httpx.get(f"{deployment.api().url('sessions_api')}/v1/sessions", params={"limit": 1}, timeout=TIMEOUT_S)
    assert page.json()["pagination"]["total"] == deployment.number("SELECT count() FROM {database}.sessions")
    deployment.assert_holds(load)


def test_spans_that_nobody_placed_count_once_beside_those_that_were(deployment: Deployment) -> None:
    """Half by our receiver, half by a foreign producer, and a fifth of all once more, anywhere."""
    dice = random.Random(2)
    load = make_load(1_000, dice)
    ours, foreign = load[::2], load[1::2]
    receiver, _, _ = deployment.receiver(), deployment.worker(), deployment.worker()

    async def scenario() -> None:
        async with sending(ours, receiver):
            await asyncio.to_thread(produce_unplaced, deployment, foreign, dice)
            await asyncio.to_thread(produce_unplaced, deployment, dice.sample(load, len(load) // 5), dice)

    asyncio.run(scenario())
    deployment.assert_holds(load)


def test_roots_last_and_stragglers_after_everything_end_the_same(deployment: Deployment) -> None:
    """A hundredth comes when all the rest is rolled up, committed and forgotten, to workers that never saw it."""
    load = make_load(1_000, random.Random(3), roots_last=True)
    late = load[::100]
    receiver, _ = deployment.receiver(), deployment.worker()
    send([request for request in load if request not in late], receiver)
    deployment.wait(deployment.is_done)
    deployment.stop()
    deployment.worker()
    send(late, receiver)
    deployment.assert_holds(load)


def test_everything_consumed_again_changes_nothing(deployment: Deployment) -> None:
    """The group's offsets go back to zero."""
    load = make_load(600, random.Random(4))
    receiver, _ = deployment.receiver(), deployment.worker()
    send(load, receiver)
    deployment.wait(deployment.is_done)
    deployment.stop()
    before = deployment.query("SELECT * FROM {database}.session_rollups FINAL ORDER BY ALL")
    deployment.reset_offsets()
    assert not deployment.is_done()
    deployment.worker()
    deployment.worker()
    deployment.assert_holds(load)
    assert deployment.query("SELECT * FROM {database}.session_rollups FINAL ORDER BY ALL") == before


def test_partitions_added_under_load_cost_no_total(deployment: Deployment) -> None:
    """Records of one trace lie in two partitions then, read by two workers, each placed by its own count."""
    load = make_load(2_000, random.Random(5))
    receiver, _, _ = deployment.receiver(), deployment.worker(), deployment.worker()

    async def scenario() -> None:
        async with sending(load, receiver) as client:
            await client.reach(len(load) // 3)
            admin = AdminClient({"bootstrap.servers": deployment.bootstrap})
            (made,) = admin.create_partitions([NewPartitions(deployment.topic, PARTITIONS + 3)]).values()
            await asyncio.to_thread(made.result, WAIT_S)
            deployment.partitions = PARTITIONS + 3

    asyncio.run(scenario())
    while len(deployment.committed()) == PARTITIONS:  # the producer looks for new partitions once a second
        send(load[::5], receiver)
    deployment.assert_holds(load)


def test_a_third_worker_joins_and_leaves_under_load(deployment: Deployment) -> None:
    """It takes over partitions, works, and gives them back with what it did; nobody counts anything twice."""
    load = make_load(3_000, random.Random(7))
    receiver, _, _ = deployment.receiver(), deployment.worker(), deployment.worker()

    async def scenario() -> None:
        async with sending(load, receiver) as client:
            await client.reach(len(load) // 4)
            third = await asyncio.to_thread(deployment.worker)
            await client.reach(len(load) // 2)
            deployment.workers.remove(third)
            code, lines = await asyncio.to_thread(third.stop)
            assert (code, lines[-1]["event"]) == (0, "stopped")

    asyncio.run(scenario())
    deployment.assert_holds(load)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_ends_a_worker_in_order(deployment: Deployment, number: int) -> None:
    """What it has stored it rolls up and commits, then it leaves the group: another goes on at once."""
    load = make_load(1_500, random.Random(8))
    receiver, first = deployment.receiver(), deployment.worker()

    async def scenario() -> None:
        async with sending(load, receiver):
            await asyncio.to_thread(deployment.wait, lambda: bool(deployment.committed()))
            deployment.workers.remove(first)
            code, lines = await asyncio.to_thread(first.stop, number)
            assert (code, lines[-1]["event"]) == (0, "stopped")
            assert not [line for line in lines if line["level"] in ("warning", "error", "critical")]

    asyncio.run(scenario())
    stored = deployment.number("SELECT uniqExact(trace_id) FROM {database}.session_spans")
    rolled_up = deployment.number("SELECT uniqExact(trace_id) FROM {database}.trace_sessions")
    assert stored == rolled_up
    deployment.worker()
    deployment.assert_holds(load)
