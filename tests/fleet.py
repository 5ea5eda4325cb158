"""What a few agents sent in the last days, small enough to add up by hand: the data behind documented queries.

Five sessions of three users, and a trace without any, by day and time of day in UTC:

| session | when | user, environment | model calls: in (of it cached), out, US dollars, seconds to the first token |
|---|---|---|---|
| trip-lisbon | 2 days ago, 10:00, 81 s | ada, production | gpt-5 1000 (400), 100, 0.004, 0.5 |
| | | | claude-sonnet-4-5 2000, 200, 0.009, 1.0 |
| refund-1042 | yesterday, 09:00, 12 s | grace, production | gpt-5 800 (600), 50, 0.002, 0.75 |
| nightly-report | 3 days ago, 02:00, 600 s | nobody, staging | acme-large-7 5000, 500, no price |
| old-import | 10 days ago, 08:00, 60 s | ada, production | gpt-5 10000, 1000, 1.0, 2.0 |
| chat-now | 10 minutes ago, 5 s | bob, production | gpt-5 100, 10, 0.0005, 0.25 |

One of two tools of trip-lisbon fails, and the one of refund-1042. trip-lisbon has the tags beta and travel;
refund-1042 and chat-now name a thread each, and the customer acme.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from processor.model import DEFAULT_TENANT
from processor.signals import Signal
from processor.store.clickhouse import ClickHouseStore
from tests.pipeline import Pipeline
from tests.strategies import any_value

S: Final = 1_000_000_000
MINUTE: Final = 60 * S
DAY: Final = 86_400 * S
GPT: Final = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5"}
CLAUDE: Final = {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5"}
ACME: Final = {"gen_ai.provider.name": "acme", "gen_ai.request.model": "acme-large-7"}
OK, FAILED = Status(code=Status.STATUS_CODE_OK), Status.STATUS_CODE_ERROR

Sent = tuple[Signal, bytes]


def trace_id(number: int) -> str:
    """The id of the n-th trace, as the tables have it."""
    return f"{number:02x}" * 16


@dataclass(frozen=True, slots=True)
class Fleet:
    """All of it, as seen at one moment."""

    now_ns: int

    def at(self, days_ago: int, hour: int, minute: int = 0) -> int:
        """A time of day, so many days ago, in Unix nanoseconds."""
        return self.now_ns - self.now_ns % DAY - days_ago * DAY + (hour * 60 + minute) * MINUTE

    @property
    def just_now(self) -> int:
        """When the last session began: a whole second."""
        return self.now_ns // S * S - 10 * MINUTE

    def sent(self) -> Iterator[Sent]:
        """Requests, one a trace, some of them twice."""
        once = [*self._traces(), *self._logs()]
        yield from once
        yield from once[:2]

    def play(self, store: ClickHouseStore) -> None:
        """Into a store, rolled up."""
        pipeline = Pipeline(store, now_ns=self.now_ns)
        for signal, payload in self.sent():
            pipeline.deliver(DEFAULT_TENANT, payload, signal)
        pipeline.settle()

    def _traces(self) -> Iterator[Sent]:
        lisbon = {"session.id": "trip-lisbon", "user.id": "ada", "tag.tags": ["travel", "beta"]}
        start = self.at(2, 10)
        yield _Trace(1, "travel-bot", "production", start, 30, lisbon).sent(
            _call(GPT, 1, 3, 1000, 100, usd=0.004, ttft_s=0.5, cached=400), _tool("search_flights", 4, 5)
        )
        yield _Trace(2, "travel-bot", "production", start + MINUTE, 21, lisbon).sent(
            _call(CLAUDE, 1, 5, 2000, 200, usd=0.009, ttft_s=1.0), _tool("book", 6, 9, failed="seat taken")
        )
        refund = {"session.id": "refund-1042", "user.id": "grace", "gen_ai.conversation.id": "t-refunds"}
        refund |= {"metadata.customer": "acme"}
        yield _Trace(3, "support-bot", "production", self.at(1, 9), 12, refund, failed="refund denied").sent(
            _call(GPT, 1, 4, 800, 50, usd=0.002, ttft_s=0.75, cached=600), _tool("refund", 5, 6, failed="card expired")
        )
        yield _Trace(4, "report-bot", "staging", self.at(3, 2), 600, {"session.id": "nightly-report"}).sent(
            _call(ACME, 1, 31, 5000, 500)
        )
        old = {"session.id": "old-import", "user.id": "ada"}
        yield _Trace(5, "travel-bot", "production", self.at(10, 8), 60, old).sent(
            _call(GPT, 1, 6, 10_000, 1000, usd=1.0, ttft_s=2.0)
        )
        chat = {"session.id": "chat-now", "user.id": "bob", "gen_ai.conversation.id": "t-now"}
        chat |= {"metadata.customer": "acme"}
        yield _Trace(6, "support-bot", "production", self.just_now, 5, chat).sent(
            _call(GPT, 1, 2, 100, 10, usd=0.0005, ttft_s=0.25)
        )
        yield _Trace(7, "cron", "production", self.at(1, 11), 1, {}).sent()

    def _logs(self) -> Iterator[Sent]:
        lisbon, now = self.at(2, 10), self.just_now
        yield _log("travel-bot", lisbon + 2 * S, 9, "INFO", "GET http://flights", trace=1)
        yield _log("travel-bot", lisbon + 70 * S, 13, "WARN", "seat map is old", **{"session.id": "trip-lisbon"})
        yield _log("support-bot", self.at(1, 9) + 6 * S, 17, "ERROR", "card expired", trace=3)
        yield _log("support-bot", now + S, 9, "INFO", "GET http://orders", trace=6, container_name="/support-1")
        yield _log("cron", now + 2 * S, 17, "ERROR", '{"job": "clean", "bytes": 2048}')


def moment(ns: int) -> datetime:
    """As a driver gives a DateTime in UTC, to the second."""
    return datetime.fromtimestamp(ns // S, UTC)


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    start_s: int
    end_s: int
    kind: Span.SpanKind.ValueType
    attributes: Mapping[str, Any]
    failed: str = ""


def _call(
    model: Mapping[str, Any],
    start_s: int,
    end_s: int,
    tokens_in: int,
    tokens_out: int,
    *,
    usd: float | None = None,
    ttft_s: float | None = None,
    cached: int | None = None,
) -> _Step:
    attributes = {
        **model,
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": tokens_in,
        "gen_ai.usage.output_tokens": tokens_out,
        "gen_ai.usage.cost": usd,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.response.time_to_first_chunk": ttft_s,
    }
    stated = {key: value for key, value in attributes.items() if value is not None}
    return _Step(f"chat {model['gen_ai.request.model']}", start_s, end_s, Span.SPAN_KIND_CLIENT, stated)


def _tool(name: str, start_s: int, end_s: int, *, failed: str = "") -> _Step:
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    return _Step(f"execute_tool {name}", start_s, end_s, Span.SPAN_KIND_INTERNAL, attributes, failed)


@dataclass(frozen=True, slots=True)
class _Trace:
    number: int
    service: str
    environment: str
    start_ns: int
    seconds: int
    attributes: Mapping[str, Any]
    failed: str = ""

    def sent(self, *steps: _Step) -> Sent:
        """The trace with its root as span 1 and each step below it."""
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.extend(
            _pairs({"service.name": self.service, "deployment.environment.name": self.environment})
        )
        spans = resource.scope_spans.add().spans
        operation = {"gen_ai.operation.name": "invoke_agent"} if self.attributes else {}
        name = f"invoke_agent {self.service}" if self.attributes else "clean up"
        root = _Step(name, 0, self.seconds, Span.SPAN_KIND_SERVER, {**self.attributes, **operation}, self.failed)
        for number, step in enumerate((root, *steps), start=1):
            spans.add(
                trace_id=bytes.fromhex(trace_id(self.number)),
                span_id=_span_id(self.number, number),
                parent_span_id=b"" if step is root else _span_id(self.number, 1),
                name=step.name,
                kind=step.kind,
                start_time_unix_nano=self.start_ns + step.start_s * S,
                end_time_unix_nano=self.start_ns + step.end_s * S,
                attributes=_pairs(step.attributes),
                status=Status(code=FAILED, message=step.failed) if step.failed else OK,
            )
        return Signal.TRACES, request.SerializeToString()


def _log(service: str, time_ns: int, number: int, severity: str, body: str, trace: int = 0, **attributes: str) -> Sent:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(_pairs({"service.name": service}))
    resource.scope_logs.add().log_records.add(
        time_unix_nano=time_ns,
        trace_id=bytes.fromhex(trace_id(trace)) if trace else b"",
        span_id=_span_id(trace, 1) if trace else b"",
        severity_number=number,  # type: ignore[arg-type]
        severity_text=severity,
        body=any_value(body),
        attributes=_pairs(attributes),
    )
    return Signal.LOGS, request.SerializeToString()


def _span_id(trace: int, number: int) -> bytes:
    return bytes([trace] * 7 + [number])


def _pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]
