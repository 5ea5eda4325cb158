"""OTLP trace requests to columns: one row a span, a whole poll in one call.

Pure: bytes in, columns and verdicts out. A malformed request is refused as a whole, a span with wrong ids or an absurd
time is refused alone, and everything else of its request is kept. Admission looks at the clock (`now_ns`) only here; no
stored value depends on it.

Source: opentelemetry-proto `trace.proto` (ids: 16 and 8 bytes, not all zero); OTLP.md; DESIGN, "Failure".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.columns import Ints, list_owners
from processor.decode.descriptor import trace_request_parser
from processor.decode.values import Attributes
from processor.decode.verdicts import Admission, refuse_spans
from processor.errors import OtelSessionsError, Permanent
from processor.model import Receipt

MALFORMED = "malformed ExportTraceServiceRequest"
PARSE_BYTES_MAX = 1024 * 1024  # about 3 ms


@dataclass(frozen=True, slots=True)
class DecodedSpans:
    """The admitted spans of a poll.

    Shape: `spans` has one row a span, in the order of arrival; `record`, `resource` and `scope` are the row of each
    span's request, resource and scope. Ids in `spans` are still bytes; times are Unix nanoseconds.
    """

    spans: pa.StructArray
    attributes: Attributes
    record: Ints
    resource: Ints
    scope: Ints
    resources: pa.StructArray  # fields of ResourceSpans
    resource_attributes: Attributes
    scopes: pa.StructArray  # fields of ScopeSpans

    def __len__(self) -> int:
        return len(self.spans)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a poll: its spans, and one outcome a request, in order. `rejected` counts spans by reason."""

    spans: DecodedSpans
    outcomes: list[Receipt | OtelSessionsError]
    rejected: dict[str, int]


class Decoder:
    """Holds the parser, which is costly to build; stateless otherwise."""

    def __init__(self, admission: Admission) -> None:
        self._parser: Any = trace_request_parser()
        self._admission = admission

    def decode(self, payloads: Sequence[bytes], now_ns: int) -> Decoded:
        """Decode serialized requests.

        Errors: none are raised; a malformed request's outcome is `Permanent`, and the others are decoded without it.
        """
        try:
            decoded, rejections = self._decode_all(list(payloads), now_ns)
            malformed: set[int] = set()
        except Exception:
            malformed = {i for i, payload in enumerate(payloads) if not self._is_well_formed(payload, now_ns)}
            good = [payload for i, payload in enumerate(payloads) if i not in malformed]
            decoded, rejections = self._decode_all(good, now_ns)
        good_records = np.array([i for i in range(len(payloads)) if i not in malformed], np.int64)
        accepted = np.bincount(decoded.record, minlength=len(good_records))
        outcomes: list[Receipt | OtelSessionsError] = [
            Permanent(f"{MALFORMED}: not valid protobuf; nothing of it was stored") for _ in payloads
        ]
        for row, record in enumerate(good_records):
            outcomes[record] = Receipt(int(accepted[row]))
        rejected: dict[str, int] = {}
        for row, reasons in rejections.items():
            message = "; ".join(f"{count} {'spans' if count > 1 else 'span'}: {why}" for why, count in reasons.items())
            outcomes[good_records[row]] = Receipt(int(accepted[row]), sum(reasons.values()), message)
            for why, count in reasons.items():
                rejected[why] = rejected.get(why, 0) + count
        decoded = replace(decoded, record=good_records[decoded.record])
        return Decoded(decoded, outcomes, rejected)

    def _is_well_formed(self, payload: bytes, now_ns: int) -> bool:
        try:
            self._decode_all([payload], now_ns)
        except Exception:
            return False
        return True

    def _parse(self, payloads: list[bytes]) -> pa.RecordBatch:
        """One row a request. In small bites: buffers stay in the cache, and beside a thread that decodes others run."""
        bites: list[list[bytes]] = [[]]
        size = 0
        for payload in payloads:
            if size + len(payload) > PARSE_BYTES_MAX and bites[-1]:
                bites.append([])
                size = 0
            bites[-1].append(payload)
            size += len(payload)
        return pa.concat_batches([self._parser.list_to_record_batch(bite) for bite in bites])

    def _decode_all(self, payloads: list[bytes], now_ns: int) -> tuple[DecodedSpans, dict[int, dict[str, int]]]:
        resource_lists = self._parse(payloads).column(0)
        resource_record, _ = list_owners(resource_lists)
        resources = resource_lists.flatten()
        scope_resource, _ = list_owners(resources.field("scope_spans"))
        scopes = resources.field("scope_spans").flatten()
        scope, _ = list_owners(scopes.field("spans"))
        spans = scopes.field("spans").flatten()
        record = resource_record[scope_resource][scope]
        keep, rejections = refuse_spans(spans, record, self._admission, now_ns)
        if rejections:
            kept = np.flatnonzero(keep)
            spans, scope, record = spans.take(pa.array(kept)), scope[kept], record[kept]
        resource_field = pc.struct_field(resources, "resource")
        decoded = DecodedSpans(
            spans=spans,
            attributes=Attributes.of(spans.field("attributes")),
            record=record,
            resource=scope_resource[scope],
            scope=scope,
            resources=resources,
            resource_attributes=Attributes.of(pc.struct_field(resource_field, "attributes")),
            scopes=scopes,
        )
        return decoded, rejections
