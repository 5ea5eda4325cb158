"""The broker that tests are given: it keeps its data, and never outlives whoever started it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.kafka.answer import answers
from deploy.kafka.broker import HOST, Broker
from tests.kafka.conftest import create_topic, without
from tests.kafka.harness import config_for, read_topic, request_of, running, span_ids, stored_span_ids

ROOT = Path(__file__).parents[2]
WAIT_S = 60

START = """
import sys, signal
from pathlib import Path
from deploy.kafka.broker import Broker
broker = Broker(Path(sys.argv[1]))
broker.start()
print(broker.pid, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_data_and_address_survive_a_restart(own_broker: Broker, end: str) -> None:
    """In order or by kill -9."""
    ids = span_ids(5)
    create_topic(own_broker.bootstrap, "spans")

    async def scenario() -> None:
        async with running(config_for(own_broker.bootstrap, "spans")) as log:
            await log.append("acme", request_of(*ids))

    asyncio.run(scenario())
    address = own_broker.bootstrap
    getattr(own_broker, end)()
    assert own_broker.pid == 0
    assert not answers(HOST, int(address.rpartition(":")[2]))
    own_broker.start()
    assert own_broker.bootstrap == address
    assert stored_span_ids(read_topic(address, "spans")) == set(ids)


def test_a_frozen_broker_does_not_answer_and_thaws(own_broker: Broker) -> None:
    """SIGSTOP and SIGCONT; stopping works from either state."""
    port = int(own_broker.bootstrap.rpartition(":")[2])
    own_broker.pause()
    assert not answers(HOST, port)
    own_broker.resume()
    assert answers(HOST, port)
    own_broker.pause()
    own_broker.stop()
    assert own_broker.pid == 0


@pytest.mark.parametrize("victim", ["owner", "keeper"])
def test_no_java_process_outlives_its_owner(no_kafka: str, tmp_path: Path, victim: str) -> None:
    """Neither when the owner is killed, nor when what guards the broker is."""
    if no_kafka:
        without(no_kafka)
    owner = subprocess.Popen(
        [sys.executable, "-c", START, tmp_path / "kafka"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout is not None
        broker = psutil.Process(int(owner.stdout.readline()))
        os.kill(owner.pid if victim == "owner" else broker.ppid(), signal.SIGKILL)
        broker.wait(WAIT_S)
        assert not psutil.pid_exists(broker.pid)
    finally:
        owner.kill()
        owner.communicate()
