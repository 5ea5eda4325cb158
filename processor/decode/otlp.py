"""OTLP trace requests to columns: one row a span, a whole poll in one call.

Pure: bytes in, columns and verdicts out. A malformed request is refused as a whole, a span with wrong ids or an absurd
time is refused alone, and everything else of its request is kept. Admission looks at the clock (`now_ns`) only here; no
stored value depends on it.

Source: opentelemetry-proto `trace.proto` (ids: 16 and 8 bytes, not all zero); OTLP.md; DESIGN, "Failure".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.columns import Ints, list_owners
from processor.decode.requests import Requests
from processor.decode.values import Attributes
from processor.decode.verdicts import Admission, Rejections, refuse_spans
from processor.errors import OtelSessionsError
from processor.model import Receipt
from processor.signals import Signal


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
        self._requests = Requests(Signal.TRACES)
        self._admission = admission

    def decode(self, payloads: Sequence[bytes], now_ns: int) -> Decoded:
        """Decode serialized requests.

        Errors: none are raised; a malformed request's outcome is `Permanent`, and the others are decoded without it.
        """
        (decoded, rejections), good = self._requests.decode(payloads, lambda some: self._decode_all(some, now_ns))
        accepted = np.bincount(decoded.record, minlength=len(good))
        outcomes, rejected = self._requests.outcomes(len(payloads), good, accepted, rejections)
        return Decoded(replace(decoded, record=good[decoded.record]), outcomes, rejected)

    def _decode_all(self, payloads: list[bytes], now_ns: int) -> tuple[DecodedSpans, Rejections]:
        resource_lists = self._requests.parse(payloads).column(0)
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
