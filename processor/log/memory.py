"""The log of a single process: a bounded queue whose appends wait until the worker has stored the spans.

Nothing acknowledged can be lost in a crash, because nothing is acknowledged before it is in the store. Must never be
read from two event loops; must never drop a record: it is acknowledged once, with an outcome, or still pending.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from processor.clock import monotonic_s
from processor.errors import OtelSessionsError, Overloaded, Retryable
from processor.log.base import Receipt, Record

RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class MemoryLogConfig:
    """Limits of the in-process log."""

    queue_bytes_max: int = field(
        default=64 * 1024 * 1024,
        metadata={
            "help": "Bytes of requests of each signal that may wait for the store, in flight included; more is "
            "answered with a retryable status. A single request is always taken by an empty queue.",
            "min": 1024 * 1024,
        },
    )


class MemoryLog:
    """`LogWriter` and `LogReader` in the memory of this process; see `processor.log.base` for the contract."""

    redelivers = False

    def __init__(self, config: MemoryLogConfig) -> None:
        self._bytes_max = config.queue_bytes_max
        self._waiting: deque[Record] = deque()
        self._pending: dict[
            Record, tuple[asyncio.Future[Receipt], float]
        ] = {}  # with the time of arrival, in its order
        self._bytes = 0
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._closed = False

    @property
    def queued_bytes(self) -> int:
        """Bytes of all requests not yet acknowledged."""
        return self._bytes

    def oldest_s(self, now_s: float) -> float:
        """Age of the oldest request not yet acknowledged; 0 for none. `now_s` is monotonic."""
        _, arrived_s = next(iter(self._pending.values()), (None, now_s))
        return now_s - arrived_s

    @property
    def queue_bytes_max(self) -> int:
        """The configured bound."""
        return self._bytes_max

    async def append(self, tenant: str, value: bytes) -> Receipt:
        """Queue one request and wait until it is stored."""
        if self._closed:
            raise Retryable("shutting down; retry against the restarted process")
        if self._bytes and self._bytes + len(value) > self._bytes_max:
            raise Overloaded(
                f"{self._bytes} bytes wait for the store, the limit is {self._bytes_max} (queue_bytes_max)",
                RETRY_AFTER_S,
            )
        record = Record(tenant, value)
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._pending[record] = future, monotonic_s()
        self._waiting.append(record)
        self._bytes += len(value)
        self._waiting_bytes += len(value)
        self._arrived.set()
        # A client that gives up cancels its own wait only: the record stays queued and will be stored.
        return await asyncio.shield(future)

    async def start(self, assigned: Callable[[], Awaitable[None]]) -> None:
        """Everything is this reader's from the start."""
        await assigned()

    async def poll(self, bytes_max: int, linger_s: float) -> Sequence[Record]:
        """Wait for a record, linger for more, hand out at most `bytes_max`."""
        await self._wait_for_records()
        if not self._closed and linger_s > 0 and self._waiting_bytes < bytes_max:
            await self._linger(bytes_max, linger_s)
        records: list[Record] = []
        size = 0
        while self._waiting and (not records or size + len(self._waiting[0].value) <= bytes_max):
            record = self._waiting.popleft()
            size += len(record.value)
            records.append(record)
        self._waiting_bytes -= size
        return records

    async def _wait_for_records(self) -> None:
        while not self._waiting and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()

    async def _linger(self, bytes_max: int, linger_s: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + linger_s
        while self._waiting_bytes < bytes_max and not self._closed and loop.time() < deadline:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), deadline - loop.time())
            except TimeoutError:
                return

    def acknowledge(self, records: Sequence[Record], outcomes: Sequence[Receipt | OtelSessionsError]) -> None:
        """Answer the appends that wait for these records."""
        for record, outcome in zip(records, outcomes, strict=True):
            future, _ = self._pending.pop(record)
            self._bytes -= len(record.value)
            if future.done():
                continue
            if isinstance(outcome, Receipt):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)
                future.exception()  # a client that went away leaves nobody to read it

    async def commit(self, records: Sequence[Record]) -> None:
        """Nothing to do: what was acknowledged is in the store, and the store says what is not rolled up."""

    async def close(self) -> None:
        """Refuse new appends and wake the poller."""
        self._closed = True
        self._arrived.set()

    async def leave(self, timeout_s: float = 10.0) -> None:
        """Nobody takes over from a log that ends with its process."""
        await self.close()
