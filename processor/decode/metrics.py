"""OTLP metrics requests to columns: one row a data point of the metrics that somebody wants, a whole poll in one call.

Pure: bytes in, columns out. Every well-formed request is accepted whole; points of other metrics, gauges and summaries,
and points of absurd times are passed over.

Source: opentelemetry-proto `metrics.proto`; of histograms the sum is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.columns import Ints, list_owners
from processor.decode.requests import Requests
from processor.decode.values import Attributes
from processor.decode.verdicts import Admission, refuse_log_records
from processor.errors import OtelSessionsError
from processor.model import Receipt
from processor.signals import Signal

DELTA: Final = 1
CUMULATIVE: Final = 2
"""OTLP `AggregationTemporality`."""

_ADDING_UP: Final = ("sum", "histogram", "exponential_histogram")
_KINDS: Final = (*_ADDING_UP, "gauge", "summary")
_KEY_VALUES: Final = "attributes"
_NUMBERS: Final = pa.float64()


@dataclass(frozen=True, slots=True)
class DecodedPoints:
    """Data points of counters and histograms.

    Shape: one entry a point; `record`, `resource` and `scope` are the row of its request, resource and scope. `value`
    is the count or the sum, NaN where there is none. Times are Unix nanoseconds.
    """

    metric: pa.StringArray
    value: npt.NDArray[np.float64]
    temporality: Ints
    start: Ints
    time: Ints
    attributes: Attributes
    record: Ints
    resource: Ints
    scope: Ints
    resource_attributes: Attributes
    resources: int
    scope_name: pa.StringArray

    def __len__(self) -> int:
        return len(self.metric)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a poll: the wanted points, and one outcome a request, in order."""

    points: DecodedPoints
    outcomes: list[Receipt | OtelSessionsError]


class MetricsDecoder:
    """Holds the parser, which is costly to build; stateless otherwise. `wanted` are names of metrics."""

    def __init__(self, admission: Admission, wanted: Iterable[str]) -> None:
        self._requests = Requests(Signal.METRICS)
        self._admission = admission
        self._wanted = pa.array(sorted(wanted))

    def decode(self, payloads: Sequence[bytes], now_ns: int) -> Decoded:
        """Decode serialized requests.

        Errors: none are raised; a malformed request's outcome is `Permanent`, and the others are decoded without it.
        """
        (decoded, accepted), good = self._requests.decode(payloads, lambda some: self._decode_all(some, now_ns))
        outcomes, _ = self._requests.outcomes(len(payloads), good, accepted, {})
        return Decoded(replace(decoded, record=good[decoded.record]), outcomes)

    def _decode_all(self, payloads: list[bytes], now_ns: int) -> tuple[DecodedPoints, Ints]:
        resource_lists = self._requests.parse(payloads).column(0)
        resource_record, _ = list_owners(resource_lists)
        resources = resource_lists.flatten()
        scope_resource, _ = list_owners(resources.field("scope_metrics"))
        scopes = resources.field("scope_metrics").flatten()
        scope, _ = list_owners(scopes.field("metrics"))
        metrics = scopes.field("metrics").flatten()
        record = resource_record[scope_resource][scope]
        accepted = np.bincount(record, _point_counts(metrics), minlength=len(payloads)).astype(np.int64)
        chosen = np.flatnonzero(pc.is_in(metrics.field("name"), self._wanted).to_numpy(zero_copy_only=False))
        metric, points = _points(metrics.take(pa.array(chosen)))
        keep, _ = refuse_log_records(points["time"], record[chosen][metric], self._admission, now_ns)
        kept = pa.array(np.flatnonzero(keep))
        of_metric = chosen[metric[keep]]
        resource_field = pc.struct_field(resources, "resource")
        names = pc.fill_null(pc.struct_field(scopes, ["scope", "name"]), "")
        decoded = DecodedPoints(
            metric=metrics.field("name").take(pa.array(of_metric)),
            value=points["value"][keep],
            temporality=points["temporality"][keep],
            start=points["start"][keep].astype(np.int64),
            time=points["time"][keep].astype(np.int64),
            attributes=Attributes.of(points["attributes"].take(kept)),
            record=record[of_metric],
            resource=scope_resource[scope[of_metric]],
            scope=scope[of_metric],
            resource_attributes=Attributes.of(pc.struct_field(resource_field, _KEY_VALUES)),
            resources=len(resources),
            scope_name=names.take(pa.array(scope[of_metric])),
        )
        return decoded, accepted


def _point_counts(metrics: pa.StructArray) -> Ints:
    counts = np.zeros(len(metrics), np.int64)
    for kind in _KINDS:
        lengths = pc.list_value_length(pc.struct_field(metrics, [kind, "data_points"]))
        counts += pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return counts


def _points(metrics: pa.StructArray) -> tuple[Ints, dict[str, Any]]:
    """The points of counters and histograms, and the metric that each belongs to."""
    owners: list[Ints] = []
    parts: dict[str, list[Any]] = {"value": [], "temporality": [], "start": [], "time": [], "attributes": []}
    for kind in _ADDING_UP:
        lists = pc.struct_field(metrics, [kind, "data_points"])
        owner, _ = list_owners(lists)
        points = lists.flatten()
        temporality = pc.fill_null(pc.struct_field(metrics, [kind, "aggregation_temporality"]), 0)
        owners.append(owner)
        parts["value"].append(_values(kind, points))
        parts["temporality"].append(temporality.to_numpy(zero_copy_only=False).astype(np.int64)[owner])
        parts["start"].append(points.field("start_time_unix_nano").to_numpy())
        parts["time"].append(points.field("time_unix_nano").to_numpy())
        parts["attributes"].append(points.field("attributes"))
    joined: dict[str, Any] = {name: np.concatenate(part) for name, part in parts.items() if name != "attributes"}
    joined["attributes"] = pa.concat_arrays(parts["attributes"])
    return np.concatenate(owners), joined


def _values(kind: str, points: pa.StructArray) -> npt.NDArray[np.float64]:
    if kind == "sum":
        value = pc.coalesce(points.field("as_double"), pc.cast(points.field("as_int"), _NUMBERS, safe=False))
    else:
        value = points.field("sum")
    found: npt.NDArray[np.float64] = pc.fill_null(value, float("nan")).to_numpy(zero_copy_only=False)
    return found
