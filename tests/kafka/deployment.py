"""The processor as it is deployed: receivers and workers as processes of their own, Kafka and ClickHouse between them.

ClickHouse is our own HTTP interface over the embedded engine, writable, or the server that `CLICKHOUSE_URL` names; each
deployment works in a topic, a consumer group and a database of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import clickhouse_connect
from confluent_kafka import Consumer, TopicPartition

from processor.clickhouse_http.app import ClickHouseHttp
from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.clickhouse_http.engine import Access, Engine
from processor.store.connection import StoreConfig
from tests.clickhouse_server import UNBOUNDED
from tests.integration.load import Client
from tests.integration.process import Running
from tests.integration.serving import served
from tests.integration.truth import Row, assert_tables_hold
from tests.kafka.harness import WAIT_S

DONE_S = 240
"""Far longer than any load here takes, also after every fault."""
_LOOK_S = 0.1

_TELEMETRY = 'telemetry: {metrics: {address: "127.0.0.1:0"}, logs: {encoding: json}}'
RECEIVER = f"""
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}, http: {{endpoint: "127.0.0.1:0"}}}}}}}}
exporters:
  kafka:
    brokers: ["${{env:TEST_KAFKA}}"]
    topic: ${{env:TEST_TOPIC}}
    logs_topic: ${{env:TEST_LOGS_TOPIC:-}}
    metrics_topic: ''
    create_topic: {{create: false}}
    metadata_refresh_s: 1
    producer: {{timeout_s: 3}}
extensions: {{health_check: {{endpoint: "127.0.0.1:0"}}}}
service:
  drain: {{delay_s: "${{env:TEST_DRAIN_S:-0}}"}}
  pipelines: {{traces: {{receivers: [otlp], processors: [], exporters: [kafka]}}}}
  {_TELEMETRY}
"""
WORKER = f"""
receivers:
  kafka:
    brokers: ["${{env:TEST_KAFKA}}"]
    topic: ${{env:TEST_TOPIC}}
    logs_topic: ${{env:TEST_LOGS_TOPIC:-}}
    metrics_topic: ''
    group_id: of-${{env:TEST_TOPIC}}
    create_topic: {{create: false}}
    session_timeout_s: 2
    heartbeat_interval_s: 0.4
    metadata_refresh_s: 1
processors:
  sessions:
    poll_bytes_max: 200000
    poll_linger_s: 0.02
    decode_processes: "${{env:TEST_DECODERS:-1}}"
    rollups: {{interval_s: "${{env:TEST_TICK_S}}"}}
exporters: {{clickhouse: {{dsn: "${{env:TEST_CLICKHOUSE}}", database: "${{env:TEST_DATABASE}}"}}}}
extensions: {{health_check: {{endpoint: "127.0.0.1:0"}}, sessions_api: {{endpoint: "127.0.0.1:0"}}}}
service:
  extensions: [health_check]
  pipelines: {{traces: {{receivers: [kafka], processors: [sessions], exporters: [clickhouse]}}}}
  {_TELEMETRY}
"""


class ClickHouse:
    """A server that can go away and come back, at one address."""

    def __init__(self, store: StoreConfig) -> None:
        self._given = os.environ.get("CLICKHOUSE_URL", "")
        self._store = store
        self._serving = contextlib.ExitStack()
        self.url = self._given

    @property
    def can_stop(self) -> bool:
        """Whether it is ours to stop."""
        return not self._given

    def start(self) -> None:
        """Answer queries. Safe to call twice."""
        if self._given:
            return
        config = ClickHouseHttpConfig(**UNBOUNDED)
        app = ClickHouseHttp(Engine(self._store, config, Access.WRITE))
        self._serving.callback(app.close)
        endpoint = self.url.removeprefix("http://") or "127.0.0.1:0"
        self.url = self._serving.enter_context(served(app, endpoint))

    def stop(self) -> None:
        """Refuse connections. Safe to call twice."""
        self._serving.close()


class Deployment:
    """Receivers and workers on one topic and one database; `stop` ends all of them in order."""

    def __init__(
        self, folder: Path, bootstrap: str, topic: str, partitions: int, clickhouse: ClickHouse, database: str
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self.bootstrap = bootstrap
        self.topic = topic
        self.partitions = partitions
        self.clickhouse = clickhouse
        self.database = database
        self._running = contextlib.ExitStack()
        self._count = 0
        self.workers: list[Running] = []

    def receiver(self, *, wait: bool = True, **environment: str) -> Running:
        """Another one, started; not waited for without `wait`."""
        return self._start("receiver", RECEIVER, wait=wait, **environment)

    def worker(self, *, tick_s: float = 0.1, wait: bool = True, **environment: str) -> Running:
        """Another one; not waited for without `wait`."""
        started = self._start("worker", WORKER, wait=wait, TEST_TICK_S=str(tick_s), **environment)
        self.workers.append(started)
        return started

    def has_learned(self, worker: Running) -> bool:
        """Whether it has been assigned partitions of spans, and knows what others stored."""
        lines = [line for line in worker.logged() if line["event"] == "kafka_assignment_learned"]
        return any(line["topic"] == self.topic for line in lines)

    def kill(self, worker: Running) -> None:
        """SIGKILL, and its decoder ends with it."""
        self.workers.remove(worker)
        assert worker.stop(signal.SIGKILL)[0] == -signal.SIGKILL

    def stop(self) -> None:
        """SIGTERM to every worker: each must end by itself, with 0."""
        while self.workers:
            worker = self.workers.pop()
            code, lines = worker.stop()
            assert code == 0, lines

    def close(self) -> None:
        """End whatever still runs."""
        self._running.close()

    def query(self, sql: str) -> list[Row]:
        """Rows; `{database}` is this deployment's."""
        client = clickhouse_connect.get_client(dsn=self.clickhouse.url)
        with contextlib.closing(client):
            return list(client.query(sql.replace("{database}", self.database)).named_results())

    def command(self, sql: str) -> None:
        """A statement without an answer."""
        client = clickhouse_connect.get_client(dsn=self.clickhouse.url)
        with contextlib.closing(client):
            client.command(sql.replace("{database}", self.database))

    def number(self, sql: str) -> int:
        """The only value of the only row."""
        (row,) = self.query(sql)
        (value,) = row.values()
        return int(value)

    def committed(self) -> dict[int, int]:
        """Offsets of the group by partition; those without one are left out."""
        return {one.partition: one.offset for one in self._offsets() if one.offset >= 0}

    def reset_offsets(self) -> None:
        """As `kafka-consumer-groups --reset-offsets --to-earliest` does, while no worker runs."""
        with self._consumer() as consumer:
            begin = [TopicPartition(self.topic, number, 0) for number in range(self.partitions)]
            consumer.commit(offsets=begin, asynchronous=False)

    def is_done(self) -> bool:
        """Whether everything in the topic is committed, which is when it is rolled up."""
        with self._consumer() as consumer:
            for one in self._offsets():
                _, end = consumer.get_watermark_offsets(TopicPartition(self.topic, one.partition), timeout=WAIT_S)
                if max(one.offset, 0) < end:
                    return False
        return True

    def wait(self, holds: Callable[[], bool], timeout_s: float = DONE_S) -> None:
        """Until it does. Errors: `AssertionError`, with what the workers said last."""
        end_s = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < end_s, [worker.logged()[-3:] for worker in self.workers]
            time.sleep(_LOOK_S)

    def assert_holds(self, load: Sequence[bytes]) -> None:
        """When everything is done and the workers have ended, the tables hold the load, and nothing else."""
        self.wait(self.is_done)
        self.stop()
        assert_tables_hold(load, self.query, self.database)

    def api(self) -> Running:
        """The REST API alone, out of the workers' file."""
        return self._start("api", WORKER, "--role", "api", TEST_TICK_S="1")

    def _start(self, kind: str, config: str, *arguments: str, wait: bool = True, **environment: str) -> Running:
        self._count += 1
        return self._running.enter_context(
            Running(
                self._folder / f"{self._count}-{kind}",
                config,
                *arguments,
                wait=wait,
                TEST_KAFKA=self.bootstrap,
                TEST_TOPIC=self.topic,
                TEST_CLICKHOUSE=self.clickhouse.url,
                TEST_DATABASE=self.database,
                **environment,
            )
        )

    def _offsets(self) -> list[Any]:
        with self._consumer() as consumer:
            wanted = [TopicPartition(self.topic, number) for number in range(self.partitions)]
            found: list[Any] = consumer.committed(wanted, timeout=WAIT_S)
            return found

    @contextlib.contextmanager
    def _consumer(self) -> Iterator[Consumer]:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": f"of-{self.topic}", "log_level": 0})
        try:
            yield consumer
        finally:
            consumer.close()


@contextlib.asynccontextmanager
async def sending(load: Sequence[bytes], receiver: Running) -> AsyncIterator[Client]:
    """A client that sends the load to a receiver while the body runs, and until all of it is acknowledged."""
    client = Client(load)
    client.connect(receiver)
    async with client.sending():
        yield client


def send(load: Sequence[bytes], receiver: Running) -> None:
    """All of it, acknowledged."""

    async def scenario() -> None:
        async with sending(load, receiver):
            pass

    asyncio.run(scenario())
