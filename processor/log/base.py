"""The log between the receiver and the worker: what an append, an acknowledgement and a commit mean.

The contract, in the order in which it happens to one request:

1. `append` is called with validated-by-nobody bytes. It returns only when the log has taken responsibility for them.
   For the `memory` log that is when the worker has *stored* the spans; for Kafka, when the brokers have the record.
2. `poll` hands records to the worker, in order, each at least once.
3. `acknowledge` tells the log that these records are stored (or refused, with the reason).
4. `commit` tells the log that every record polled before it is rolled up too. Redelivery starts after the last commit.

A full log raises `Overloaded`, a log that is away raises `Retryable`: nothing is ever dropped silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from processor.errors import OtelSessionsError
from processor.model import Receipt

__all__ = ["Log", "Receipt", "Record"]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One `ExportTraceServiceRequest`, serialized, and whose it is."""

    tenant: str
    value: bytes


class Log(Protocol):
    """Append-only, at-least-once, bounded."""

    async def append(self, tenant: str, value: bytes) -> Receipt:
        """Take responsibility for one serialized request.

        Errors: `Overloaded` when full, `Retryable` when away or stopping, `Permanent` when the bytes are no request.
        """

    async def poll(self, bytes_max: int, linger_s: float) -> Sequence[Record]:
        """Wait for one record, then up to `linger_s` for more; at most `bytes_max` unless one record is larger.

        Empty once the log is closed and drained.
        """

    def acknowledge(self, records: Sequence[Record], outcomes: Sequence[Receipt | OtelSessionsError]) -> None:
        """These records are stored, or refused: one outcome a record, in the order of `records`."""

    async def commit(self) -> None:
        """All that was acknowledged before this call is rolled up."""

    async def close(self) -> None:
        """Refuse new appends; let `poll` drain what was accepted. Safe to call twice."""
