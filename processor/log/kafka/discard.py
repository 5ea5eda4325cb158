"""Stop aiokafka's clients where their own `stop` would wait for ever, or not come to its end.

`AIOKafkaProducer.stop` waits until all is delivered, which an idempotent producer tries for ever. So what it holds is
failed first, by its own means. `AIOKafkaConsumer.stop` trips over a fetch that it cancels while that pauses after an
error. Both take some private parts, which are used here only: they are those of aiokafka 0.14, and the tests with
killed and frozen brokers notice when they change.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiokafka.errors import KafkaError, ProducerClosed


async def discard(producer: Any) -> None:
    """Fail what the producer has not delivered with `ProducerClosed`, and disconnect.

    Requests on the wire are waited for: at most a few of the producer's own timeouts. Raises nothing of Kafka's; a
    producer that never started is fine.
    """
    sender, accumulator = producer._sender, producer._message_accumulator
    with contextlib.suppress(KafkaError):
        await sender.close()
    # Only now: a request that still came back would look for its batches.
    pending = accumulator._pending_batches
    pending.update(*accumulator._batches.values())  # a batch that ends while it waits for a retry is looked for here
    accumulator._batches.clear()
    accumulator.fail_all(ProducerClosed())
    for batch in pending:
        if batch._drain_waiter.done():
            batch._drain_waiter.exception()  # nobody waits for it; asyncio would complain
    with contextlib.suppress(KafkaError):
        await producer.stop()


async def discard_consumer(consumer: Any, timeout_s: float) -> None:
    """Leave the group if the brokers answer within `timeout_s`, and disconnect. Raises nothing of Kafka's."""
    stopping = asyncio.create_task(consumer.stop())
    try:
        await asyncio.wait([stopping], timeout=timeout_s)
    finally:
        if not stopping.done():
            stopping.cancel()
            await asyncio.wait([stopping])
    if not stopping.cancelled() and stopping.exception() is None:
        return
    # It did not come to its end: neither to the tasks that fetch, nor to the connections.
    with contextlib.suppress(KafkaError):
        await consumer._client.close()
