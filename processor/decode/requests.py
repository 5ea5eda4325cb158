"""Requests to columns, whatever their signal: a whole poll in one call, and an outcome for each request.

Pure. A malformed request is refused as a whole, and the others are decoded without it. What is in a request, and what
of it is refused, is for the decoder of its signal to say (`otlp`, `logs`, `metrics`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from processor.decode.columns import Ints
from processor.decode.descriptor import request_parser
from processor.decode.verdicts import Rejections
from processor.errors import OtelSessionsError, Permanent
from processor.model import Receipt
from processor.signals import Signal

PARSE_BYTES_MAX = 1024 * 1024  # about 3 ms

T = TypeVar("T")


class Requests:
    """Holds the parser of a signal, which is costly to build; stateless otherwise."""

    def __init__(self, signal: Signal) -> None:
        self._parser: Any = request_parser(signal)
        self._signal = signal

    def parse(self, payloads: Sequence[bytes]) -> pa.RecordBatch:
        """One row a request. In small bites: buffers stay in the cache, and beside a thread that decodes others run.

        Errors: `ValueError` when one of them is malformed.
        """
        bites: list[list[bytes]] = [[]]
        size = 0
        for payload in payloads:
            if size + len(payload) > PARSE_BYTES_MAX and bites[-1]:
                bites.append([])
                size = 0
            bites[-1].append(payload)
            size += len(payload)
        return pa.concat_batches([self._parser.list_to_record_batch(bite) for bite in bites])

    def decode(self, payloads: Sequence[bytes], decode_all: Callable[[list[bytes]], T]) -> tuple[T, Ints]:
        """What `decode_all` makes of the well-formed requests, and which of the payloads these are.

        `decode_all` raises when any of its payloads is malformed; it is asked again without those.
        """
        try:
            return decode_all(list(payloads)), np.arange(len(payloads))
        except Exception:
            good = np.array([i for i, payload in enumerate(payloads) if _succeeds(decode_all, payload)], np.int64)
            return decode_all([payloads[i] for i in good]), good

    def outcomes(
        self, payloads: int, good: Ints, accepted: Ints, rejections: Rejections
    ) -> tuple[list[Receipt | OtelSessionsError], dict[str, int]]:
        """One outcome a payload, in order, and how many items were rejected, by reason.

        Shape: `accepted` has one count for each of `good`; `rejections` go by position in `good`.
        """
        outcomes: list[Receipt | OtelSessionsError] = [
            Permanent(f"malformed {self._signal.request}: not valid protobuf; nothing of it was stored")
            for _ in range(payloads)
        ]
        for row, record in enumerate(good):
            outcomes[record] = Receipt(int(accepted[row]))
        rejected: dict[str, int] = {}
        item = self._signal.item
        for row, reasons in rejections.items():
            message = "; ".join(f"{count} {item}{'s' if count > 1 else ''}: {why}" for why, count in reasons.items())
            outcomes[good[row]] = Receipt(int(accepted[row]), sum(reasons.values()), message)
            for why, count in reasons.items():
                rejected[why] = rejected.get(why, 0) + count
        return outcomes, rejected


def _succeeds(decode_all: Callable[[list[bytes]], object], payload: bytes) -> bool:
    try:
        decode_all([payload])
    except Exception:
        return False
    return True
