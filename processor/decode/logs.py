"""OTLP log requests to columns: one row a log record, a whole poll in one call.

Pure: bytes in, columns and verdicts out, as `otlp` does for spans. A record with an absurd time is refused alone.

Source: opentelemetry-proto `logs.proto`: the time is `time_unix_nano`, or `observed_time_unix_nano` where that is 0 (as
the Python SDK sends it); a record with an invalid trace or span id counts as one without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.columns import Ints, hex_strings, list_owners
from processor.decode.requests import Requests
from processor.decode.values import Attributes, texts_of
from processor.decode.verdicts import Admission, Rejections, is_id, refuse_log_records
from processor.errors import OtelSessionsError
from processor.model import Receipt
from processor.signals import Signal


@dataclass(frozen=True, slots=True)
class DecodedLogs:
    """The admitted log records of a poll.

    Shape: `records` and the columns after it have one row a record, in the order of arrival; `record`, `resource` and
    `scope` are the row of each one's request, resource and scope. Times are Unix nanoseconds; ids are hex, '' for none.
    """

    records: pa.StructArray
    time: npt.NDArray[np.uint64]
    trace_id: pa.StringArray
    span_id: pa.StringArray
    body: pa.StringArray
    attributes: Attributes
    record: Ints
    resource: Ints
    scope: Ints
    resources: pa.StructArray  # fields of ResourceLogs
    resource_attributes: Attributes
    scopes: pa.StructArray  # fields of ScopeLogs

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a poll: its records, and one outcome a request, in order. `rejected` counts records by reason."""

    logs: DecodedLogs
    outcomes: list[Receipt | OtelSessionsError]
    rejected: dict[str, int]


class LogDecoder:
    """Holds the parser, which is costly to build; stateless otherwise."""

    def __init__(self, admission: Admission) -> None:
        self._requests = Requests(Signal.LOGS)
        self._admission = admission

    def decode(self, payloads: Sequence[bytes], now_ns: int) -> Decoded:
        """Decode serialized requests.

        Errors: none are raised; a malformed request's outcome is `Permanent`, and the others are decoded without it.
        """
        (decoded, rejections), good = self._requests.decode(payloads, lambda some: self._decode_all(some, now_ns))
        accepted = np.bincount(decoded.record, minlength=len(good))
        outcomes, rejected = self._requests.outcomes(len(payloads), good, accepted, rejections)
        return Decoded(replace(decoded, record=good[decoded.record]), outcomes, rejected)

    def _decode_all(self, payloads: list[bytes], now_ns: int) -> tuple[DecodedLogs, Rejections]:
        resource_lists = self._requests.parse(payloads).column(0)
        resource_record, _ = list_owners(resource_lists)
        resources = resource_lists.flatten()
        scope_resource, _ = list_owners(resources.field("scope_logs"))
        scopes = resources.field("scope_logs").flatten()
        scope, _ = list_owners(scopes.field("log_records"))
        records = scopes.field("log_records").flatten()
        record = resource_record[scope_resource][scope]
        keep, rejections = refuse_log_records(_times(records), record, self._admission, now_ns)
        if rejections:
            kept = np.flatnonzero(keep)
            records, scope, record = records.take(pa.array(kept)), scope[kept], record[kept]
        resource_field = pc.struct_field(resources, "resource")
        decoded = DecodedLogs(
            records=records,
            time=_times(records),
            trace_id=_ids(records.field("trace_id"), 16),
            span_id=_ids(records.field("span_id"), 8),
            body=texts_of(records.field("body")),
            attributes=Attributes.of(records.field("attributes")),
            record=record,
            resource=scope_resource[scope],
            scope=scope,
            resources=resources,
            resource_attributes=Attributes.of(pc.struct_field(resource_field, "attributes")),
            scopes=scopes,
        )
        return decoded, rejections


def _times(records: pa.StructArray) -> npt.NDArray[np.uint64]:
    said = records.field("time_unix_nano").to_numpy()
    times: npt.NDArray[np.uint64] = np.where(said > 0, said, records.field("observed_time_unix_nano").to_numpy())
    return times


def _ids(ids: pa.BinaryArray, length: int) -> pa.StringArray:
    valid = is_id(ids, length)
    text = hex_strings(ids)
    return text if valid.all() else pc.if_else(pa.array(valid), text, "")
