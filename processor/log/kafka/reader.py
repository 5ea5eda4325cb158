"""The worker's end of the log on Kafka: a member of a consumer group that hands out each record at least once.

Order of things: the group assigns partitions (`membership`), what others stored of them is learned (`assigned`),
records are handed out, acknowledged, and committed when they are rolled up. A rebalance takes everything away: what is
not handed out is dropped, what is can no longer be committed, and both come again, here or elsewhere.

To stop: `close` (polls end, the membership stays), then the last `commit`, then `leave`.

Bounds: one poll and one small chunk of records here, `partition_fetch_bytes_max` for each partition in aiokafka, 16 MiB
of dead letters. Brokers that are away are waited for; a consumer that is stuck is an error (`watchdog`).

Must never commit a record that was not said to be rolled up; must never touch attributes.
Source: `processor.log.base` for the contract; shared OTLP facts, "Kafka, both ways with a stock Collector".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

import aiokafka.errors as kafka
import structlog
from aiokafka import AIOKafkaConsumer

from processor.errors import OtelSessionsError, Permanent, Retryable
from processor.log.base import Record
from processor.log.kafka.assignor import Assignor
from processor.log.kafka.client import client_options, consumer_options, create_topic
from processor.log.kafka.committing import commit_offsets
from processor.log.kafka.config import KafkaReceiverConfig
from processor.log.kafka.dead_letter import DeadLetters
from processor.log.kafka.discard import discard_consumer
from processor.log.kafka.fetching import Fetching
from processor.log.kafka.headers import is_placed, may_carry, tenant_of
from processor.log.kafka.membership import Membership
from processor.log.kafka.offsets import Offsets
from processor.log.kafka.record import KafkaRecord
from processor.log.kafka.watching import Watch
from processor.model import DEFAULT_TENANT, Receipt
from processor.signals import Signal
from processor.telemetry.metrics import Metrics

_RETRY_S: Final = 1.0
_COME_AGAIN: Final = (
    "nothing, once: the records come again; if it goes on, look at restarts of workers, and at session_timeout_s"
)

_log = structlog.get_logger(__name__)


class KafkaLogReader:
    """`LogReader` on one topic; see `processor.log.base` for the contract. Belongs to one event loop."""

    redelivers = True

    def __init__(
        self,
        config: KafkaReceiverConfig,
        metrics: Metrics,
        default_tenant: str = DEFAULT_TENANT,
        signal: Signal = Signal.TRACES,
    ) -> None:
        """`config` is that of the signal (`KafkaReceiverConfig.of`); `default_tenant` has the records that name none.

        Errors: `ConfigError` for certificate files that can't be read.
        """
        self._config = config
        self._signal = signal
        self._options = client_options(config, config.request_timeout_s)
        self._metrics = metrics
        self._default_tenant = default_tenant
        self._membership = Membership(self._reassigned)
        self._offsets = Offsets()
        self._watch = Watch(config, metrics, self._membership)
        self._dead_letters = DeadLetters(config, metrics, self._awake)
        self._consumer: Any = None
        self._assigned: Callable[[], Awaitable[None]] | None = None
        self._fetching: Fetching | None = None
        self._wake = asyncio.Event()
        self._rebalanced = asyncio.Event()
        self._closed = False

    @property
    def missing(self) -> str:
        """What keeps records from coming, and may come back by itself; '' for nothing."""
        return f"the brokers of {self._config.topic} do not answer; see the log" if self._watch.away else ""

    async def start(self, assigned: Callable[[], Awaitable[None]]) -> None:
        """Connect and ask to join the group; partitions are assigned while polls wait.

        Errors: `Retryable` when the brokers can't be reached.
        """
        if self._consumer is not None or self._closed:
            return
        self._assigned = assigned
        config = self._config
        assignor = Assignor(config.topic, self._membership.agreed)
        consumer = AIOKafkaConsumer(
            **self._options, **consumer_options(config), partition_assignment_strategy=[assignor]
        )
        try:
            async with asyncio.timeout(2 * config.request_timeout_s):
                if config.create_topic.create:
                    await create_topic(self._options, config.topic, config.create_topic)
                await consumer.start()
        except (kafka.KafkaError, OSError, TimeoutError) as error:
            await discard_consumer(consumer, config.request_timeout_s)
            raise Retryable(f"Kafka is away ({', '.join(config.brokers)}): {error!r}") from error
        except BaseException:
            await discard_consumer(consumer, config.request_timeout_s)
            raise
        self._consumer = consumer
        self._fetching = Fetching(consumer, self._membership, self._awake)
        consumer.subscribe([config.topic], listener=self._membership)

    async def poll(self, bytes_max: int, linger_s: float) -> Sequence[Record]:
        """Wait for a record, linger for more, hand out `bytes_max` of values at most. Empty once closed.

        Brokers that are away are waited for.
        Errors: `ConsumerStuck` when nothing comes of what the brokers have; what `assigned` raises, but `Retryable`.
        """
        loop = asyncio.get_running_loop()
        self._watch.reset()
        look_at_s = loop.time() + self._watch.look_interval_s
        linger_to_s: float | None = None
        while not self._closed and (fetching := self._fetching):
            self._wake.clear()
            fetching.collect(bytes_max if self._dead_letters.has_room else 0)
            if self._membership.is_new:
                await self._learn()
                continue
            now_s = loop.time()
            if fetching.records and self._membership.is_ready:
                linger_to_s = now_s + linger_s if linger_to_s is None else linger_to_s
                if now_s < linger_to_s and fetching.bytes < bytes_max:
                    await self._wait(linger_to_s - now_s)
                elif records := self._take(fetching, bytes_max):
                    return records
                else:
                    linger_to_s = None
                continue
            linger_to_s = None  # a rebalance may have taken what it waited for
            if now_s >= look_at_s and self._dead_letters.has_room:
                await self._unless_closed(self._watch.look(self._consumer, fetching.complaint))
                look_at_s = loop.time() + self._watch.look_interval_s
                continue
            await self._wait(min(max(look_at_s - now_s, _RETRY_S), fetching.pause_s))
        return ()

    def acknowledge(self, records: Sequence[Record], outcomes: Sequence[Receipt | OtelSessionsError]) -> None:
        """Make dead letters of those refused for good."""
        for record, outcome in zip(records, outcomes, strict=True):
            if isinstance(outcome, Permanent):
                refused = _ours(record)
                self._dead_letters.add(refused, str(outcome))
                if refused.epoch == self._membership.epoch:
                    self._offsets.refuse(refused.partition, refused.offset)

    async def commit(self, records: Sequence[Record]) -> None:
        """Commit as far as the records say, once their dead letters are delivered, and no further than those that are.

        Records of an earlier assignment are left out. What is not committed comes again, or is committed with the next.
        Takes a few of the brokers' timeouts at most.
        """
        left_out = 0
        for record in map(_ours, records):
            if record.epoch == self._membership.epoch:
                self._offsets.roll_up(record.partition, record.offset)
            else:
                left_out += 1
        if left_out:
            self._metrics.kafka_commits_refused.inc()
            _log.warning(
                "kafka_commit_refused",
                topic=self._config.topic,
                records=left_out,
                error="they were polled before a rebalance",
                action=_COME_AGAIN,
            )
        await self._dead_letters.deliver(map(_ours, records), self._config.request_timeout_s)
        await self._commit(self._config.request_timeout_s)

    async def close(self) -> None:
        """Let polls end, at once. What was handed out can still be committed: the membership stays until `leave`."""
        self._closed = True
        if self._fetching is not None:
            self._fetching.drop()
        self._awake()

    async def leave(self, timeout_s: float = 10.0) -> None:
        """After the last commit: leave the group, so that others take over at once, and disconnect.

        Safe to call twice, and without `start`. After `timeout_s` it goes without a farewell, and the brokers find out.
        """
        await self.close()
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            await fetching.stop()
        if self._consumer is not None:
            await self._commit(timeout_s / 2)  # skipped and refused records that no other followed
            consumer, self._consumer = self._consumer, None
            await discard_consumer(consumer, timeout_s / 2)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._dead_letters.close(), timeout_s)
        self._watch.forget_lag()

    def _awake(self) -> None:
        self._wake.set()

    def _reassigned(self) -> None:
        """A rebalance began, or is over."""
        if self._membership.partitions is None:
            if self._fetching is not None:
                self._fetching.drop()
            self._offsets = Offsets()
            self._watch.forget_lag()
            self._rebalanced.set()  # ends a commit that is under way
        else:
            self._metrics.kafka_rebalances.inc()
        self._awake()

    async def _wait(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()

    async def _unless_closed(self, work: Coroutine[Any, Any, None]) -> None:
        """Await it, but no longer than until `close`. Errors: those of `work`."""
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._awake())
        try:
            while not task.done() and not self._closed:
                self._wake.clear()
                await self._wake.wait()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def _learn(self) -> None:
        """Let the worker learn what others stored. Errors: what `assigned` raises, but `Retryable`."""
        try:
            await self._unless_closed(self._call_assigned(self._membership.epoch))
        except Retryable as error:
            _log.warning(
                "kafka_assignment_not_learned",
                topic=self._config.topic,
                error=str(error),
                action="it is tried again; look at the store, which does not answer",
            )
            await self._wait(_RETRY_S)

    async def _call_assigned(self, epoch: int) -> None:
        assert self._assigned is not None
        await self._assigned()
        self._membership.learned(epoch)
        _log.info("kafka_assignment_learned", topic=self._config.topic)

    # Handing out.

    def _take(self, fetching: Fetching, bytes_max: int) -> list[Record]:
        """What waits, up to `bytes_max`; may be empty when it is all of other signals."""
        count = self._trusted_count()
        records: list[Record] = []
        size = 0
        while found := fetching.take(bytes_max - size if records else None):
            if not found.value or not may_carry(found.headers, self._signal):
                self._offsets.skip(found.partition, found.offset)
                self._metrics.kafka_skipped_records.inc()
                continue
            self._offsets.hand_out(found.partition, found.offset)
            records.append(self._record(found, count))
            size += len(found.value)
        self._watch.show_lag(self._consumer, self._offsets)
        return records

    def _trusted_count(self) -> int:
        """The partition count that a claim must name to be true; 0, which none names, when the group's is outdated."""
        agreed = self._membership.partition_count
        known = self._consumer.partitions_for_topic(self._config.topic) or ()
        return agreed if len(known) <= agreed else 0

    def _record(self, found: Any, count: int) -> KafkaRecord:
        return KafkaRecord(
            tenant=tenant_of(found.headers, self._default_tenant),
            value=found.value,
            has_whole_traces=is_placed(found.headers, found.partition, count),
            topic=found.topic,
            partition=found.partition,
            offset=found.offset,
            timestamp_ms=found.timestamp,
            key=found.key,
            headers=found.headers,
            epoch=self._membership.epoch,
        )

    # Committing.

    async def _commit(self, timeout_s: float) -> None:
        """Commit what `Offsets` allows. A refusal is noted."""
        membership, offsets = self._membership, self._offsets
        wanted = offsets.to_commit(self._dead_letters.undelivered)
        wanted = {number: offset for number, offset in wanted.items() if number in (membership.partitions or ())}
        if not wanted or self._consumer is None:
            return
        self._rebalanced.clear()
        error = await commit_offsets(self._consumer, self._config.topic, wanted, self._rebalanced, timeout_s)
        if error:
            self._metrics.kafka_commits_refused.inc()
            _log.warning(
                "kafka_commit_refused", topic=self._config.topic, offsets=wanted, error=error, action=_COME_AGAIN
            )
        else:
            offsets.commit(wanted)


def _ours(record: Record) -> KafkaRecord:
    assert isinstance(record, KafkaRecord), "records come back to the reader that handed them out"
    return record
