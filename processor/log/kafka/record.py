"""A record as the reader hands it out, with what is needed to commit it or to make a dead letter of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processor.log.base import Record


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class KafkaRecord(Record):
    """`value` as it stands in `topic`; `timestamp_ms` is Unix milliseconds, as the producer or the broker wrote it.

    `epoch` counts the assignments of the reader that handed it out: a commit under another one would not be true.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    headers: Sequence[tuple[str, bytes]]
    epoch: int
