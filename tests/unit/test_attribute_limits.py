"""Limits of attributes in stored rows: what is kept, how it is marked, what is counted."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.decode.attribute_limits import COUNT, LENGTH, AttributeLimits
from processor.log.base import Record
from processor.signals import Signal
from processor.worker.batch import Batch, BatchMaker

NOW_NS = 1_764_000_000_000_000_000


def put(owner: Any, **values: str | int) -> None:
    """Add attributes in this order."""
    for key, value in values.items():
        attribute = owner.attributes.add(key=key)
        if isinstance(value, int):
            attribute.value.int_value = value
        else:
            attribute.value.string_value = value


def request(**more: str | int) -> ExportTraceServiceRequest:
    """Two spans with attributes everywhere; the second has few of them."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    put(resource.resource, **{"service.name": "svc", "r": "x" * 30})
    scope = resource.scope_spans.add()
    put(scope.scope, s1="1", s2="2", s3="3")
    times = {"start_time_unix_nano": NOW_NS, "end_time_unix_nano": NOW_NS + 5}
    first = scope.spans.add(trace_id=b"t" * 16, span_id=b"1" * 8, dropped_attributes_count=4, **times)
    put(first, a="1", b="ä" * 12, c="3", **{"session.id": "my-session"}, **more)
    put(first.events.add(time_unix_nano=NOW_NS), e1="1", e2="2", e3="3")
    put(first.links.add(trace_id=b"u" * 16, span_id=b"2" * 8), l1="1", l2="2", l3="y" * 11)
    put(scope.spans.add(trace_id=b"t" * 16, span_id=b"3" * 8, **times), only="1")
    return message


def made(message: Any, limits: AttributeLimits, signal: Signal = Signal.TRACES) -> Batch:
    """A batch of one request."""
    record = Record("tenant", message.SerializeToString())
    return BatchMaker(limits=limits).make([record], NOW_NS, signal)


def test_no_limit_leaves_every_row_as_it_is() -> None:
    """Nothing is cut, counted or copied."""
    unlimited, high = made(request(), AttributeLimits()), made(request(), AttributeLimits(100, 1000))
    assert unlimited.wide.equals(high.wide)
    assert unlimited.limited == high.limited == {}


def test_the_first_attributes_are_kept_and_the_rest_is_counted() -> None:
    """Of spans, resources, scopes, events and links; the dropped count is what was dropped before and here."""
    batch = made(request(), AttributeLimits(attribute_count_limit=2))
    first, second = batch.wide.to_pylist()
    assert dict(first["SpanAttributes"]) == {"a": "1", "b": "ä" * 12}
    assert (first["DroppedAttributesCount"], second["DroppedAttributesCount"]) == (4 + 2, 0)
    assert dict(second["SpanAttributes"]) == {"only": "1"}
    assert (len(first["ScopeAttributes"]), first["ScopeDroppedAttributesCount"]) == (2, 1)
    assert (len(first["ResourceAttributes"]), first["ResourceDroppedAttributesCount"]) == (2, 0)
    assert ([len(each) for each in first["Events.Attributes"]], first["Events.DroppedAttributesCount"]) == ([2], [1])
    assert ([len(each) for each in first["Links.Attributes"]], first["Links.DroppedAttributesCount"]) == ([2], [1])
    assert second["Events.Attributes"] == []
    assert batch.limited == {COUNT: 2 + 1 + 1 + 1}


def test_long_values_end_in_a_mark() -> None:
    """Characters are counted, not bytes; what fits is untouched, numbers are texts as well."""
    batch = made(request(n=12345678901), AttributeLimits(attribute_value_length_limit=10))
    first = batch.wide.to_pylist()[0]
    assert dict(first["SpanAttributes"]) == {
        "a": "1",
        "b": "ä" * 10 + "…[cut, was 12 characters]",
        "c": "3",
        "session.id": "my-session",
        "n": "1234567890…[cut, was 11 characters]",
    }
    assert dict(first["ResourceAttributes"])["r"] == "x" * 10 + "…[cut, was 30 characters]"
    assert dict(first["Links.Attributes"][0])["l3"] == "y" * 10 + "…[cut, was 11 characters]"
    assert first["DroppedAttributesCount"] == 4
    assert batch.limited == {LENGTH: 4}


def test_sessions_are_made_of_what_was_sent() -> None:
    """The session id stands behind the limit, and is cut in the row: the session is found all the same."""
    limits = AttributeLimits(attribute_count_limit=1, attribute_value_length_limit=2)
    assert made(request(), limits).narrow.equals(made(request(), AttributeLimits()).narrow)
    assert made(request(), limits).narrow["session_id"].to_list()[0] == "my-session"


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_a_row_is_the_same_in_whatever_batch_it_comes(limit: int) -> None:
    """What is kept of a span depends on the span alone."""
    limits = AttributeLimits(limit, limit)
    alone = [made(request(z=text), limits).wide for text in ("a", "bcdefgh")]
    records = [Record("tenant", request(z=text).SerializeToString()) for text in ("a", "bcdefgh")]
    together = BatchMaker(limits=limits).make(records, NOW_NS).wide
    assert together.to_pylist() == [row for table in alone for row in table.to_pylist()]


def test_log_records_alike() -> None:
    """Attributes of a record; its body is no attribute."""
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=NOW_NS)
    record.body.string_value = "b" * 50
    put(record, a="x" * 9, b="2")
    batch = made(message, AttributeLimits(1, 4), Signal.LOGS)
    row = batch.wide.to_pylist()[0]
    assert dict(row["LogAttributes"]) == {"a": "xxxx…[cut, was 9 characters]"}
    assert (row["Body"], row["DroppedAttributesCount"]) == ("b" * 50, 1)
    assert batch.limited == {COUNT: 1, LENGTH: 1}
