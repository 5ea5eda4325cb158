"""The outline of a request holds every byte of it, spans unread."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from processor.decode.outline import TAGS, header_of, outline_of
from processor.errors import Permanent

UNKNOWN = b"\xa2\x06\x03new"  # field 100, of a later version


def request() -> ExportTraceServiceRequest:
    """Two resources with two scopes of three spans each, and schema URLs."""
    value = ExportTraceServiceRequest()
    for resource_number in range(2):
        resource = value.resource_spans.add(schema_url=f"resource {resource_number}")
        resource.resource.attributes.add(key="service.name").value.string_value = "tests"
        for scope_number in range(2):
            scope = resource.scope_spans.add(schema_url=f"scope {scope_number}")
            scope.scope.name = "outline"
            for span_number in range(3):
                scope.spans.add(span_id=bytes([span_number]) * 8, name="span")
    return value


def test_spans_are_the_bytes_of_the_official_messages() -> None:
    """In their order, under their resource and scope."""
    value = request()
    outline = outline_of(value.SerializeToString())
    found = [[list(scope.items) for scope in resource.scopes] for resource in outline.resources]
    assert found == [
        [[span.SerializeToString() for span in scope.spans] for scope in resource.scope_spans]
        for resource in value.resource_spans
    ]


def test_a_header_is_all_but_the_parts_and_takes_them_back() -> None:
    """Resource, scope, schema URLs and what is unknown; tag, length and part behind it make the message whole."""
    value = request()
    outline = outline_of(value.SerializeToString() + UNKNOWN)
    resource = outline.resources[1]
    scope = resource.scopes[1]
    (span, *_) = scope.items
    scope_bytes = header_of(scope, "items") + TAGS["items"] + bytes([len(span)]) + span
    expected = ScopeSpans()
    expected.CopyFrom(value.resource_spans[1].scope_spans[1])
    del expected.spans[1:]
    assert ScopeSpans.FromString(scope_bytes) == expected
    header = header_of(resource, "scopes")
    without_scopes = ResourceSpans.FromString(header)
    assert (without_scopes.resource, without_scopes.schema_url) == (value.resource_spans[1].resource, "resource 1")
    assert not without_scopes.scope_spans
    assert header_of(outline, "resources") == UNKNOWN


@pytest.mark.parametrize("value", [b"garbage", b"\x0a\x05\x12", b"\x0a\x03\x12\x01\xff"])
def test_what_is_no_request_is_refused(value: bytes) -> None:
    """As far as it shows outside of the spans."""
    with pytest.raises(Permanent, match="export request"):
        outline_of(value)


def test_what_is_wrong_inside_of_a_span_is_not_noticed() -> None:
    """Whoever needs a valid request asks the official messages."""
    (resource,) = outline_of(b"\x0a\x06\x12\x04\x12\x02\xff\xff").resources
    assert list(resource.scopes[0].items) == [b"\xff\xff"]
