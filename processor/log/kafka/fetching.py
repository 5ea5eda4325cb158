"""Records on their way from aiokafka to a poll.

One call of aiokafka's is under way at a time, also between polls, because cancelling it makes aiokafka forget how long
nobody asked. It brings a small chunk, so that little is decompressed that a poll has no room for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import aiokafka.errors as kafka
import structlog

from processor.log.kafka.membership import Membership

_CHUNK_RECORDS: Final = 64
_FETCH_S: Final = 5.0
_RETRY_S: Final = 1.0

_log = structlog.get_logger(__name__)


class Fetching:
    """Of one consumer. `records` are aiokafka's, of the present epoch, in order; `bytes` those of their values.

    `complaint` is the last error, '' since something came.
    """

    def __init__(self, consumer: Any, membership: Membership, awake: Callable[[], None]) -> None:
        """`awake` is called whenever `collect` would find something."""
        self._consumer = consumer
        self._membership = membership
        self._awake = awake
        self.records: deque[Any] = deque()
        self.bytes = 0
        self._call: asyncio.Task[tuple[int, list[Any]]] | None = None
        self._retry_at_s = 0.0
        self.complaint = ""

    @property
    def pause_s(self) -> float:
        """Seconds after which `collect` is worth a try, though nothing came."""
        wait_s = self._retry_at_s - asyncio.get_running_loop().time()
        return wait_s if wait_s > 0 else _FETCH_S

    def collect(self, bytes_max: int) -> None:
        """Take what has come, and ask for more while `bytes` is below `bytes_max`."""
        if self._call is not None and self._call.done():
            call, self._call = self._call, None
            try:
                epoch, records = call.result()
            except kafka.KafkaError as error:
                self._pause(error)
                return
            if records and epoch == self._membership.epoch:
                self.complaint = ""
                self.records += records
                self.bytes += sum(len(record.value or b"") for record in records)
        now_s = asyncio.get_running_loop().time()
        if self._call is None and self.bytes < bytes_max and now_s >= self._retry_at_s:
            self._call = asyncio.create_task(self._fetch())
            self._call.add_done_callback(lambda _: self._awake())

    def take(self, bytes_max: int | None) -> Any:
        """The next record; None when there is none, or its value has more than `bytes_max` bytes."""
        if not self.records:
            return None
        size = len(self.records[0].value or b"")
        if bytes_max is not None and size > bytes_max:
            return None
        self.bytes -= size
        return self.records.popleft()

    def drop(self) -> None:
        """They are not ours any more, or nobody wants them."""
        self.records.clear()
        self.bytes = 0

    async def stop(self) -> None:
        """Before the consumer stops; nothing is fetched any more."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
            await asyncio.wait([call])
            if not call.cancelled():
                call.exception()  # to be read in any case, or asyncio complains

    async def _fetch(self) -> tuple[int, list[Any]]:
        found = await self._consumer.getmany(timeout_ms=round(_FETCH_S * 1000), max_records=_CHUNK_RECORDS)
        # Nothing was awaited since aiokafka looked whether they are still ours.
        return self._membership.epoch, [record for records in found.values() for record in records]

    def _pause(self, error: Exception) -> None:
        self._retry_at_s = asyncio.get_running_loop().time() + _RETRY_S
        if self.complaint != (complaint := repr(error)):
            self.complaint = complaint
            _log.warning(
                "kafka_fetch_failed",
                error=complaint,
                action="it is tried again; if it goes on, look at the brokers and at the rights on the topic",
            )
