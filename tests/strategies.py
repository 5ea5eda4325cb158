"""Hypothesis strategies: sets of spans as emitters really send them, and worse; and the ways such a set can arrive.

    spans = data.draw(span_sets())              # what was sent, one entry a span, variants included
    plan = data.draw(deliveries(spans))         # the same set: any order, duplication, split, ticks and restarts
    truth = oracle.expected(requests_of(spans), NOW_NS)

Values are drawn from short lists and ids from tiny pools: small examples that collide often find more, and shrink
better, than free text. Numbers are bounded so that no sum over a set leaves 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processor.model import DEFAULT_TENANT
from tests.attribute_strategies import RESOURCES, SCOPES, Pairs, span_attributes

NOW_NS = 1_800_000_000 * 10**9
BASE_NS = NOW_NS - 3600 * 10**9
UNIT_NS = 1_000_000
DAY_NS = 86_400 * 10**9

# (tenant, trace) pairs of one set: alone, several of one tenant, and one trace id in two tenants.
TRACES = (
    (("acme", 1),),
    (("acme", 1), ("acme", 2)),
    (("acme", 1), ("acme", 2), ("acme", 3)),
    ((DEFAULT_TENANT, 1), ("acme", 1)),
    (("acme", 1), ("acme", 2), (DEFAULT_TENANT, 2), (DEFAULT_TENANT, 3)),
)


@dataclass(frozen=True)
class SentSpan:
    """A span with what its request says about it."""

    tenant: str
    resource: Pairs
    scope: str
    span: Span


class Action(Enum):
    """What happens to the processor between two requests."""

    TICK = "tick"
    SETTLE = "settle"
    RESTART = "restart"


@dataclass(frozen=True)
class Deliver:
    """One export request of one tenant."""

    tenant: str
    request: ExportTraceServiceRequest


Step = Deliver | Action

# --- Spans and traces ---

PARENTS = (*["previous"] * 6, *["any"] * 6, "none", "zeros", "missing", "knot")
DURATIONS = (1, 2, 5, 10, 0, -3)
NAMES = ("chat", "run", "claude_code.llm_request", "", "ünï ☃", "checkout.session", ".session")
EVENTS: tuple[tuple[tuple[str, Pairs], ...], ...] = (
    *[()] * 20,
    (("exception", ()),),
    (("gen_ai.choice", ()), ("exception", (("exception.type", "ValueError"),))),
    (("Exception", (("exception.message", "no exception"),)),),
    (("exception", (("exception.message", "first"),)), ("exception", (("exception.message", "last"),)), ("end", ())),
    (("exception", (("exception.message", "first"),)), ("exception", (("exception.type", " E "),))),
    (("exception", (("exception.message", "null"), ("exception.type", 7))),),
    (("exception", (("exception.message", "long ☃" * 100),)),),
)
STATUSES = (*[(0, "")] * 6, (1, ""), (1, "fine"), (2, ""), (2, "too long ☃" * 50), (2, "timeout"), (0, "unread"))

_shape = st.tuples(
    st.sampled_from(PARENTS),
    st.integers(0, 11),
    st.integers(0, 12),
    st.sampled_from(DURATIONS),
    st.sampled_from(NAMES),
    st.sampled_from(STATUSES),
    st.sampled_from(EVENTS),
    st.sampled_from(RESOURCES),
    st.sampled_from(SCOPES),
)
_twins = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(SCOPES), st.sampled_from((0, 1, 3, 9)), st.booleans()), max_size=2
)


@st.composite
def _traces(draw: st.DrawFn, tenant: str, number: int) -> list[SentSpan]:
    """The spans of one trace: usually a tree, at times a forest, an orphanage or a knot."""
    size = draw(st.sampled_from((1, 2, 3, 4, 2, 3, 5, 6, 8, 12)))
    step = draw(st.sampled_from((1, 5, 7)))  # so that span ids do not follow the order of the tree
    begin = draw(st.sampled_from((0, 3, 6, 20, 1000)))
    sent = []
    for index in range(size):
        parent, other, offset, duration, name, status, events, resource, scope = draw(_shape)
        start_ns = BASE_NS + (begin + offset) * UNIT_NS
        span = Span(
            trace_id=number.to_bytes(16, "big"),
            span_id=_span_id(index, step),
            name=name,
            start_time_unix_nano=start_ns,
            end_time_unix_nano=0 if duration == -3 and other == 0 else start_ns + duration * UNIT_NS,
            attributes=[_key_value(key, value) for key, value in _unique(draw(span_attributes))],
            events=[
                Span.Event(name=event, attributes=[_key_value(key, value) for key, value in said])
                for event, said in events
            ],
        )
        if parent == "zeros":
            span.parent_span_id = bytes(8)
        elif parent == "missing":
            span.parent_span_id = b"\xee" * 8
        elif parent == "knot":
            span.parent_span_id = _span_id(other % size, step)  # itself or a later one: a cycle
        elif parent != "none" and index > 0:
            span.parent_span_id = _span_id(index - 1 if parent == "previous" else other % index, step)
        span.status.code, span.status.message = status
        sent.append(SentSpan(tenant, resource, scope, span))
    for index, (other, scope, later, same_response) in enumerate(draw(_twins)):
        sent.append(_twin(sent[other % size], index, scope, later, same_response))
    return sent


def _twin(sent: SentSpan, index: int, scope: str, later: int, same_response: bool) -> SentSpan:
    """What a second instrumentation says of a span, beside it, some units later."""
    twin = _changed(sent, _set(span_id=(0x20 + index).to_bytes(8, "big")))
    twin.span.start_time_unix_nano += later * UNIT_NS
    twin.span.end_time_unix_nano += later * UNIT_NS
    if not same_response:
        _say("gen_ai.response.id", "of the twin")(twin.span)
    return SentSpan(twin.tenant, twin.resource, scope, twin.span)


def _unique(pairs: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    """OTLP forbids an attribute list to repeat a key, and leaves open what a receiver makes of one that does."""
    return dict(reversed(list(pairs))).items()


def _span_id(index: int, step: int) -> bytes:
    return ((index * step) % 13 + 1).to_bytes(8, "big")


def _key_value(key: str, value: Any) -> KeyValue:
    return KeyValue(key=key, value=any_value(value))


def any_value(value: Any) -> AnyValue:
    """A Python value as an attribute value; None is one that is not set."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    result = AnyValue()
    if isinstance(value, list):
        result.array_value.values.extend(any_value(item) for item in value)
        result.array_value.SetInParent()
    elif isinstance(value, dict):
        result.kvlist_value.values.extend(_key_value(key, item) for key, item in value.items())
        result.kvlist_value.SetInParent()
    return result


# --- Second versions of a span, and spans to refuse ---


def _say(key: str, value: Any) -> Callable[[Span], None]:
    """Set an attribute, instead of one of the same key."""

    def change(span: Span) -> None:
        rest = [pair for pair in span.attributes if pair.key != key]
        del span.attributes[:]
        span.attributes.extend([_key_value(key, value), *rest])

    return change


def _set(**fields: Any) -> Callable[[Span], None]:
    def change(span: Span) -> None:
        for name, value in fields.items():
            setattr(span, name, value)

    return change


def _later(span: Span) -> None:
    span.end_time_unix_nano += 4 * UNIT_NS


def _bare(span: Span) -> None:
    del span.attributes[:]


VARIATIONS: tuple[Callable[[Span], None], ...] = (
    _later,
    _bare,
    _say("session.id", "s2"),
    _say("gen_ai.conversation.id", "s3"),
    _say("gen_ai.usage.input_tokens", 1000),
    _say("error.type", "second"),
    _say("logfire.span_type", "pending_span"),
    _say("unread", "the narrow row stays the same"),
    _set(name="renamed", parent_span_id=b""),
    _set(end_time_unix_nano=0),
    _set(parent_span_id=(1).to_bytes(8, "big")),
)

BOUNDARIES: tuple[Callable[[Span], None], ...] = (
    _set(start_time_unix_nano=NOW_NS - 400 * DAY_NS),
    _set(start_time_unix_nano=NOW_NS + DAY_NS),
    _set(end_time_unix_nano=NOW_NS + DAY_NS),
)

REJECTED: tuple[Callable[[Span], None], ...] = (
    _set(trace_id=b""),
    _set(trace_id=bytes(16)),
    _set(trace_id=b"\x01" * 15),
    _set(span_id=b"\x01" * 9),
    _set(span_id=bytes(8)),
    _set(parent_span_id=b"\x01" * 3),
    _set(start_time_unix_nano=0),
    _set(start_time_unix_nano=NOW_NS - 400 * DAY_NS - 1),
    _set(start_time_unix_nano=NOW_NS + DAY_NS + 1),
    _set(end_time_unix_nano=NOW_NS + DAY_NS + 1),
    _set(end_time_unix_nano=2**64 - 1),
)

_changes = st.sampled_from(VARIATIONS * 4 + BOUNDARIES + REJECTED)


def _changed(sent: SentSpan, change: Callable[[Span], None]) -> SentSpan:
    span = Span()
    span.CopyFrom(sent.span)
    change(span)
    return SentSpan(sent.tenant, sent.resource, sent.scope, span)


@st.composite
def span_sets(draw: st.DrawFn) -> list[SentSpan]:
    """Up to four traces of two tenants, trace and session ids shared between them, some spans in several versions."""
    keys = draw(st.sampled_from(TRACES))
    sent = [span for tenant, number in keys for span in draw(_traces(tenant, number))]
    for index, change in draw(st.lists(st.tuples(st.integers(0, len(sent) - 1), _changes), max_size=3)):
        sent.append(_changed(sent[index], change))
    replaced = draw(
        st.lists(st.tuples(st.integers(0, len(sent) - 1), st.sampled_from(BOUNDARIES + REJECTED)), max_size=1)
    )
    for index, change in replaced:
        sent[index] = _changed(sent[index], change)
    return sent


# --- Deliveries ---

CHUNK_SIZES = (100, 1, 2, 3, 5, 8, 13)
BETWEEN: tuple[tuple[Action, ...], ...] = (
    (),
    (),
    (Action.TICK,),
    (Action.TICK,),
    (Action.RESTART,),
    (Action.SETTLE,),
    (Action.TICK, Action.RESTART),
    (Action.RESTART, Action.TICK),
    (Action.TICK, Action.TICK),
    (Action.SETTLE, Action.RESTART, Action.SETTLE),
)


@st.composite
def deliveries(draw: st.DrawFn, spans: Sequence[SentSpan]) -> list[Step]:
    """A way for the set to arrive: every span at least once. The plan ends anywhere: settle before comparing."""
    resent = draw(st.lists(st.integers(0, max(0, len(spans) - 1)), max_size=6)) if spans else []
    order = draw(st.permutations([*range(len(spans)), *resent]))
    steps: list[Step] = []
    begin = 0
    while begin < len(order):
        size, times, actions = draw(
            st.tuples(st.sampled_from(CHUNK_SIZES), st.sampled_from((1, 1, 1, 2)), st.sampled_from(BETWEEN))
        )
        chunk = [spans[index] for index in order[begin : begin + size]]
        begin += size
        steps += [Deliver(tenant, request) for tenant, request in requests_of(chunk)] * times
        steps += actions
    return steps


def requests_of(spans: Iterable[SentSpan]) -> list[tuple[str, ExportTraceServiceRequest]]:
    """The spans as they are, in one request a tenant: the oracle's input."""
    by_tenant: dict[str, list[SentSpan]] = {}
    for sent in spans:
        by_tenant.setdefault(sent.tenant, []).append(sent)
    return [(tenant, _request(sent)) for tenant, sent in by_tenant.items()]


def _request(spans: Sequence[SentSpan]) -> ExportTraceServiceRequest:
    """Neighbours of one origin share a `ScopeSpans`; an empty scope and an empty resource stand before each."""
    request = ExportTraceServiceRequest()
    origin: tuple[Pairs, str] | None = None
    for sent in spans:
        if (sent.resource, sent.scope) != origin:
            origin = (sent.resource, sent.scope)
            request.resource_spans.add()
            resource_spans = request.resource_spans.add()
            resource_spans.resource.attributes.extend(_key_value(key, value) for key, value in sent.resource)
            resource_spans.scope_spans.add()
            resource_spans.scope_spans.add().scope.name = sent.scope
        request.resource_spans[-1].scope_spans[-1].spans.append(sent.span)
    return request


def delivered(plan: Iterable[Step]) -> Iterator[tuple[str, ExportTraceServiceRequest]]:
    """The requests of a plan, in its order: another input for the oracle that must give the same rows."""
    return ((step.tenant, step.request) for step in plan if isinstance(step, Deliver))
