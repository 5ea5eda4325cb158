"""A real Kafka for the tests of this folder, or the next best thing, said aloud.

`brokers`: what `KAFKA_BOOTSTRAP` names; else Apache Kafka, fetched and started here (`deploy.kafka`); else librdkafka's
mock cluster, on which the tests run that it can carry. `own_broker` can be killed, so it is never a given one. What
can't run is skipped and says why; with `CI` set it fails instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from deploy.kafka.broker import Broker
from deploy.kafka.distribution import fetch
from deploy.kafka.failure import Unavailable
from deploy.kafka.security import make_security
from processor.store.connection import StoreConfig
from tests.kafka.deployment import ClickHouse, Deployment

PARTITIONS = 4  # what the mock cluster gives to every topic
_WAIT_S = 30


@dataclass(frozen=True)
class Brokers:
    """Where brokers listen, and whether they are real ones."""

    bootstrap: str
    real: bool


def without(reason: str) -> NoReturn:
    """Skip the test that needs what is not there; on CI, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have a broker: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def no_kafka() -> str:
    """Why Apache Kafka can't be started here; '' if it can."""
    try:
        fetch()
    except Unavailable as error:
        return str(error)
    return ""


@pytest.fixture(scope="session")
def brokers(no_kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """One cluster for the whole run; tests use topics of their own."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        yield Brokers(given, real=True)
    elif not no_kafka:
        with Broker(tmp_path_factory.mktemp("kafka")) as broker:
            yield Brokers(broker.bootstrap, real=True)
    elif os.environ.get("CI"):
        without(no_kafka)
    else:
        mock = confluent_kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
        broker = next(iter(mock.list_topics(timeout=_WAIT_S).brokers.values()))
        yield Brokers(f"{broker.host}:{broker.port}", real=False)
        mock.purge()


@pytest.fixture(scope="session")
def secured_broker(no_kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that also listens with TLS and SASL."""
    if no_kafka:
        without(no_kafka)
    directory = tmp_path_factory.mktemp("secured")
    security = make_security(directory)
    with Broker(directory / "kafka", security=security) as broker:
        yield broker


@pytest.fixture
def own_broker(no_kafka: str, tmp_path: Path) -> Iterator[Broker]:
    """A broker that belongs to one test, which may do to it what it likes."""
    if no_kafka:
        without(no_kafka)
    with Broker(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture
def topic(brokers: Brokers, request: pytest.FixtureRequest) -> str:
    """An empty topic with `PARTITIONS` partitions."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:180] + f"-{os.urandom(4).hex()}"
    if brokers.real:
        create_topic(brokers.bootstrap, name)
    return name


@pytest.fixture
def real_broker(brokers: Brokers) -> Callable[[str], None]:
    """Call it with what the mock cluster lacks, in a test that can't do without."""

    def need(what: str) -> None:
        if not brokers.real:
            without(f"librdkafka's mock cluster has no {what}")

    return need


@pytest.fixture
def clickhouse(store_config: StoreConfig) -> Iterator[ClickHouse]:
    """A ClickHouse server that takes writes."""
    server = ClickHouse(store_config)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def deployment(
    brokers: Brokers,
    real_broker: Callable[[str], None],
    topic: str,
    clickhouse: ClickHouse,
    tmp_path: Path,
) -> Iterator[Deployment]:
    """On the shared broker; nothing runs yet, nothing does afterwards."""
    real_broker("groups that a deployment could rely on")
    deployed = Deployment(tmp_path, brokers.bootstrap, topic, PARTITIONS, clickhouse, f"of_{os.urandom(4).hex()}")
    yield deployed
    deployed.close()


@pytest.fixture
def own_deployment(own_broker: Broker, clickhouse: ClickHouse, tmp_path: Path) -> Iterator[Deployment]:
    """On a broker that the test may kill."""
    create_topic(own_broker.bootstrap, "spans")
    database = f"own_{os.urandom(4).hex()}"
    deployed = Deployment(tmp_path / "own", own_broker.bootstrap, "spans", PARTITIONS, clickhouse, database)
    yield deployed
    deployed.close()


def create_topic(bootstrap: str, name: str, partitions: int = PARTITIONS) -> None:
    """And wait until it is there."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(name, partitions, 1)]).values():
        made.result(_WAIT_S)


def add_partitions(bootstrap: str, name: str, partitions: int) -> None:
    """So that the topic has so many, and wait until they are there."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_partitions([NewPartitions(name, partitions)]).values():
        made.result(_WAIT_S)
