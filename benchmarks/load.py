"""The load of all benchmarks: 512-span requests, 15 attributes and about 850 B a span, 8 spans a trace.

Far cheaper to make than to process: some hundred templates are built once, and a request is a template whose ids,
times and session digits are overwritten in place. Ids come from a counter through a bijection, so that they look
random, as real ones do, and never repeat within a run.

Measures nothing itself. Not covered: compression, giant attributes, traces of thousands of spans.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from typing import Final

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.failure import BenchmarkError
from benchmarks.report import Figure
from benchmarks.spans import ATTRIBUTES, EXPORT_ORDER, SHAPE, SPANS_PER_TRACE
from benchmarks.templates import (
    SESSION_DIGITS,
    Numbers,
    SessionIdOn,
    Template,
    TraceGroup,
    build_template,
)

SPANS_PER_REQUEST: Final = 512
SESSION_PREFIX: Final = "session-"
PROBE_PREFIX: Final = "probe-"
_SPLIT_PARTS: Final = 4
_RESENT_FROM: Final = 64  # requests kept for being sent again
_SPREAD_NS: Final = 1_000_000_000  # starts of the traces of one request
_TURN_NS: Final = SHAPE[0].end_ms * 1_000_000
_CHECKED_AT_NS: Final = 1_790_000_000_000_000_000
_SCATTER: Final = 618_033_989  # no factor of ten: numbers stay distinct
_POWERS: Final = 10 ** np.arange(SESSION_DIGITS - 1, -1, -1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class LoadShape:
    """What the load looks like."""

    sessions: int = 10_000  # at a time
    first_session: int = 0  # sessions are numbered from here
    session_length: float = 0.0  # traces of a session, on average; 0 keeps to the first sessions for ever
    session_id_on: SessionIdOn = "mixed"  # "mixed": on every span of every other trace, else on the root only
    split_s: float = 0.0  # seconds between the parts of a trace; 0 sends whole traces
    resend_percent: float = 0.0  # of requests, sent again some requests later
    templates: int = 100
    seed: int = 1

    def described(self) -> dict[str, Figure]:
        """As input of a benchmark."""
        return {
            "spans_per_request": SPANS_PER_REQUEST,
            "spans_per_trace": SPANS_PER_TRACE,
            "attributes_per_span": ATTRIBUTES,
            **asdict(self),
        }


@dataclass(frozen=True, slots=True)
class Request:
    """One serialized `ExportTraceServiceRequest`. `resent`: the same bytes were handed out before."""

    payload: bytes
    spans: int
    resent: bool = False


class Load:
    """An endless supply of requests, and, for a split load, what is left to send of the traces begun."""

    def __init__(self, shape: LoadShape) -> None:
        assert shape.first_session + shape.sessions <= 10**SESSION_DIGITS
        self._shape = shape
        self._random = np.random.default_rng(shape.seed)
        self._numbered = np.uint64(shape.seed & 0xFFFFFF) << np.uint64(40)
        parts = _SPLIT_PARTS if shape.split_s else 1
        self._traces = SPANS_PER_REQUEST * parts // SPANS_PER_TRACE
        random = Random(7)  # what the spans say is the same in every run; their ids are not
        per_part = SPANS_PER_TRACE // parts
        slots = [EXPORT_ORDER[first : first + per_part] for first in range(0, SPANS_PER_TRACE, per_part)]
        self._templates = [
            [build_template(random, self._traces, part, shape.session_id_on, SESSION_PREFIX) for part in slots]
            for _ in range(max(1, shape.templates // parts))
        ]
        self._probe = build_template(random, 1, EXPORT_ORDER, "mixed", PROBE_PREFIX)
        self._made = 0
        self._begun = 0  # traces
        self._later: deque[tuple[int, Template, TraceGroup]] = deque()
        self._sent: deque[Request] = deque(maxlen=_RESENT_FROM)

    @property
    def span_bytes(self) -> float:
        """Average size of a span on the wire."""
        parts = [part for template in self._templates for part in template]
        return sum(len(part.buffer) for part in parts) / sum(len(part) for part in parts)

    def next(self, now_ns: int) -> Request:
        """The next request, of traces that end about now."""
        if self._shape.resend_percent and self._sent and self._random.random() * 100 < self._shape.resend_percent:
            return self._sent[int(self._random.integers(len(self._sent)))]
        if self._later and self._later[0][0] <= now_ns:
            _, template, group = self._later.popleft()
            return self._handed_out(template, group)
        first, *others = self._templates[self._made % len(self._templates)]
        self._made += 1
        group = self._group(self._traces, now_ns)
        for number, template in enumerate(others, 1):
            self._insert_later(now_ns + int(number * self._shape.split_s * 1e9), template, group)
        return self._handed_out(first, group)

    def remaining(self) -> Iterator[Request]:
        """What is still to be sent for all traces begun to be whole."""
        while self._later:
            _, template, group = self._later.popleft()
            yield self._handed_out(template, group)

    def probe(self, number: int, now_ns: int) -> tuple[str, Request]:
        """One trace in a session of its own, and that session's id."""
        group = self._group(1, now_ns, np.array([number], np.int64))
        request = Request(self._probe.patched(group), SPANS_PER_TRACE)
        return f"{PROBE_PREFIX}{number:0{SESSION_DIGITS}}", request

    def _handed_out(self, template: Template, group: TraceGroup) -> Request:
        request = Request(template.patched(group), len(template))
        if self._shape.resend_percent:
            self._sent.append(Request(request.payload, request.spans, resent=True))
        return request

    def _insert_later(self, due_ns: int, template: Template, group: TraceGroup) -> None:
        # Parts of one step are appended in order of time, steps interleave: keep the queue sorted from its end.
        at = len(self._later)
        while at and self._later[at - 1][0] > due_ns:
            at -= 1
        self._later.insert(at, (due_ns, template, group))

    def _group(self, traces: int, now_ns: int, sessions: npt.NDArray[np.int64] | None = None) -> TraceGroup:
        if sessions is None:
            sessions = self._chosen(traces)
        starts_ns = now_ns - _TURN_NS - self._random.integers(0, _SPREAD_NS, traces)
        high, low = self._fresh(traces), self._fresh(traces)
        return TraceGroup(
            trace_ids=np.stack([high, low], axis=1).view(np.uint8),
            span_ids=self._fresh(traces * SPANS_PER_TRACE).reshape(traces, SPANS_PER_TRACE),
            starts_ns=starts_ns.astype(np.uint64),
            session_digits=(sessions[:, None] // _POWERS % 10 + ord("0")).astype(np.uint8),
        )

    def _chosen(self, traces: int) -> npt.NDArray[np.int64]:
        """The sessions of some traces: any of a window, which moves on as sessions end."""
        first, each = self._shape.first_session, self._shape.session_length
        if not each:
            return self._random.integers(first, first + self._shape.sessions, traces)
        first += int(self._begun / each)
        self._begun += traces
        # Ids of sessions that run at the same time do not stand together.
        return self._random.integers(first, first + self._shape.sessions, traces) * _SCATTER % 10**SESSION_DIGITS

    def _fresh(self, count: int) -> Numbers:
        """Numbers that were never handed out before: splitmix64 of a counter, which is a bijection."""
        mixed = np.arange(1, count + 1, dtype=np.uint64) + self._numbered
        self._numbered += np.uint64(count)
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def check_load(shape: LoadShape, requests: int = 20) -> None:
    """Parse some requests with opentelemetry-proto and look at what a patch could get wrong.

    Errors: `BenchmarkError` when ids repeat, a parent is missing, or a session id is not where it belongs.
    """
    load = Load(shape)
    made = [load.next(_CHECKED_AT_NS + number * 250_000_000) for number in range(requests)]
    payloads = [request.payload for request in made if not request.resent]
    payloads += [request.payload for request in load.remaining() if not request.resent]
    spans = [
        span
        for payload in payloads
        for resource in ExportTraceServiceRequest.FromString(payload).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    ids = {span.span_id: span for span in spans}
    traces: dict[bytes, list[str]] = {}
    for span in spans:
        parent = ids.get(span.parent_span_id)
        if span.parent_span_id and (parent is None or parent.trace_id != span.trace_id):
            raise BenchmarkError(f"load: the parent of {span.span_id.hex()} is not in its trace")
        named = [entry.value.string_value for entry in span.attributes if entry.key == "session.id"]
        traces.setdefault(span.trace_id, []).extend(named)
        if not span.parent_span_id and not named:
            raise BenchmarkError(f"load: the root {span.span_id.hex()} names no session")
    if len(ids) != len(spans) or len(traces) * SPANS_PER_TRACE != len(spans):
        raise BenchmarkError("load: span or trace ids repeat")
    if any(len(set(named)) != 1 for named in traces.values()):
        raise BenchmarkError("load: a trace names two sessions")


def add_load_options(parser: argparse.ArgumentParser) -> None:
    """Options of `LoadShape`."""
    default = LoadShape()
    parser.add_argument("--sessions", type=int, default=default.sessions, help="sessions at a time")
    parser.add_argument(
        "--session-length",
        type=float,
        default=default.session_length,
        help="traces, on average, after which a session ends and another begins; 0 (default) keeps to the same ones",
    )
    parser.add_argument(
        "--session-id-on",
        choices=("every", "root", "mixed"),
        default=default.session_id_on,
        help="spans that carry the session id; mixed is one trace like this, the next like that (default)",
    )
    parser.add_argument(
        "--split",
        type=float,
        nargs="?",
        const=2.0,
        default=0.0,
        metavar="SECONDS",
        help="send each trace in four requests, so many seconds apart (2 if left out), children before the root",
    )
    parser.add_argument("--resend", type=float, default=0.0, metavar="PERCENT", help="requests that are sent twice")
    parser.add_argument("--templates", type=int, default=default.templates, help="different requests to patch")
    parser.add_argument("--seed", type=int, default=0, help="of ids and sessions; 0 takes one from the clock")


def load_shape(options: argparse.Namespace, now_ns: int, first_session: int = 0) -> LoadShape:
    """The shape that the options describe."""
    return LoadShape(
        sessions=options.sessions,
        first_session=first_session,
        session_length=options.session_length,
        session_id_on=options.session_id_on,
        split_s=options.split,
        resend_percent=options.resend,
        templates=options.templates,
        # Another run against a kept store must not send the same ids again.
        seed=options.seed or now_ns // 1_000_000_000,
    )
