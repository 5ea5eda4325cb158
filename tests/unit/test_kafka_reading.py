"""The arithmetic of reading from Kafka: what may be committed, when to give up, what was replayed."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaConnectionError
from hypothesis import given
from hypothesis import strategies as st

from processor.log.kafka.assignor import Assignor
from processor.log.kafka.config import KafkaReceiverConfig
from processor.log.kafka.headers import SIGNAL, TENANT, may_carry, tenant_of
from processor.log.kafka.membership import Membership
from processor.log.kafka.offsets import Offsets
from processor.log.kafka.replayed import Replayed
from processor.log.kafka.watchdog import ConsumerStuck, Progress, Watchdog
from processor.log.kafka.watching import Watch
from processor.signals import Signal
from processor.telemetry.metrics import Metrics


class Brokers:
    """A consumer of one partition, whose brokers may be away."""

    def __init__(self) -> None:
        self.are_away = False

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """As they say, if they do."""
        if self.are_away:
            raise KafkaConnectionError("nobody answers")
        return dict.fromkeys(partitions, 7)

    async def position(self, _: TopicPartition) -> int:
        """Of the consumer itself."""
        return 7

    def highwater(self, _: TopicPartition) -> int:
        """As of the last fetch."""
        return 7


def test_brokers_that_do_not_answer_are_away_until_they_do() -> None:
    """By a look, or because something came; a restart would not mend it, so the watchdog is not told."""
    brokers, metrics = Brokers(), Metrics()
    membership = Membership(lambda: None)
    membership.partitions = frozenset({0})
    watch = Watch(KafkaReceiverConfig(), metrics, membership)

    async def looked(are_away: bool) -> bool:
        brokers.are_away = are_away
        await watch.look(brokers, "")
        return watch.away

    async def scenario() -> None:
        assert [await looked(away) for away in (False, True, True, False, True)] == [False, True, True, False, True]
        watch.show_lag(brokers, Offsets())
        assert not watch.away

    asyncio.run(scenario())


def test_only_what_is_rolled_up_is_committed_and_only_once() -> None:
    """Handing out alone moves nothing."""
    offsets = Offsets()
    for offset in range(5, 8):
        offsets.hand_out(0, offset)
    assert offsets.to_commit({}) == {}
    offsets.roll_up(0, 6)
    assert offsets.to_commit({}) == {0: 7}
    offsets.commit({0: 7})
    offsets.roll_up(0, 5)
    assert offsets.to_commit({}) == {}


def test_skipped_records_are_committed_when_nothing_before_them_is_open() -> None:
    """Before the first record, and after the last."""
    offsets = Offsets()
    offsets.skip(0, 0)
    assert offsets.to_commit({}) == {0: 1}
    offsets.commit({0: 1})
    offsets.hand_out(0, 1)
    offsets.skip(0, 2)
    assert offsets.to_commit({}) == {}
    offsets.roll_up(0, 1)
    assert offsets.to_commit({}) == {0: 3}


def test_a_refused_record_is_committed_when_nothing_before_it_is_open() -> None:
    """Nobody says that it is rolled up: at the end of a partition, too."""
    offsets = Offsets()
    for offset in range(4):
        offsets.hand_out(0, offset)
    offsets.refuse(0, 3)
    offsets.refuse(0, 1)
    assert offsets.to_commit({}) == {}
    offsets.roll_up(0, 0)
    assert offsets.to_commit({}) == {0: 2}
    offsets.roll_up(0, 2)
    assert offsets.to_commit({0: 3}) == {0: 3}
    assert offsets.to_commit({}) == {0: 4}


def test_no_commit_passes_an_undelivered_dead_letter() -> None:
    """Also of records that were rolled up long ago; other partitions are free."""
    offsets = Offsets()
    for partition in (0, 1):
        for offset in range(10):
            offsets.hand_out(partition, offset)
        offsets.roll_up(partition, 9)
    assert offsets.to_commit({0: 4}) == {0: 4, 1: 10}
    assert offsets.to_commit({0: 0}) == {1: 10}
    assert offsets.to_commit({}) == {0: 10, 1: 10}


def test_a_position_that_stays_behind_for_the_timeout_is_stuck() -> None:
    """Exactly then; moving, catching up or a reset begins anew."""
    watchdog = Watchdog(60.0)
    watchdog.look([Progress(0, 5, 9), Progress(1, 9, 9)], 0.0)
    watchdog.look([Progress(0, 5, 9), Progress(1, 9, 12)], 59.9)
    with pytest.raises(ConsumerStuck, match=r"partitions \[0\]"):
        watchdog.look([Progress(0, 5, 9), Progress(1, 9, 12)], 60.0)
    watchdog.look([Progress(0, 6, 9)], 61.0)
    watchdog.look([Progress(0, 9, 9)], 100.0)
    watchdog.look([Progress(0, 9, 10)], 125.0)
    watchdog.reset()
    watchdog.look([Progress(0, 9, 10)], 190.0)


@given(st.lists(st.integers(0, 300)), st.integers(0, 50))
def test_what_was_replayed_survives_its_text(offsets: list[int], begin: int) -> None:
    """In any order; what lies before the begin of the topic counts as done."""
    done = Replayed(begin)
    for offset in offsets:
        done.add(offset)
    again = Replayed(begin, done.offset, done.metadata)
    for offset in range(301):
        assert (offset in done) == (offset in again) == (offset < done.offset or offset in offsets)
        if offset >= begin and offset not in offsets:
            assert offset not in again


def test_what_does_not_fit_into_the_metadata_is_forgotten() -> None:
    """Which costs a second replay."""
    done = Replayed()
    for offset in range(1, 10_000, 2):
        done.add(offset)
    assert len(done.metadata) <= 4000
    again = Replayed(0, done.offset, done.metadata)
    assert 1 in again
    assert 9999 not in again


@pytest.mark.parametrize("metadata", ["hello", "1-", "5-3", "-", "1-99999999999999999999", "²-³"])
def test_foreign_metadata_means_nothing(metadata: str) -> None:
    """Others may have committed for the group."""
    assert not any(offset in Replayed(0, 0, metadata) for offset in range(10))


def test_a_record_without_headers_is_the_default_tenants_and_may_hold_spans() -> None:
    """As a stock exporter writes it; of several tenants the last is taken."""
    assert tenant_of([], "default") == "default"
    assert tenant_of([(TENANT, b"")], "default") == "default"
    assert tenant_of([(TENANT, b"a"), (TENANT, b"b")], "default") == "b"
    assert tenant_of([(TENANT, b"\xff")], "default") == "�"
    assert may_carry([], Signal.TRACES)
    assert may_carry([(SIGNAL, b"traces")], Signal.TRACES)
    assert not may_carry([(SIGNAL, b"logs")], Signal.TRACES)


def test_every_member_is_told_the_partition_count_of_the_one_who_leads() -> None:
    """Each for its own topic; the partitions are dealt out in turn."""
    agreed: list[tuple[str, int]] = []
    spans, others = (Assignor(topic, lambda count, topic=topic: agreed.append((topic, count))) for topic in ("a", "b"))
    topics = {"a": range(6), "b": range(2)}
    cluster = SimpleNamespace(partitions_for_topic=topics.get)
    members = {"one": spans.metadata(["a"]), "two": spans.metadata(["a"]), "three": others.metadata(["b", "missing"])}
    dealt = spans.assign(cluster, members)
    assert {partition for member in ("one", "two") for _, partition in dealt[member].partitions()} == set(range(6))
    for reader, member in ((spans, "one"), (spans, "two"), (others, "three")):
        reader.on_assignment(ConsumerProtocolMemberAssignment.decode(dealt[member].encode()))
    assert agreed == [("a", 6), ("a", 6), ("b", 2)]


@pytest.mark.parametrize("said", [None, b"", b"[]", b"6", b'{"b": 6}', b'{"a": "6"}', b'{"a": true}', b"\xff", b"{"])
def test_a_member_that_says_nothing_or_something_else_leaves_the_count_unknown(said: bytes | None) -> None:
    """Other clients may lead the group."""
    agreed: list[int] = []
    Assignor("a", agreed.append).on_assignment(ConsumerProtocolMemberAssignment(0, [("a", [0])], said))
    assert agreed == [0]
