"""A reader hands out every record at least once, in order, and commits what it is told and nothing else."""

from __future__ import annotations

import asyncio
import functools
import itertools

import pytest

from processor.errors import Retryable
from processor.log.kafka.config import KafkaTopicConfig
from processor.log.kafka.headers import SIGNAL
from processor.log.kafka.watchdog import ConsumerStuck
from processor.model import DEFAULT_TENANT
from tests.kafka.conftest import PARTITIONS, Brokers, add_partitions, create_topic
from tests.kafka.harness import WAIT_S, Stored, config_for, request_of, running, span_ids, stored_span_ids
from tests.kafka.reading import committed, placed, produce, reader_config, reading, values

NUMBERED = [b"%06d" % number for number in range(1000)]
NONE = -1001


def test_records_come_in_order_from_several_partitions(brokers: Brokers, topic: str) -> None:
    """Each once, with where they stood."""
    for partition in range(PARTITIONS):
        produce(brokers.bootstrap, topic, *NUMBERED, partition=partition)

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic)) as one:
            records = await one.read(PARTITIONS * len(NUMBERED))
            for partition in range(PARTITIONS):
                assert values(records, partition) == NUMBERED
            assert [record.offset for record in records if record.partition == 1] == list(range(len(NUMBERED)))
            assert {record.topic for record in records} == {topic}
            assert min(one.assignments_before.values()) >= 1

    asyncio.run(scenario())


def test_a_poll_holds_at_most_bytes_max_unless_one_record_is_larger(brokers: Brokers, topic: str) -> None:
    """And a record that is alone too large comes alone."""
    sizes = [100] * 50 + [5000] + [100] * 50
    produce(brokers.bootstrap, topic, *(bytes(size) for size in sizes))

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic)) as one:
            polls = []
            while sum(map(len, polls)) < len(sizes):
                polls.append([len(record.value) for record in await one.poll(1000, 0.01)])
            assert list(itertools.chain.from_iterable(polls)) == sizes
            assert all(sum(poll) <= 1000 or poll == [5000] for poll in polls)

    asyncio.run(scenario())


def test_a_poll_lingers_for_more_and_returns_early_when_it_is_full(brokers: Brokers, topic: str) -> None:
    """A linger longer than the test's patience ends with the last byte that fits."""
    produce(brokers.bootstrap, topic, bytes(500))

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic)) as one:
            polling = asyncio.create_task(one.poll(1000, 10 * WAIT_S))
            await asyncio.to_thread(produce, brokers.bootstrap, topic, bytes(500), partition=1)
            assert len(await polling) == 2

    asyncio.run(scenario())


def test_tenant_and_placement_are_read_from_the_headers(brokers: Brokers, topic: str) -> None:
    """The claim counts only where the record lies, and with as many partitions as there are."""
    produce(brokers.bootstrap, topic, b"true", headers=placed(0, PARTITIONS, "globex"))
    produce(brokers.bootstrap, topic, b"elsewhere", headers=placed(1, PARTITIONS))
    produce(brokers.bootstrap, topic, b"other count", headers=placed(0, PARTITIONS + 1))
    produce(brokers.bootstrap, topic, b"none", key=b"0123456789abcdef0123456789abcdef")

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic)) as one:
            records = await one.read(4)
            assert [(record.value, record.tenant, record.has_whole_traces) for record in records] == [
                (b"true", "globex", True),
                (b"elsewhere", "acme", False),
                (b"other count", "acme", False),
                (b"none", DEFAULT_TENANT, False),
            ]

    asyncio.run(scenario())


def test_placement_is_not_trusted_from_the_moment_the_partition_count_changes(
    brokers: Brokers, topic: str, real_broker: object
) -> None:
    """Old claims become false; new ones are true once the new assignment was learned."""
    assert callable(real_broker)
    real_broker("partitions that can be added")
    produce(brokers.bootstrap, topic, b"before", headers=placed(0, PARTITIONS))

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic)) as one:
            assert [record.has_whole_traces for record in await one.read(1)] == [True]
            before = one.assignments
            await asyncio.to_thread(add_partitions, brokers.bootstrap, topic, 2 * PARTITIONS)
            await one.until(lambda: one.assignments > before)
            one.polled.clear()
            produce(brokers.bootstrap, topic, b"old", headers=placed(0, PARTITIONS))
            produce(brokers.bootstrap, topic, b"new", headers=placed(7, 2 * PARTITIONS), partition=7)
            await one.until(lambda: {b"old", b"new"} <= {record.value for record in one.polled})
            assert {record.value: record.has_whole_traces for record in one.polled} == {
                b"before": False,  # it was not committed, and is read again
                b"old": False,
                b"new": True,
            }

    asyncio.run(scenario())


def test_other_signals_are_skipped_counted_and_committed(brokers: Brokers, topic: str) -> None:
    """Also those at the end, which no record of ours follows."""
    produce(brokers.bootstrap, topic, b"log", headers=[(SIGNAL, b"logs")])
    produce(brokers.bootstrap, topic, b"span", headers=[(SIGNAL, b"traces")])
    produce(brokers.bootstrap, topic, b"metric", b"metric", headers=[(SIGNAL, b"metrics")])

    async def scenario() -> None:
        config = reader_config(brokers.bootstrap, topic)
        async with reading(config) as one:
            polled = await one.read(1)
            assert values(polled) == [b"span"]
            await one.until(lambda: one.value("otel_sessions_kafka_skipped_records_total") == 3)
            await one.finish(polled)
            assert committed(brokers.bootstrap, config.group_id, topic, 1) == [4]

    asyncio.run(scenario())


def test_what_our_producer_writes_is_trusted(brokers: Brokers, topic: str) -> None:
    """Both ends together."""
    ids = span_ids(300)

    async def scenario() -> None:
        async with running(config_for(brokers.bootstrap, topic)) as producer:
            await producer.append("acme", request_of(*ids))
        async with reading(reader_config(brokers.bootstrap, topic)) as one:
            records = await one.read(PARTITIONS)
            assert all(record.has_whole_traces and record.tenant == "acme" for record in records)
            stored = [Stored(record.partition, record.key, record.value, []) for record in records]
            assert stored_span_ids(stored) == set(ids)

    asyncio.run(scenario())


def test_only_what_is_committed_does_not_come_again(brokers: Brokers, topic: str) -> None:
    """Over restarts; a part of a poll can be committed, and no offset moves back."""
    produce(brokers.bootstrap, topic, *NUMBERED[:10])
    config = reader_config(brokers.bootstrap, topic)

    async def scenario() -> None:
        async with reading(config) as one:
            await one.read(10)
        assert committed(brokers.bootstrap, config.group_id, topic, 1) == [NONE]
        async with reading(config) as one:
            records = await one.read(10)
            assert values(records) == NUMBERED[:10]
            await one.finish(records[:6])
            await one.commit(records[:2])
            assert committed(brokers.bootstrap, config.group_id, topic, 1) == [6]
        async with reading(config) as one:
            records = await one.read(4)
            assert values(records) == NUMBERED[6:10]
            await one.log.close()
            assert await one.poll() == []
            await one.finish(records)
        assert committed(brokers.bootstrap, config.group_id, topic, 1) == [10]

    asyncio.run(scenario())


def test_latest_begins_with_what_comes_after_it_joined(brokers: Brokers, topic: str) -> None:
    """For a group that has committed nothing."""
    produce(brokers.bootstrap, topic, b"old")

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic, initial_offset="latest")) as one:
            polling = asyncio.create_task(one.poll())
            await one.until_positioned(PARTITIONS)
            await asyncio.to_thread(produce, brokers.bootstrap, topic, b"new")
            assert values(await polling) == [b"new"]

    asyncio.run(scenario())


@pytest.mark.parametrize("made_by_us", [True, False])
def test_a_topic_that_is_missing_is_made_or_waited_for(brokers: Brokers, topic: str, made_by_us: bool) -> None:
    """Whoever makes it, and though the group first met without it."""
    missing = f"{topic}-missing"
    made = KafkaTopicConfig(create=made_by_us, partitions=2)

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, missing, create_topic=made)) as one:
            polling = asyncio.create_task(one.poll())
            if not made_by_us:
                await one.until_positioned(0)
                await asyncio.to_thread(create_topic, brokers.bootstrap, missing, 2)
            await asyncio.to_thread(produce, brokers.bootstrap, missing, b"x", partition=1)
            assert values(await polling) == [b"x"]

    asyncio.run(scenario())


def test_the_lag_is_shown_for_assigned_partitions_only(brokers: Brokers, topic: str) -> None:
    """Records that a poll has left; nothing after leaving."""
    produce(brokers.bootstrap, topic, *NUMBERED[:10], partition=3)
    labels = {"topic": topic, "partition": "3"}

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic)) as one:
            lag = functools.partial(one.metrics.registry.get_sample_value, "otelcol_kafka_receiver_offset_lag", labels)
            assert lag() is None
            await one.poll(4 * len(NUMBERED[0]), 0)
            assert lag() == 6
            await one.read(6)
            assert lag() == 0
        assert lag() is None

    asyncio.run(scenario())


def test_close_ends_a_poll_that_waits(brokers: Brokers, topic: str) -> None:
    """At once, with nothing; also before start, and twice."""

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic)) as one:
            polling = asyncio.create_task(one.poll())
            await asyncio.sleep(0)
            await one.log.close()
            await one.log.close()
            assert await polling == []

    asyncio.run(scenario())


def test_brokers_that_are_not_there_are_retryable() -> None:
    """The process is started again until they are; `leave` is safe all the same."""

    async def scenario() -> None:
        with pytest.raises(Retryable, match="Kafka is away"):
            async with reading(reader_config("127.0.0.1:1", "spans")):
                pass

    asyncio.run(scenario())


def test_a_consumer_that_reads_nothing_of_what_is_there_is_an_error(brokers: Brokers, topic: str) -> None:
    """aiokafka's own pause stands for whatever may stick."""

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic, stuck_timeout_s=1.0)) as one:
            await one.until(lambda: one.log._membership.is_ready)
            polling = asyncio.create_task(one.poll())
            consumer = one.log._consumer
            consumer.pause(*consumer.assignment())
            await asyncio.to_thread(produce, brokers.bootstrap, topic, b"unread")
            with pytest.raises(ConsumerStuck, match=r"partitions \[0\]"):
                await polling

    asyncio.run(scenario())
