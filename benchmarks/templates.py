"""Requests built once with opentelemetry-proto, and where in their bytes lies what makes each copy a new request.

A trace is an agent's turn: an agent root, a planning step, three model calls, a tool with the HTTP request behind it,
a retrieval; every span has `ATTRIBUTES` attributes. Ids and times have a fixed width on the wire and the digits of the
session id are padded, so every copy of a template has the same offsets.

Must never be used with placeholders left in: `Template.patched` overwrites all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from benchmarks.spans import ATTRIBUTES, SHAPE, SPANS_PER_TRACE, Value, attributes_of, services_of

SESSION_DIGITS: Final = 8
SessionIdOn = Literal["every", "root", "mixed"]

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class TraceGroup:
    """What tells the traces of one request from those of every other. Shape: one row a trace."""

    trace_ids: Bytes  # (traces, 16)
    span_ids: Numbers  # (traces, SPANS_PER_TRACE)
    starts_ns: Numbers  # (traces,)
    session_digits: Bytes  # (traces, SESSION_DIGITS)


@dataclass(frozen=True, slots=True)
class Template:
    """One serialized request. Shape: one entry a span, unless said otherwise."""

    buffer: Bytes
    places: Rows  # offsets of all bytes to overwrite, in the order in which `patched` lists them
    trace: Rows
    slot: Rows  # place of the span in `SHAPE`
    child: Rows  # spans that have a parent
    parent_slot: Rows  # of those
    start_ns: Numbers  # since the start of its trace
    end_ns: Numbers
    naming: Rows  # spans that carry the session id

    def __len__(self) -> int:
        return len(self.trace)

    def patched(self, group: TraceGroup) -> bytes:
        """A new request with the ids, times and sessions of `group`."""
        starts_ns = group.starts_ns[self.trace]
        fresh = (
            group.trace_ids[self.trace],
            group.span_ids[self.trace, self.slot].view(np.uint8),
            group.span_ids[self.trace[self.child], self.parent_slot].view(np.uint8),
            (starts_ns + self.start_ns).view(np.uint8),
            (starts_ns + self.end_ns).view(np.uint8),
            group.session_digits[self.trace[self.naming]],
        )
        self.buffer[self.places] = np.concatenate([part.ravel() for part in fresh])
        return self.buffer.tobytes()


def build_template(
    random: Random, traces: int, slots: Sequence[int], session_id_on: SessionIdOn, session_prefix: str
) -> Template:
    """A request with the spans `slots` of each of `traces` traces, in this order, grouped by service."""
    by_service: dict[str, list[tuple[int, int]]] = {}
    for trace in range(traces):
        services = services_of(trace)
        for slot in slots:
            by_service.setdefault(services[slot], []).append((trace, slot))
    request = ExportTraceServiceRequest()
    rows: list[tuple[int, int]] = []
    marks: list[_Marks] = []
    for service, members in by_service.items():
        spans = request.resource_spans.add()
        _describe_resource(spans, service)
        scope = spans.scope_spans.add()
        scope.scope.name, scope.scope.version = "opentelemetry.instrumentation.agents", "1.4.2"
        for trace, slot in members:
            on_every = session_id_on == "every" or (session_id_on == "mixed" and trace % 2 == 0)
            names_session = slot == 0 or on_every
            marks.append(_add_span(scope.spans.add(), slot, random, session_prefix if names_session else ""))
            rows.append((trace, slot))
    return _located(request.SerializeToString(), rows, marks)


@dataclass(frozen=True, slots=True)
class _Marks:
    """Random placeholders of one span, in the order in which protobuf writes them; b'' where the span has none."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    start: bytes
    end: bytes
    session: bytes


def _describe_resource(spans: ResourceSpans, service: str) -> None:
    for key, text in (
        ("service.name", service),
        ("service.version", "2026.11.3"),
        ("deployment.environment.name", "production"),
        ("telemetry.sdk.language", "python"),
        ("telemetry.sdk.name", "opentelemetry"),
    ):
        spans.resource.attributes.append(KeyValue(key=key, value=AnyValue(string_value=text)))


def _add_span(span: Span, slot: int, random: Random, session_prefix: str) -> _Marks:
    shape = SHAPE[slot]
    digits = f"{random.randrange(10**SESSION_DIGITS):0{SESSION_DIGITS}}"
    marks = _Marks(
        trace_id=random.randbytes(16),
        span_id=random.randbytes(8),
        parent_id=b"" if shape.parent is None else random.randbytes(8),
        start=random.randbytes(8),
        end=random.randbytes(8),
        session=f"{session_prefix}{digits}".encode() if session_prefix else b"",
    )
    span.trace_id, span.span_id, span.parent_span_id = marks.trace_id, marks.span_id, marks.parent_id
    span.name, span.kind = shape.name, shape.kind
    span.start_time_unix_nano = int.from_bytes(marks.start, "little")
    span.end_time_unix_nano = int.from_bytes(marks.end, "little")
    attributes, failed = attributes_of(slot, random)
    if session_prefix:
        attributes["session.id"] = marks.session.decode()
    else:
        attributes["app.release.channel"] = "stable-2026-11"
    assert len(attributes) == ATTRIBUTES
    for key, plain in attributes.items():
        span.attributes.append(KeyValue(key=key, value=_any_value(plain)))
    if failed:
        span.status.code, span.status.message = Status.STATUS_CODE_ERROR, "upstream answered 503"
        event = span.events.add()
        event.name, event.time_unix_nano = "exception", 1_790_000_000_000_000_000
        event.attributes.append(KeyValue(key="exception.type", value=AnyValue(string_value="UpstreamError")))
    return marks


def _any_value(plain: Value) -> AnyValue:
    if isinstance(plain, bool):
        return AnyValue(bool_value=plain)
    if isinstance(plain, int):
        return AnyValue(int_value=plain)
    if isinstance(plain, float):
        return AnyValue(double_value=plain)
    if isinstance(plain, str):
        return AnyValue(string_value=plain)
    return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in plain]))


def _located(payload: bytes, rows: list[tuple[int, int]], marks: list[_Marks]) -> Template:
    """Find every placeholder. Spans and their fields lie in order, so each search begins where the last ended."""
    offsets: dict[str, list[int]] = {name: [] for name in _Marks.__slots__}
    at = 0
    for span in marks:
        for name in _Marks.__slots__:
            mark: bytes = getattr(span, name)
            if mark:
                found = payload.index(mark, at)
                at = found + len(mark)
                # Of the session id only the digits change.
                offsets[name].append(at - SESSION_DIGITS if name == "session" else found)
    widths = {"trace_id": 16, "session": SESSION_DIGITS}
    places = [
        (np.array(found, np.intp)[:, None] + np.arange(widths.get(name, 8))).ravel() for name, found in offsets.items()
    ]
    trace, slot = (np.array(column, np.intp) for column in zip(*rows, strict=True))
    child = np.array([row for row, (_, place) in enumerate(rows) if SHAPE[place].parent is not None], np.intp)
    parents = [SHAPE[place].parent for _, place in rows]
    return Template(
        buffer=np.frombuffer(payload, np.uint8).copy(),
        places=np.concatenate(places),
        trace=trace,
        slot=slot,
        child=child,
        parent_slot=np.array([parent for parent in parents if parent is not None], np.intp),
        start_ns=np.array([SHAPE[place].start_ms * 1_000_000 for _, place in rows], np.uint64),
        end_ns=np.array([SHAPE[place].end_ms * 1_000_000 for _, place in rows], np.uint64),
        naming=np.array([row for row, span in enumerate(marks) if span.session], np.intp),
    )


assert len(SHAPE) == SPANS_PER_TRACE
