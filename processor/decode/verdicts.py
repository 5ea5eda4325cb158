"""Which spans and log records are admitted, and why the others are not.

A span that can't be identified can't be written under a key that makes writing it again harmless, and a span with an
absurd time would open a partition of its own: both are refused for good and told to the exporter. A log record needs no
ids, and OTLP has receivers take one with invalid ids as one without any, so only its time can have it refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.columns import Bools, Ints, to_bools
from processor.model import NANOS_PER_SECOND

NO_TRACE_ID = "trace_id must be 16 bytes, not all zero"
NO_SPAN_ID = "span_id must be 8 bytes, not all zero"
NO_PARENT_ID = "parent_span_id must be empty or 8 bytes"
TOO_OLD = "start time is further back than span_age_days_max"
TOO_NEW = "start or end time lies further ahead than span_ahead_s_max"
RECORD_TOO_OLD = "time is further back than span_age_days_max"
RECORD_TOO_NEW = "time lies further ahead than span_ahead_s_max"

Rejections: TypeAlias = dict[int, dict[str, int]]
"""For each record with something refused, the count by reason."""

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Admission:
    """The window of times of spans and log records that is accepted."""

    span_age_days_max: int = field(
        default=400,
        metadata={
            "help": "Days that a span or log record may lie in the past; older ones are refused.",
            "min": 1,
            "max": 9000,
        },
    )
    span_ahead_s_max: int = field(
        default=_DAY_S,
        metadata={
            "help": "Seconds that a span or log record may lie in the future (clocks differ); later ones are refused.",
            "min": 0,
            "max": 10 * _DAY_S,
        },
    )


def refuse_spans(spans: pa.StructArray, record: Ints, admission: Admission, now_ns: int) -> tuple[Bools, Rejections]:
    """Judge each span.

    Shape: a mask with one entry a span, true for admitted; for each record with a refused span, the count by reason.
    A span with several faults counts under the first, in the order of this function.
    """
    oldest, newest = _window(admission, now_ns)
    start = spans.field("start_time_unix_nano").to_numpy()
    end = spans.field("end_time_unix_nano").to_numpy()
    return _judged(
        record,
        (NO_TRACE_ID, ~is_id(spans.field("trace_id"), 16)),
        (NO_SPAN_ID, ~is_id(spans.field("span_id"), 8)),
        (NO_PARENT_ID, ~_is_parent_id(spans.field("parent_span_id"))),
        (TOO_OLD, start < oldest),
        (TOO_NEW, (start > newest) | (end > newest)),
    )


def refuse_log_records(
    times: npt.NDArray[np.uint64], record: Ints, admission: Admission, now_ns: int
) -> tuple[Bools, Rejections]:
    """Judge each log record by its time in Unix nanoseconds; 0, for unknown, is admitted.

    Shape: as of `refuse_spans`.
    """
    oldest, newest = _window(admission, now_ns)
    return _judged(record, (RECORD_TOO_OLD, (times < oldest) & (times > 0)), (RECORD_TOO_NEW, times > newest))


def _window(admission: Admission, now_ns: int) -> tuple[np.uint64, np.uint64]:
    oldest = now_ns - admission.span_age_days_max * _DAY_S * NANOS_PER_SECOND
    newest = now_ns + admission.span_ahead_s_max * NANOS_PER_SECOND
    return np.uint64(max(oldest, 0)), np.uint64(newest)


def _judged(record: Ints, *faults: tuple[str, Bools]) -> tuple[Bools, Rejections]:
    keep = np.ones(len(record), np.bool_)
    rejections: Rejections = {}
    for reason, bad in faults:
        refused = bad & keep
        if refused.any():
            for row, count in zip(*np.unique(record[refused], return_counts=True), strict=True):
                rejections.setdefault(int(row), {})[reason] = int(count)
            keep &= ~bad
    return keep, rejections


def is_id(ids: Any, length: int) -> Bools:
    """Which of the ids have that many bytes, not all zero."""
    valid = pc.and_(pc.equal(pc.binary_length(ids), length), pc.not_equal(ids, pa.scalar(bytes(length), pa.binary())))
    return to_bools(valid)


def _is_parent_id(ids: Any) -> Bools:
    length = pc.binary_length(ids)
    return to_bools(pc.or_(pc.equal(length, 0), pc.equal(length, 8)))
