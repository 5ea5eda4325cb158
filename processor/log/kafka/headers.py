"""What our records say about themselves, in record headers: the one place where names and values are defined.

`otelcol.signal` is the Collector's. `otel-sessions.placement` says that the record's spans were chosen by their trace
id: with how many partitions in mind, and for which of them. A reader that finds this true to its topic and to where the
record lies knows that no other partition has spans of these traces from such a producer; repartitioning, copying to
another topic or raising the partition count makes it false, and the reader falls back to looking. All readers of a
group judge by the partition count that came with their assignment (`assignor`), so no two trust spans of one trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from processor.signals import Signal

Headers: TypeAlias = Sequence[tuple[str, bytes]]

TENANT: Final = "otel-sessions.tenant"
SIGNAL: Final = "otelcol.signal"
PLACEMENT: Final = "otel-sessions.placement"

# What a dead letter has beside the headers of the record that it was.
ORIGIN_TOPIC: Final = "otel-sessions.dlq.topic"
ORIGIN_PARTITION: Final = "otel-sessions.dlq.partition"
ORIGIN_OFFSET: Final = "otel-sessions.dlq.offset"
ORIGIN_TIMESTAMP_MS: Final = "otel-sessions.dlq.timestamp_ms"
REASON: Final = "otel-sessions.dlq.reason"
VALUE_OMITTED: Final = "otel-sessions.dlq.value_omitted"
DEAD_LETTER_PREFIX: Final = "otel-sessions.dlq."

_FRAME_BYTES_MAX: Final = 64  # lengths, attributes, timestamp and offset of a record
_HEADER_FRAME_BYTES_MAX: Final = 10  # two lengths


@lru_cache(maxsize=1 << 14)  # tenants times partitions, reckoned generously
def record_headers(tenant: str, partition: int | None, partitions: int, signal: Signal = Signal.TRACES) -> Headers:
    """Headers of a record; `partition` is None where the spans were not placed by trace id."""
    headers = [(TENANT, tenant.encode()), (SIGNAL, signal.value.encode())]
    if partition is not None:
        headers.append((PLACEMENT, placement(partition, partitions)))
    return headers


def placement(partition: int, partitions: int) -> bytes:
    """The value of `PLACEMENT`. Names the rule (`placement.partition_of`), so that another rule is another value."""
    return b"crc32(trace_id) %% %d = %d" % (partitions, partition)


def is_placed(headers: Iterable[tuple[str, bytes]], partition: int, partitions: int) -> bool:
    """Whether a record in `partition` of a topic that has `partitions` of them was placed there by trace id.

    False where that count is 0, for unknown.
    """
    found = [value for name, value in headers if name == PLACEMENT]
    return partition < partitions and found == [placement(partition, partitions)]


def tenant_of(headers: Iterable[tuple[str, bytes]], default: str) -> str:
    """Whose record it is; `default` where nobody says so."""
    found = [value for name, value in headers if name == TENANT and value]
    return found[-1].decode(errors="replace") if found else default


def may_carry(headers: Iterable[tuple[str, bytes]], signal: Signal) -> bool:
    """Whether the record may be of that signal: no header says that it is another."""
    wanted = signal.value.encode()
    return all(value == wanted for name, value in headers if name == SIGNAL)


def framing_bytes(headers: Headers) -> int:
    """The most bytes that a record takes beside its value."""
    return _FRAME_BYTES_MAX + sum(len(name.encode()) + len(value) + _HEADER_FRAME_BYTES_MAX for name, value in headers)
