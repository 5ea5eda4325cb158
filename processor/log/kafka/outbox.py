"""Records of many requests on their way to the brokers: gathered into batches, one batch a partition sent at a time.

aiokafka would gather them as well (`AIOKafkaProducer.send`), at the price of a coroutine, a future and a metadata
object for each record; here a record costs one copy into its batch. A record waits `linger_s` for company. When the
first has waited that long, or a batch is full, all that may go goes together, in one request to each broker; what comes
while a partition's batch is on its way fills the next one, so batches grow with the load.

Belongs to one producer and ends with it. What may wait is bounded by who adds, in bytes of requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed, UnknownTopicOrPartitionError

from processor.log.kafka.delivery import Delivery
from processor.log.kafka.discard import discard
from processor.log.kafka.headers import Headers

_REQUEST_BYTES: Final = 2 * 1024 * 1024
"""What one request to a broker should come to: aiokafka copies it eight times, which is dear once no cache holds it."""
_BATCH_BYTES_MIN: Final = 64 * 1024
_ENDED: Final = "the outbox has no producer any more"


class _Batch:
    """Records of one partition, and the requests that they belong to. `due_s`: when the first has lingered enough."""

    __slots__ = ("builder", "deliveries", "due_s", "room")

    def __init__(self, builder: Any, room: int, due_s: float) -> None:
        """`room`: bytes of values that it takes at most, but for the first record, which fits whatever its size."""
        self.builder = builder
        self.room = room
        self.due_s = due_s
        self.deliveries: list[Delivery] = []

    def take(self, value: bytes, headers: Headers) -> bool:
        """Copy a record in; false when the batch is full."""
        self.room -= len(value)
        if self.room < 0 and self.deliveries:
            return False
        return self.builder.append(timestamp=None, key=None, value=value, headers=headers) is not None

    def end(self, error: BaseException | None) -> None:
        """Tell every request."""
        for delivery in self.deliveries:
            delivery.record_ended(error)


class Outbox:
    """A started producer and all that it has not delivered yet."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, linger_s: float) -> None:
        self._producer = producer
        self._topic = topic
        self._linger_s = linger_s
        self._batch_bytes = _BATCH_BYTES_MIN
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, deque[_Batch]] = {}  # the last of each still fills
        self._sending: dict[int, _Batch] = {}
        self._handing_over: asyncio.Task[None] | None = None
        self._timer: asyncio.Handle | None = None
        self._timer_due_s = 0.0
        self._ended = False
        self._turn = 0

    async def start(self) -> None:
        """Connect, and find out how many partitions the topic has. Errors: aiokafka's."""
        await self._producer.start()
        await self._producer.partitions_for(self._topic)

    @property
    def partition_count(self) -> int:
        """Partitions of the topic, as of the producer's last look. Errors: aiokafka's when the topic is gone."""
        partitions = self._producer.client.cluster.partitions_for_topic(self._topic)
        if not partitions:
            raise UnknownTopicOrPartitionError(self._topic)
        self._batch_bytes = max(_BATCH_BYTES_MIN, _REQUEST_BYTES // len(partitions))
        return len(partitions)

    def next_partition(self, partitions: int) -> int:
        """For records that may go anywhere: one after the other."""
        self._turn = (self._turn + 1) % partitions
        return self._turn

    def add(self, partition: int, value: bytes, headers: Headers, delivery: Delivery) -> None:
        """Take one record. Errors: `ProducerClosed` after `discard`."""
        if self._ended:
            raise ProducerClosed(_ENDED)
        batches = self._waiting.get(partition)
        if batches is None:
            batches = self._waiting[partition] = deque()
        if not batches or not batches[-1].take(value, headers):
            batch = _Batch(self._producer.create_batch(), self._batch_bytes, self._loop.time() + self._linger_s)
            batches.append(batch)
            batch.take(value, headers)
            if partition not in self._sending:
                self._send_at(batch.due_s if len(batches) == 1 else 0.0)
        batches[-1].deliveries.append(delivery)
        delivery.add_record()

    async def discard(self) -> None:
        """Fail what is not delivered with `ProducerClosed`, and disconnect. Waits for requests on the wire."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        await discard(self._producer)
        if self._handing_over is not None:
            await asyncio.wait([self._handing_over])
        left = [*self._sending.values(), *(batch for batches in self._waiting.values() for batch in batches)]
        self._sending.clear()
        self._waiting.clear()
        for batch in left:
            batch.end(ProducerClosed(_ENDED))

    def _send_at(self, due_s: float) -> None:
        """Send then what may be sent, or earlier if that was to happen anyway."""
        if self._timer is not None:
            if self._timer_due_s <= due_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._send)
        self._timer_due_s = due_s

    def _send(self) -> None:
        """The first batch of every partition that has none on its way."""
        self._timer = None
        if self._handing_over is not None:
            return  # at its end it looks again
        batches = {}
        for partition in [partition for partition in self._waiting if partition not in self._sending]:
            waiting = self._waiting[partition]
            batches[partition] = waiting.popleft()
            if not waiting:
                del self._waiting[partition]
        if batches:
            self._sending |= batches
            self._handing_over = asyncio.create_task(self._hand_over(batches))

    async def _hand_over(self, batches: dict[int, _Batch]) -> None:
        """To aiokafka, which makes one request of them for each broker. It has nothing to wait for, as a rule."""
        try:
            for partition, batch in batches.items():
                batch.builder.close()  # so that aiokafka does not linger
                try:
                    sent = await self._producer.send_batch(batch.builder, self._topic, partition=partition)
                except Exception as error:
                    self._end(partition, batch, error)
                else:
                    sent.add_done_callback(partial(self._answered, partition, batch))
        finally:
            self._handing_over = None
            self._send_next()

    def _answered(self, partition: int, batch: _Batch, sent: asyncio.Future[Any]) -> None:
        self._end(partition, batch, ProducerClosed(_ENDED) if sent.cancelled() else sent.exception())
        self._send_next()

    def _end(self, partition: int, batch: _Batch, error: BaseException | None) -> None:
        if self._sending.get(partition) is batch:
            del self._sending[partition]
            batch.end(error)

    def _send_next(self) -> None:
        """What came meanwhile, when it is due: answers come together, and so can what follows them."""
        if self._ended or not self._waiting:
            return
        free = [batches for partition, batches in self._waiting.items() if partition not in self._sending]
        if free:
            self._send_at(min(0.0 if len(batches) > 1 else batches[0].due_s for batches in free))
