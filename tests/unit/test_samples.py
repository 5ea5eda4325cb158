"""The product's reading of hand-written spans of 23 instrumentations, each with what it must come to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from processor.log.base import Record
from processor.model import NANOS_PER_SECOND, Strength
from processor.rollup.binding import bound_sessions
from processor.rollup.counting import counting
from processor.rollup.lineage import lineage
from processor.rollup.span_set import span_set
from processor.worker.batch import BatchMaker
from tests.strategies import NOW_NS, any_value

SAMPLES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "data" / "samples.json").read_text(encoding="utf-8")
)
BATCHES = BatchMaker()
START_NS = NOW_NS - 60 * NANOS_PER_SECOND


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_expected_value_is_reached(sample: str) -> None:
    """What a span says, what it inherits from its trace, and whether its usage counts."""
    spans = SAMPLES[sample]
    request = ExportTraceServiceRequest()
    for place, span in enumerate(spans):
        _add(request, span, place)
    rows = BATCHES.make([Record("t", request.SerializeToString())], NOW_NS).narrow
    found = {row["span_id"]: row for row in _judged(rows)}
    for span in spans:
        row = found.get(span["span_id"])
        if row is None:  # a placeholder that takes no part
            assert not span["expected"]["counts_usage"], span["span_name"]
            continue
        for name, value in span["expected"].items():
            assert _shown(row, name) == _wanted(value, name), f"{span['span_name']}: {name}"


def _judged(rows: pl.DataFrame) -> list[dict[str, Any]]:
    spans = span_set(rows).spans
    shape = lineage(spans)
    return spans.with_columns(
        counts_usage=pl.Series(counting(spans, shape).usage), session_id_trace=bound_sessions(spans, shape)
    ).to_dicts()


def _shown(row: dict[str, Any], name: str) -> Any:
    """A column of a row in the terms of the samples."""
    if name == "session_id":
        return row["session_id"] if row["session_strength"] > Strength.DERIVED else ""  # that id is the trace's
    if name in ("tags", "metadata"):
        return json.loads(row[name] or ("[]" if name == "tags" else "{}"))
    return row[_COLUMNS.get(name, name)]


_COLUMNS = {"span_kind": "kind", "cost": "cost_nano_usd", "ttft_seconds": "ttft_ns"}


def _wanted(value: Any, name: str) -> Any:
    if value is None:
        return 0 if name.endswith("_tokens") else ""
    if name in ("cost", "ttft_seconds"):
        return int(np.rint(value * NANOS_PER_SECOND))
    return sorted(value) if name == "tags" else value


def _add(request: ExportTraceServiceRequest, sample: dict[str, Any], place: int) -> None:
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(_pairs(sample["resource"]))
    scope = resource.scope_spans.add()
    scope.scope.name = sample["scope"] or ""
    scope.spans.append(
        Span(
            trace_id=bytes.fromhex(sample["trace_id"]),
            span_id=bytes.fromhex(sample["span_id"]),
            parent_span_id=bytes.fromhex(sample["parent_span_id"] or ""),
            name=sample["span_name"],
            start_time_unix_nano=START_NS + place,
            end_time_unix_nano=START_NS + NANOS_PER_SECOND,
            status=Status(code=Status.StatusCode.Value(f"STATUS_CODE_{sample['status']}")),
            attributes=_pairs(sample["attributes"]),
        )
    )


def _pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]
