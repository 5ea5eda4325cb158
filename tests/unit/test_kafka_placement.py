"""Whatever a request looks like on the wire: placing its spans loses nothing, adds nothing and keeps to the limit."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.errors import Permanent
from processor.log.kafka.placement import Part, Parts, partition_of, pass_through, place

NO_LIMIT = 1 << 40
MERGED = 512  # most bytes that fields which stand twice lose when protobuf merges them


# --- Requests as bytes, field by field, so that they may also look as no library writes them. ---


def varint(number: int, padding: int = 0) -> bytes:
    """A varint, with so many bytes more than it needs."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    for _ in range(padding):
        encoded[-1] |= 0x80
        encoded.append(0)
    return bytes(encoded)


def field(number: int, content: bytes, padding: int = 0) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content), padding) + content


def scalar(number: int, value: int) -> bytes:
    """A varint field."""
    return varint(number << 3) + varint(value)


def text(number: int, length: int) -> bytes:
    """A string field of that length."""
    return field(number, b"x" * length)


TRACE_IDS = [bytes([n]) * 16 for n in range(1, 6)]
ODD_IDS = [b"", b"\x01", b"\x01" * 15, b"\x01" * 17, bytes(16)]
paddings = st.sampled_from([0, 0, 0, 1, 3])
unknown = st.sampled_from([b"", text(2000, 3), scalar(2001, 7), varint(2002 << 3 | 5) + b"1234", text(2003, 200)])


@st.composite
def spans(draw: Any) -> bytes:
    """One span: a trace id that is anywhere, missing, invalid or there twice, and some of its other fields."""
    chosen = draw(st.sampled_from(TRACE_IDS * 4 + ODD_IDS))
    fields = [field(1, chosen, draw(paddings)), field(2, draw(st.binary(min_size=8, max_size=8)))]
    fields += [text(5, draw(st.sampled_from([0, 5, 130, 400]))), draw(unknown)]
    if draw(st.integers(0, 9)) == 0:
        fields.append(field(1, draw(st.sampled_from(TRACE_IDS))))
    if draw(st.integers(0, 9)) == 0:
        del fields[0]
    if draw(st.integers(0, 4)) == 0:
        fields = draw(st.permutations(fields))
    return b"".join(fields)


@st.composite
def messages(draw: Any, parts: Any, header: list[bytes]) -> bytes:
    """A message with repeated field 2 and header fields anywhere between."""
    fields = [field(2, part, draw(paddings)) for part in draw(st.lists(parts, max_size=4))]
    for extra in (*header, draw(unknown)):
        fields.insert(draw(st.integers(0, len(fields))), extra)
    return b"".join(fields)


scopes = st.one_of(
    messages(spans(), [field(1, text(1, 4)), text(3, 6)]),
    messages(spans(), []),
    messages(spans(), [field(1, text(1, 150)), field(1, text(2, 3))]),  # merged: the scope is there twice
)
resources = st.one_of(
    messages(scopes, [field(1, scalar(2, 1)), text(3, 9)]),
    messages(scopes, []),
    messages(scopes, [field(1, scalar(2, 5)), field(1, scalar(2, 6))]),
)


@st.composite
def requests(draw: Any) -> bytes:
    """A valid request."""
    fields = [field(1, resource, draw(paddings)) for resource in draw(st.lists(resources, max_size=4))]
    fields.insert(draw(st.integers(0, len(fields))), draw(unknown))
    return b"".join(fields)


# --- What a request says, read with the official messages only. ---

Said = tuple[bytes, bytes, bytes, bytes]


def said(value: bytes) -> list[tuple[bytes, Said]]:
    """(trace id, (request's, resource's, scope's rest, span)) of each span, in order, unknown fields included."""
    request = ExportTraceServiceRequest.FromString(value)
    entries = []
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                around = (_without(request, "resource_spans"), _without(resource, "scope_spans"))
                entry = (*around, _without(scope, "spans"), span.SerializeToString(deterministic=True))
                entries.append((span.trace_id, entry))
    return entries


def _without(message: Any, name: str) -> bytes:
    rest = type(message)()
    rest.CopyFrom(message)
    rest.ClearField(name)
    return bytes(rest.SerializeToString(deterministic=True))


def said_by(parts: Parts) -> list[tuple[bytes, Said]]:
    """The same of all parts, in their order."""
    return [entry for part in parts.parts for entry in said(part.value)]


def by_trace(entries: list[tuple[bytes, Said]]) -> dict[bytes, list[Said]]:
    """In order, per trace."""
    traces: dict[bytes, list[Said]] = {}
    for trace_id, entry in entries:
        traces.setdefault(trace_id, []).append(entry)
    return traces


@given(requests(), st.sampled_from([1, 2, 3, 12, 100]))
def test_the_parts_say_what_the_request_says(value: bytes, partitions: int) -> None:
    """Every span is in one part, with its resource, its scope and what is unknown, in the order of its trace."""
    parts = place(value, partitions, NO_LIMIT)
    assert by_trace(said_by(parts)) == by_trace(said(value))
    assert parts.items == len(said(value))
    assert parts.oversize_items == 0


@given(requests(), st.sampled_from([1, 2, 3, 12]), st.integers(60, 2000))
def test_each_trace_lands_in_the_partition_of_its_id(value: bytes, partitions: int, bytes_max: int) -> None:
    """Spans of a trace meet, whatever the limit, and there is at most one part a partition without one."""
    for part in place(value, partitions, bytes_max).parts:
        for trace_id, _ in said(part.value):
            assert partition_of(trace_id, partitions) == part.partition
    unlimited = [part.partition for part in place(value, partitions, NO_LIMIT).parts]
    assert len(set(unlimited)) == len(unlimited)


@given(requests(), st.sampled_from([0, 1, 3]), st.integers(20, 1500))
def test_no_part_is_over_the_limit_and_only_spans_that_can_not_fit_are_left_out(
    value: bytes, partitions: int, bytes_max: int
) -> None:
    """0 partitions stand for passing through."""
    parts = place(value, partitions, bytes_max) if partitions else pass_through(value, bytes_max)
    assert all(len(part.value) <= bytes_max for part in parts.parts)
    assert parts.items == len(said_by(parts))
    before, after = Counter(said(value)), Counter(said_by(parts))
    missing = before - after
    assert after <= before
    assert missing.total() == parts.oversize_items
    for _, (request, resource, scope, span) in missing:
        assert len(request) + len(resource) + len(scope) + len(span) + MERGED > bytes_max


def test_a_span_is_left_out_only_when_it_can_not_have_a_record_of_its_own() -> None:
    """A limit is met to within the length prefixes that might be needed."""
    small, large = field(1, TRACE_IDS[0]), field(1, TRACE_IDS[1]) + text(5, 1000)
    header = field(1, text(1, 50))
    value = field(1, field(2, header + field(2, small) + field(2, large) + field(2, small)))
    alone = len(field(1, field(2, header + field(2, large))))
    assert pass_through(value, alone + 8).oversize_items == 0
    left = pass_through(value, alone - 1)
    assert (left.items, left.oversize_items) == (2, 1)
    assert [trace_id for trace_id, _ in said_by(left)] == [TRACE_IDS[0]] * 2


@given(requests())
def test_a_request_that_is_passed_through_keeps_its_bytes(value: bytes) -> None:
    """Not a byte is touched; one without a span is no record."""
    expected = [Part(None, value)] if said(value) else []
    assert list(pass_through(value, NO_LIMIT).parts) == expected


@given(requests(), st.integers(0, 60))
def test_bytes_that_are_no_request_are_refused(value: bytes, cut: int) -> None:
    """Cut off in the middle, or garbage at the end: what the official parser refuses is refused, and nothing else."""
    for damaged in (value[:-cut] if cut else value, value + b"\x0a", value + b"\xff\xff"):
        try:
            expected = len(said(damaged))
        except Exception:
            for divide in (lambda data: place(data, 3, NO_LIMIT), lambda data: pass_through(data, NO_LIMIT)):
                with pytest.raises(Permanent):
                    divide(damaged)
        else:
            assert place(damaged, 3, NO_LIMIT).items == expected


def test_invalid_utf8_deep_inside_is_refused() -> None:
    """The client learns of it, and not the operator from the dead-letter topic."""
    span = field(1, TRACE_IDS[0]) + field(9, field(1, b"key") + field(2, field(1, b"\xff")))
    with pytest.raises(Permanent, match="ExportTraceServiceRequest"):
        place(field(1, field(2, field(2, span))), 3, NO_LIMIT)


def test_a_request_for_one_partition_is_not_copied() -> None:
    """Most small requests are one trace."""
    value = field(1, field(2, field(2, field(1, TRACE_IDS[0])) + field(2, field(1, TRACE_IDS[0]))))
    (part,) = place(value, 12, NO_LIMIT).parts
    assert part.value is value


@pytest.mark.parametrize("names", [(0, 0, 0), (4000, 0, 0), (0, 400_000, 0), (700_000, 700_000, 10)])
def test_a_large_request_is_cut_between_resources_first(names: tuple[int, ...]) -> None:
    """Resources that fit beside each other share a record, one that does not begins the next."""
    span = field(1, TRACE_IDS[0])
    value = b"".join(field(1, field(2, field(2, span + text(5, size)))) for size in names)
    parts = pass_through(value, 1_000_000).parts
    assert len(parts) == (1 if len(value) <= 1_000_000 else 2)
    assert [entry for part in parts for entry in said(part.value)] == said(value)


@pytest.mark.parametrize(
    ("trace_id", "partitions", "partition"),
    [(bytes(16), 12, 1), (bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736"), 12, 9), (b"", 7, 0)],
)
def test_the_rule_of_placement_never_changes(trace_id: bytes, partitions: int, partition: int) -> None:
    """Receivers of two versions run side by side; another rule needs another name in the header."""
    assert partition_of(trace_id, partitions) == partition
