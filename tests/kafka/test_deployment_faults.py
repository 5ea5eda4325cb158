"""Workers killed under load, at named points and at any other: every total ends as the oracle's.

To the last token and the last nano-dollar, each time: a total that depended on any of this would be wrong here.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from deploy.kafka.broker import Broker
from tests.integration.load import make_load
from tests.kafka.deployment import Deployment, send, sending

KILLS = 50
STORED = "SELECT uniqExact(trace_id, span_id) FROM {database}.session_spans"
RARELY_S = 25.0
NEVER_S = 60.0


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
    deployment.wait(lambda: deployment.has_learned(worker))  # which reads that table
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


@pytest.mark.timeout(900)  # fifty starts, each two seconds of CPU
def test_fifty_workers_killed_at_any_time(deployment: Deployment) -> None:
    """Two at a time under load; each dies while it starts, joins, learns, stores, rolls up or commits."""
    dice = random.Random(50)
    load = make_load(2_500, dice)
    receiver = deployment.receiver()
    # They decode by themselves: fifty decoders would take as long to start as they do.
    slots = [deployment.worker(TEST_DECODERS="0"), deployment.worker(TEST_DECODERS="0")]

    async def scenario() -> None:
        async with sending(load, receiver) as client:
            for kill in range(1, KILLS + 1):
                await client.reach(len(load) * kill // (KILLS + 1))
                slot = dice.randrange(len(slots))
                await asyncio.sleep(dice.random())
                await asyncio.to_thread(deployment.kill, slots[slot])
                # A worker that is killed while it starts has done nothing: most are let get to work.
                wait = dice.random() < 0.8
                slots[slot] = await asyncio.to_thread(
                    deployment.worker, tick_s=0.1 + dice.random(), wait=wait, TEST_DECODERS="0"
                )

    asyncio.run(scenario())
    deployment.assert_holds(load)
