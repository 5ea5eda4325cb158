"""Deleting a session: one row that says so. Everything else follows from it (ADR 0015).

Any thread; calls of one object wait for each other.
"""

from __future__ import annotations

import threading
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa

from processor.store.connection import driver_errors_translated

_TIME: Final = pa.timestamp("ms", "UTC")


class SessionDeletions:
    """Writes tombstones through a client of its own."""

    def __init__(self, client: Any, database: str, block_days: int) -> None:
        """`block_days`: for so long spans of a deleted session do not bring it back."""
        self._client = client
        self._table = f"{database}.deleted_sessions"
        self._block_ms = block_days * 86_400_000
        self._lock = threading.Lock()

    def delete(self, tenant: str, session_id: str, now_ms: int) -> int:
        """Delete a session, known or not; until when its id is blocked comes back. Units: Unix milliseconds.

        When this returns, no answer has it. Errors: `Retryable` when the store is away, `Permanent` when it refuses.
        """
        blocked_until_ms = now_ms + self._block_ms
        row = pa.table(
            {
                "tenant": [tenant],
                "session_id": [session_id],
                "deletion": [uuid4().hex],
                "deleted_at": pa.array([now_ms], _TIME),
                "blocked_until": pa.array([blocked_until_ms], _TIME),
            }
        )
        with self._lock, driver_errors_translated():
            self._client.insert_arrow(self._table, row, settings={"async_insert": 0})
        return blocked_until_ms
