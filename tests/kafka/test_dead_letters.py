"""What can't be processed goes to a topic of its own before its offset is committed, and can be replayed from there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner

from deploy.kafka.broker import Broker
from deploy.kafka.security import PASSWORD, SASL_SSL, USER
from processor.cli.commands import app
from processor.cli.dlq import replay_all, rows_of
from processor.errors import OtelSessionsError, Permanent, Retryable
from processor.log.kafka import headers as names
from processor.log.kafka.config import (
    KafkaAuthConfig,
    KafkaDeadLetterConfig,
    KafkaReceiverConfig,
    KafkaSaslConfig,
    KafkaTlsConfig,
    KafkaTopicConfig,
)
from processor.model import Receipt
from tests.kafka.conftest import PARTITIONS, Brokers, create_topic
from tests.kafka.harness import WAIT_S, read_topic
from tests.kafka.reading import Reading, committed, placed, produce, reader_config, reading, values

NONE = -1001
DEAD = "otel_sessions_kafka_dead_lettered_records_total"


def refuse(one: Reading, reasons: dict[bytes, OtelSessionsError]) -> None:
    """All that was polled: those named with their error, the others are stored."""
    one.log.acknowledge(one.polled, [reasons.get(record.value, Receipt()) for record in one.polled])


def make_dead(config: KafkaReceiverConfig, *reasons: str) -> None:
    """Records `bad 0`, `bad 1`, … in partition 1, refused for these reasons."""
    bad = [b"bad %d" % number for number in range(len(reasons))]
    produce(config.brokers[0], config.topic, *bad, partition=1, headers=[*placed(1, PARTITIONS), ("x", b"y")])

    async def scenario() -> None:
        async with reading(config) as one:
            await one.read(len(bad))
            refuse(one, {value: Permanent(reason) for value, reason in zip(bad, reasons, strict=True)})
            await one.commit(one.polled)

    asyncio.run(scenario())


def test_a_refused_record_is_kept_with_its_origin_and_the_partition_moves_on(brokers: Brokers, topic: str) -> None:
    """Key, value and headers as they were; the topic is made if need be; a retryable outcome makes no dead letter."""
    produce(brokers.bootstrap, topic, b"good", b"later")
    produce(brokers.bootstrap, topic, b"bad", partition=2, key=b"k", headers=[*placed(2, PARTITIONS), ("x", b"\xff")])
    config = reader_config(brokers.bootstrap, topic)

    async def scenario() -> int:
        async with reading(config) as one:
            await one.read(3)
            refuse(one, {b"bad": Permanent("no such wire type"), b"later": Retryable("the store is away")})
            await one.commit(one.polled)
            assert committed(brokers.bootstrap, config.group_id, topic, 3) == [2, NONE, 1]
            assert one.value(DEAD) == 1
            return next(record.timestamp_ms for record in one.polled if record.value == b"bad")

    timestamp_ms = asyncio.run(scenario())
    (letter,) = read_topic(brokers.bootstrap, f"{topic}.dlq")
    assert (letter.key, letter.value) == (b"k", b"bad")
    assert letter.headers == [
        *placed(2, PARTITIONS),
        ("x", b"\xff"),
        (names.ORIGIN_TOPIC, topic.encode()),
        (names.ORIGIN_PARTITION, b"2"),
        (names.ORIGIN_OFFSET, b"0"),
        (names.ORIGIN_TIMESTAMP_MS, b"%d" % timestamp_ms),
        (names.REASON, b"no such wire type"),
    ]


def test_a_refused_record_at_the_end_is_committed_though_nobody_speaks_of_it_again(
    brokers: Brokers, topic: str
) -> None:
    """The worker commits what it stored: with that, or on leaving, the dead letters go as well."""
    produce(brokers.bootstrap, topic, b"good", b"bad")
    produce(brokers.bootstrap, topic, b"bad", partition=1)
    config = reader_config(brokers.bootstrap, topic)

    async def scenario() -> None:
        async with reading(config) as one:
            await one.read(3)
            refuse(one, {b"bad": Permanent("bad")})
            async with asyncio.timeout(WAIT_S):
                while one.value(DEAD) < 2:  # noqa: ASYNC110 (metrics tell nobody)
                    await asyncio.sleep(0.02)
            await one.commit([record for record in one.polled if record.value == b"good"])
            assert committed(brokers.bootstrap, config.group_id, topic, 2) == [2, 1]

    asyncio.run(scenario())


def test_no_offset_is_committed_before_its_dead_letter_is_there(brokers: Brokers, topic: str) -> None:
    """While there is no topic for dead letters, a commit waits."""
    produce(brokers.bootstrap, topic, b"good", b"bad", b"good")
    dead = KafkaDeadLetterConfig(topic=f"{topic}-dead", create_topic=KafkaTopicConfig(create=False))
    config = reader_config(brokers.bootstrap, topic, dead_letter=dead, session_timeout_s=30.0)

    async def scenario() -> None:
        async with reading(config) as one:
            await one.read(3)
            refuse(one, {b"bad": Permanent("bad")})
            commit = asyncio.create_task(one.commit(one.polled))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(commit), 1.0)
            assert not commit.done()
            assert committed(brokers.bootstrap, config.group_id, topic, 1) == [NONE]
            create_topic(brokers.bootstrap, dead.topic, 1)
            await asyncio.wait_for(commit, WAIT_S)
            assert committed(brokers.bootstrap, config.group_id, topic, 1) == [3]

    asyncio.run(scenario())


def test_one_that_is_too_large_for_the_topic_goes_without_its_value(brokers: Brokers, topic: str) -> None:
    """So that it can't hold up its partition for ever; it is not replayed."""
    admin = AdminClient({"bootstrap.servers": brokers.bootstrap})
    (made,) = admin.create_topics([NewTopic(f"{topic}.dlq", 1, 1, config={"max.message.bytes": "1000"})]).values()
    made.result(WAIT_S)
    produce(brokers.bootstrap, topic, bytes(5000))
    config = reader_config(brokers.bootstrap, topic)

    async def scenario() -> None:
        async with reading(config) as one:
            await one.read(1)
            refuse(one, {bytes(5000): Permanent("bad")})
            await one.commit(one.polled)
        assert committed(brokers.bootstrap, config.group_id, topic, 1) == [1]
        assert await replay_all(config, "", 0, dry_run=False) == 0

    asyncio.run(scenario())
    (letter,) = read_topic(brokers.bootstrap, f"{topic}.dlq")
    assert letter.value == b""
    assert dict(letter.headers)[names.VALUE_OMITTED] == b"5000 bytes are too large for this topic"


def test_dead_letters_are_listed_and_replayed_once(brokers: Brokers, topic: str) -> None:
    """By reason, up to a limit, or only for show; back where they lay, with their own headers and nothing else."""
    config = reader_config(brokers.bootstrap, topic)
    assert asyncio.run(rows_of(config, 0)) == []
    make_dead(config, "bad wire type", "too new", "bad utf-8", "too new")

    async def scenario() -> None:
        rows = await rows_of(config, 3)
        assert [row["reason"] for row in rows] == ["bad wire type", "too new", "bad utf-8"]
        assert {(row["topic"], row["partition"], row["tenant"], row["bytes"]) for row in rows} == {
            (topic, 1, "acme", 5)
        }
        assert [row["offset"] for row in rows] == [0, 1, 2]
        assert await replay_all(config, "too new", 0, dry_run=True) == 2
        assert await replay_all(config, "too new", 1, dry_run=False) == 1
        assert await replay_all(config, "too new", 0, dry_run=False) == 1
        assert await replay_all(config, "too new", 0, dry_run=False) == 0
        assert [row["replayed"] for row in await rows_of(config, 0)] == [False, True, False, True]
        async with reading(config) as one:
            records = await one.read(2)
            assert values(records, 1) == [b"bad 1", b"bad 3"]
            assert records[0].headers == (*placed(1, PARTITIONS), ("x", b"y"))
            assert records[0].has_whole_traces
        assert await replay_all(config, "", 0, dry_run=False) == 2
        assert await replay_all(config, "", 0, dry_run=False) == 0

    asyncio.run(scenario())


def test_the_commands_read_the_configuration_file(brokers: Brokers, topic: str, tmp_path: Path) -> None:
    """From the shell: list as JSON and as a table, replay."""
    config = reader_config(brokers.bootstrap, topic)
    make_dead(config, "bad\x1b[31m")
    file = tmp_path / "worker.yaml"
    kafka = {"brokers": list(config.brokers), "topic": topic, "group_id": config.group_id}
    file.write_text(json.dumps({"receivers": {"otlp": {"protocols": {"grpc": {}}}, "kafka": kafka}}))
    run = CliRunner().invoke
    listed = run(app, ["dlq", "list", "--config", str(file), "--format", "json"])
    assert listed.exit_code == 0, listed.output
    (row,) = json.loads(listed.stdout)
    assert (row["reason"], row["replayed"]) == ("bad\x1b[31m", False)
    table = run(app, ["dlq", "list", "--config", str(file)])
    assert "bad�[31m" in table.stdout
    replayed = run(app, ["dlq", "replay", "--config", str(file)])
    assert replayed.exit_code == 0, replayed.output
    assert replayed.stderr == "1 dead letters replayed\n"
    assert run(app, ["dlq", "replay", "--config", str(file)]).stderr == "0 dead letters replayed\n"


def test_readers_and_dead_letters_get_through_with_tls_and_a_password(secured_broker: Broker) -> None:
    """With the options that the producing side is tested with in full."""
    topic = "secured-reader"
    create_topic(secured_broker.bootstrap, topic)
    produce(secured_broker.bootstrap, topic, b"bad")
    assert secured_broker.security is not None
    config = reader_config(
        secured_broker.address(SASL_SSL),
        topic,
        tls=KafkaTlsConfig(ca_file=str(secured_broker.security.ca_file)),
        auth=KafkaAuthConfig(KafkaSaslConfig(username=USER, password=PASSWORD)),
    )

    async def scenario() -> None:
        async with reading(config) as one:
            await one.read(1)
            refuse(one, {b"bad": Permanent("bad")})
            await one.commit(one.polled)
        assert committed(secured_broker.bootstrap, config.group_id, topic, 1) == [1]
        assert await replay_all(config, "", 0, dry_run=False) == 1

    asyncio.run(scenario())
