"""Readers that come, go and freeze: nothing is left out, nothing that was taken away is handed out or committed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.kafka.broker import Broker
from processor.log.kafka.config import KafkaReceiverConfig
from processor.log.kafka.record import KafkaRecord
from tests.kafka.conftest import PARTITIONS, Brokers, add_partitions, create_topic, without
from tests.kafka.harness import WAIT_S
from tests.kafka.reading import Reading, committed, placed, produce, reader_config, reading, values

ALL = frozenset(range(PARTITIONS))
REFUSED = "otel_sessions_kafka_commits_refused_total"


def fill(bootstrap: str, topic: str, name: str, count: int) -> list[bytes]:
    """So many records into each partition."""
    written = []
    for partition in range(PARTITIONS):
        some = [f"{name}-{partition}-{number:04}".encode() for number in range(count)]
        produce(bootstrap, topic, *some, partition=partition)
        written += some
    return written


def has(one: Reading, count: int) -> Callable[[], bool]:
    """Whether it may read so many partitions."""
    return lambda: one.log._membership.is_ready and len(one.log._membership.partitions or ()) == count


def current(one: Reading) -> list[KafkaRecord]:
    """What it polled since the last rebalance."""
    return [record for record in one.polled if record.epoch == one.log._membership.epoch]


async def until_both(first: Reading, second: Reading, condition: Callable[[], bool]) -> None:
    """Both poll until something has come true."""
    await asyncio.gather(first.until(condition), second.until(condition))


def test_readers_share_the_partitions_and_take_over_at_once(brokers: Brokers, topic: str) -> None:
    """A second one joins under load and the first leaves: all is read, what was committed only once."""
    config = reader_config(brokers.bootstrap, topic)

    async def scenario() -> None:
        async with reading(config) as second:
            async with reading(config) as first:
                before = fill(brokers.bootstrap, topic, "before", 100)
                await until_both(first, second, lambda: has(first, 2)() and has(second, 2)())
                await until_both(
                    first, second, lambda: {*values(current(first)), *values(current(second))} >= {*before}
                )
                for one in (first, second):
                    assert min(one.assignments_before.values()) >= 1
                    await one.finish(current(one))
                first.polled.clear()
                second.polled.clear()
                await asyncio.to_thread(fill, brokers.bootstrap, topic, "more", 5)
                await until_both(first, second, lambda: len(first.polled) + len(second.polled) == 5 * PARTITIONS)
                await first.log.close()
                await first.finish(first.polled)
                assert first.value(REFUSED) == 0
            taken_over = second.assignments
            await second.until(has(second, PARTITIONS))
            assert second.assignments > taken_over
            after = await asyncio.to_thread(fill, brokers.bootstrap, topic, "after", 5)
            await second.until(lambda: set(values(second.polled)) >= set(after))
            assert not set(values(second.polled)) & {*before, *values(first.polled)}

    asyncio.run(scenario())


def test_what_waited_in_a_poll_is_dropped_when_its_partition_goes(brokers: Brokers, topic: str) -> None:
    """A poll that lingers over a rebalance returns only what is still its own, after `assigned` was awaited again."""
    config = reader_config(brokers.bootstrap, topic)
    written = fill(brokers.bootstrap, topic, "x", 1)
    size = len(written[0])

    async def scenario() -> None:
        async with reading(config) as first:
            lingering = asyncio.create_task(first.poll(3 * size * PARTITIONS, 10 * WAIT_S))
            async with asyncio.timeout(WAIT_S):
                while first.log._fetching.bytes < size * PARTITIONS:  # noqa: ASYNC110 (the poll tells nobody)
                    await asyncio.sleep(0.02)
            async with reading(config) as second:
                await second.until(has(second, 2))
                assert not lingering.done()
                await asyncio.to_thread(fill, brokers.bootstrap, topic, "y", 5)
                kept = await lingering  # `Reading.poll` looks at each record's partition
                assert len(kept) == 3 * PARTITIONS
                assert {first.assignments_before[record] for record in kept} == {2}

    asyncio.run(scenario())


def test_a_reader_that_does_not_poll_loses_its_partitions_and_its_commit(brokers: Brokers, topic: str) -> None:
    """max_poll_interval_s: others go on without it, it comes back when it polls, and no offset moves back."""
    config = reader_config(brokers.bootstrap, topic, max_poll_interval_s=1.0)
    written = fill(brokers.bootstrap, topic, "x", 10)

    async def scenario() -> None:
        async with reading(config) as slow:
            held = await slow.read(len(written))
            # A fetch is under way between polls; when it ends, nobody asks for more.
            more = fill(brokers.bootstrap, topic, "y", 1)
            async with reading(config) as other:
                await other.until(has(other, PARTITIONS))
                await other.until(lambda: set(values(other.polled)) >= {*written, *more})
                await other.finish(other.polled)
                await slow.finish(held)
                assert slow.value(REFUSED) == 1
                assert committed(brokers.bootstrap, config.group_id, topic, PARTITIONS) == [11] * PARTITIONS
                await until_both(slow, other, lambda: has(slow, 2)() and has(other, 2)())

    asyncio.run(scenario())


@pytest.mark.parametrize("slow", ["leader", "member"])
def test_all_members_judge_placement_by_one_partition_count(
    brokers: Brokers, topic: str, real_broker: Callable[[str], None], slow: str
) -> None:
    """Though one does not look for new partitions itself: no claim is trusted here that is not the only one there."""
    real_broker("partitions that can be added")
    changes = {"leader": {}, "member": {}, slow: {"metadata_refresh_s": 3600.0}}
    counts = (PARTITIONS, 2 * PARTITIONS)

    def write() -> None:
        for count in counts:
            for partition in range(PARTITIONS):
                claim = b"%d" % count
                produce(brokers.bootstrap, topic, claim, partition=partition, headers=placed(partition, count))

    async def scenario() -> None:
        async with reading(reader_config(brokers.bootstrap, topic, **changes["leader"])) as first:
            await first.until(has(first, PARTITIONS))
            async with reading(reader_config(brokers.bootstrap, topic, **changes["member"])) as second:
                await until_both(first, second, lambda: has(first, 2)() and has(second, 2)())
                await asyncio.to_thread(add_partitions, brokers.bootstrap, topic, counts[1])
                if slow == "member":
                    await until_both(first, second, lambda: has(first, 4)() and has(second, 4)())
                async with reading(reader_config(brokers.bootstrap, topic)) as third:  # it has seen all partitions
                    all_three = (first, second, third)
                    await asyncio.gather(*(one.until(lambda: all(map(settled, all_three))) for one in all_three))
                    await asyncio.to_thread(write)
                    await asyncio.gather(*(one.until(lambda: read_all(all_three)) for one in all_three))
                    trusted = {record.value for one in all_three for record in current(one) if record.has_whole_traces}
                    agreed = {one.log._membership.partition_count for one in all_three}
                    assert len(agreed) == 1
                    if slow == "member":
                        assert trusted == {b"%d" % counts[1]}
                    else:
                        assert trusted <= {b"%d" % count for count in agreed}

    def settled(one: Reading) -> bool:
        return one.log._membership.is_ready

    def read_all(readers: tuple[Reading, ...]) -> bool:
        return sum(len(current(one)) for one in readers) == PARTITIONS * len(counts)

    asyncio.run(scenario())


@pytest.fixture
def quick_broker(no_kafka: str, tmp_path: Path) -> Iterator[Broker]:
    """One that allows sessions to end soon."""
    if no_kafka:
        without(no_kafka)
    with Broker(tmp_path / "kafka", {"group.min.session.timeout.ms": "500"}) as broker:
        yield broker


def test_a_frozen_reader_wakes_up_and_its_commit_is_refused(quick_broker: Broker) -> None:
    """Longer than its session, while another takes over: noted, not raised; it reads on as a new member."""
    topic, bootstrap = "spans", quick_broker.bootstrap
    create_topic(bootstrap, topic)
    written = fill(bootstrap, topic, "x", 10)
    config = reader_config(bootstrap, topic, session_timeout_s=1.5)
    taken_over, refused = threading.Event(), threading.Event()
    other = threading.Thread(target=asyncio.run, args=(_take_over(config, written, taken_over, refused),))

    async def frozen() -> None:
        async with reading(config) as one:
            held = await one.read(len(written))
            other.start()
            assert taken_over.wait(WAIT_S)  # the event loop stands still: no heartbeat, as under SIGSTOP
            await one.finish(held)
            assert one.value(REFUSED) == 1
            assert committed(bootstrap, config.group_id, topic, PARTITIONS) == [10] * PARTITIONS
            await one.until(has(one, 2))
            refused.set()

    try:
        asyncio.run(frozen())
    finally:
        refused.set()
        other.join()


async def _take_over(
    config: KafkaReceiverConfig, written: list[bytes], taken_over: threading.Event, refused: threading.Event
) -> None:
    async with reading(config) as one:
        await one.until(has(one, PARTITIONS))
        await one.until(lambda: set(values(one.polled)) >= set(written))
        await one.finish(one.polled)
        taken_over.set()
        await one.until(refused.is_set)


def test_a_killed_broker_is_waited_for(own_broker: Broker) -> None:
    """Polls go on when it is back, and so do commits; that it was away is no reason to give up."""
    topic, bootstrap = "spans", own_broker.bootstrap
    create_topic(bootstrap, topic)
    config = reader_config(bootstrap, topic, stuck_timeout_s=15.0)
    written = fill(bootstrap, topic, "x", 10)

    async def scenario() -> None:
        async with reading(config) as one:
            held = await one.read(len(written))
            polling = asyncio.create_task(one.poll())
            await asyncio.to_thread(own_broker.kill)
            await asyncio.to_thread(own_broker.start)
            assert not polling.done()
            more = await asyncio.to_thread(fill, bootstrap, topic, "y", 10)
            await polling
            await one.until(lambda: set(values(one.polled)) >= set(more))
            await one.finish(current(one))
            assert {*values(held)} == set(written)
        assert committed(bootstrap, config.group_id, topic, PARTITIONS) == [20] * PARTITIONS

    asyncio.run(scenario())


def test_a_commit_and_a_farewell_to_brokers_that_are_gone_come_to_an_end(quick_broker: Broker) -> None:
    """Noted, not raised; the records come again."""
    topic, bootstrap = "spans", quick_broker.bootstrap
    create_topic(bootstrap, topic)
    written = fill(bootstrap, topic, "x", 1)
    config = reader_config(bootstrap, topic, session_timeout_s=1.5)

    async def scenario() -> None:
        one = Reading(config)
        await one.log.start(one.assigned)
        held = await one.read(len(written))
        await asyncio.to_thread(quick_broker.kill)
        await one.finish(held)
        assert one.value(REFUSED) == 1
        await one.log.leave(timeout_s=2.0)
        await one.log.leave()
        await asyncio.to_thread(quick_broker.start)
        async with reading(config) as again:
            assert set(values(await again.read(len(written)))) == set(written)

    asyncio.run(scenario())
