"""Records of many requests on their way to the brokers: gathered into batches, one batch a partition sent at a time.

aiokafka would gather them as well (`AIOKafkaProducer.send`), at the price of a coroutine, a future and a metadata
object for each record; here a record costs one copy into its batch. While a partition's batch is on its way the next
one fills, so batches grow with the load; an idle partition waits `linger_s` for company.

Belongs to one producer and ends with it. What may wait is bounded by who adds, in bytes of requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from processor.log.kafka.delivery import Delivery
from processor.log.kafka.discard import discard
from processor.log.kafka.headers import Headers

_ENDED: Final = "the outbox has no producer any more"


class _Batch:
    """Records of one partition, and the requests that they belong to."""

    __slots__ = ("builder", "deliveries")

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self.deliveries: list[Delivery] = []

    def take(self, value: bytes, headers: Headers) -> bool:
        """Copy a record in; false when the batch is full."""
        return self.builder.append(timestamp=None, key=None, value=value, headers=headers) is not None

    def end(self, error: Exception | None) -> None:
        """Tell every request."""
        for delivery in self.deliveries:
            delivery.record_ended(error)


class Outbox:
    """A started producer and all that it has not delivered yet."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, linger_s: float) -> None:
        self._producer = producer
        self._topic = topic
        self._linger_s = linger_s
        self._waiting: dict[int, deque[_Batch]] = {}  # the last of each still fills
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._turn = 0

    async def partitions(self) -> int:
        """How many partitions the topic has, as far as is known. Errors: aiokafka's when it can't be found out."""
        return len(await self._producer.partitions_for(self._topic))

    def next_partition(self, partitions: int) -> int:
        """For records that may go anywhere: one after the other."""
        self._turn = (self._turn + 1) % partitions
        return self._turn

    def add(self, partition: int, value: bytes, headers: Headers, delivery: Delivery) -> None:
        """Take one record. Errors: `ProducerClosed` after `discard`."""
        if self._ended:
            raise ProducerClosed(_ENDED)
        batches = self._waiting.setdefault(partition, deque())
        if not batches or not batches[-1].take(value, headers):
            batches.append(_Batch(self._producer.create_batch()))
            batches[-1].take(value, headers)  # the first record of a batch fits whatever its size
        batches[-1].deliveries.append(delivery)
        delivery.add_record()
        if self._timer is None and partition not in self._sending:
            self._timer = asyncio.get_running_loop().call_later(self._linger_s, self._flush)

    async def discard(self) -> None:
        """Fail what is not delivered with `ProducerClosed`, and disconnect. Waits for requests on the wire."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        await discard(self._producer)
        if self._sending:
            await asyncio.wait(self._sending.values())
        for batches in self._waiting.values():
            for batch in batches:
                batch.end(ProducerClosed(_ENDED))
        self._waiting.clear()

    def _flush(self) -> None:
        self._timer = None
        for partition in list(self._waiting):
            self._send_next(partition)

    def _send_next(self, partition: int) -> None:
        if self._ended or partition in self._sending or partition not in self._waiting:
            return
        batches = self._waiting[partition]
        batch = batches.popleft()
        if not batches:
            del self._waiting[partition]
        self._sending[partition] = asyncio.create_task(self._send(partition, batch))

    async def _send(self, partition: int, batch: _Batch) -> None:
        batch.builder.close()  # so that aiokafka does not linger
        try:
            await (await self._producer.send_batch(batch.builder, self._topic, partition=partition))
        except KafkaError as error:
            batch.end(error)
        else:
            batch.end(None)
        finally:
            del self._sending[partition]
        self._send_next(partition)
