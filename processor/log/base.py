"""The log between the receiver and the worker: what an append, an acknowledgement and a commit mean.

The contract, in the order in which it happens to one request:

1. `append` is called with validated-by-nobody bytes. It returns only when the log has taken responsibility for them.
   For the `memory` log that is when the worker has *stored* what they say; for Kafka, when the brokers have the record.
2. `poll` hands records to the worker, in order, each at least once.
3. `acknowledge` tells the log that these records are stored (or refused, with the reason).
4. `commit` tells the log that these records are rolled up too. Redelivery starts after the last commit.

A full log raises `Overloaded`, a log that is away raises `Retryable`: nothing is ever dropped silently.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from processor.errors import OtelSessionsError
from processor.model import Receipt

__all__ = ["LogReader", "LogWriter", "Receipt", "Record"]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One export request, serialized, and whose it is. A log holds those of one signal.

    `has_whole_traces`: the log hands every span of its traces to this reader, and did so since the reader last said
    that it was assigned something, so memory may be trusted with what it knows of them. False costs reading back.
    """

    tenant: str
    value: bytes
    has_whole_traces: bool = True


class LogWriter(Protocol):
    """The receivers' end: append-only, bounded."""

    async def append(self, tenant: str, value: bytes) -> Receipt:
        """Take responsibility for one serialized request.

        Errors: `Overloaded` when full, `Retryable` when away or stopping, `Permanent` when the bytes are no request.
        """

    async def close(self) -> None:
        """Refuse new appends and finish those under way. Safe to call twice."""


class LogReader(Protocol):
    """The worker's end: at least once, in order."""

    @property
    def redelivers(self) -> bool:
        """Whether records that are not committed come again after a restart.

        Where they do, a batch that the store does not take is written again until it does; where they don't, the
        exporters keep the spans, and are told to retry.
        """

    async def start(self, assigned: Callable[[], Awaitable[None]]) -> None:
        """Begin to read. `assigned` is awaited before the first record of anything newly assigned is handed out: what
        others have stored of it until then has to be learned.

        Errors: `Retryable` when the log is away.
        """

    async def poll(self, bytes_max: int, linger_s: float) -> Sequence[Record]:
        """Wait for one record, then up to `linger_s` for more; at most `bytes_max` unless one record is larger.

        Empty once the log is closed and, where records wait only here, drained.
        """

    def acknowledge(self, records: Sequence[Record], outcomes: Sequence[Receipt | OtelSessionsError]) -> None:
        """These records are stored, or refused: one outcome a record, in the order of `records`."""

    async def commit(self, records: Sequence[Record]) -> None:
        """These acknowledged records, and all that were polled before them, are rolled up.

        Errors: none; a commit that the log refuses (it has given the records to another reader) is noted, and they come
        again.
        """

    async def close(self) -> None:
        """Hand out nothing new, at once. What was handed out may still be committed. Safe to call twice."""

    async def leave(self, timeout_s: float = 10.0) -> None:
        """After the last commit: let others take over, and disconnect. Safe to call twice, and without `start`."""
