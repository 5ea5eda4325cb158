"""The sample conversations, as data: who says what, which process exports it in which order, and the right totals.

Every `Send` is one flush of one exporter process; the next begins when it is acknowledged. So the order below is the
order in which spans arrive, and it is unkind on purpose: children before their root, a trace from three processes, the
session id only on the root or later still. The totals are written by hand, never computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

# The exporter processes; the name of each service says what it plays.
GRPC: Final = "assistant"  # opentelemetry-sdk, OTLP/gRPC
GRPC_GZIP: Final = "planner"  # opentelemetry-sdk, OTLP/gRPC with gzip
HTTP: Final = "tools"  # opentelemetry-sdk, OTLP/HTTP with protobuf
JSON: Final = "web"  # no SDK: posts OTLP/JSON


@dataclass(frozen=True, slots=True)
class Span:
    """A span. `id` and `parent` are names inside the trace; times are seconds since the conversation began."""

    id: str
    parent: str
    name: str
    start_s: float
    end_s: float
    attributes: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """Spans of one trace that one exporter process sends together."""

    exporter: str
    trace: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class UntilRolledUp:
    """Nothing more is sent until what was sent is rolled up."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the session must say. `cost` is in dollars, as a decimal."""

    name: str
    user: str
    traces: int
    spans: int
    llm_calls: int
    tool_calls: int
    errors: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost: str
    seconds: float  # from the first start to the last end


@dataclass(frozen=True, slots=True)
class Conversation:
    """One session, or spans that belong to none (`session` is empty and there are no totals)."""

    session: str
    about: str
    minutes_ago: int
    steps: tuple[Send | UntilRolledUp, ...]
    totals: Totals | None = None


def send(exporter: str, trace: str, *spans: Span) -> Send:
    """One flush."""
    return Send(exporter, trace, spans)


def agent(id: str, start_s: float, end_s: float, name: str, parent: str = "", **attributes: Any) -> Span:
    """An agent's turn; `session`, `user`, `title` and `thread` become the attributes that name them."""
    keys = {"session": "session.id", "user": "user.id", "title": "gen_ai.conversation.name", "thread": "thread_id"}
    return Span(
        id,
        parent,
        f"invoke_agent {name}",
        start_s,
        end_s,
        {"gen_ai.operation.name": "invoke_agent", **{keys[key]: value for key, value in attributes.items()}},
    )


def call(id: str, parent: str, start_s: float, end_s: float, model: str, tokens: tuple[int, int], usd: float) -> Span:
    """A model call with its input and output tokens and its cost."""
    usage = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": model,
        "gen_ai.provider.name": "anthropic" if model.startswith("claude") else "openai",
        "gen_ai.usage.input_tokens": tokens[0],
        "gen_ai.usage.output_tokens": tokens[1],
        "gen_ai.usage.cost": usd,
    }
    return Span(id, parent, f"chat {model}", start_s, end_s, usage)


def tool(id: str, parent: str, start_s: float, end_s: float, name: str, error: str = "") -> Span:
    """A tool call."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    return Span(id, parent, f"execute_tool {name}", start_s, end_s, attributes, error)


CONVERSATIONS: Final = (
    Conversation(
        "refund-1042",
        "one trace from three processes; the session id is on the root alone, and the root comes last",
        minutes_ago=42,
        steps=(
            send(HTTP, "turn", tool("lookup", "root", 3.0, 3.4, "lookup_order"), tool("pay", "root", 5, 6, "refund")),
            send(GRPC_GZIP, "turn", call("plan", "root", 0.5, 2.5, "gpt-5", (820, 95), 0.001975)),
            send(GRPC, "turn", call("reply", "root", 7, 9, "gpt-5", (1260, 180), 0.003375)),
            send(
                GRPC,
                "turn",
                agent(
                    "root",
                    0,
                    12.5,
                    "support",
                    session="refund-1042",
                    user="ada",
                    title="Refund for order 1042",
                    thread="support-desk",
                ),
            ),
        ),
        totals=Totals("Refund for order 1042", "ada", 1, 5, 2, 2, 0, 2080, 275, 2355, "0.005350", 12.5),
    ),
    Conversation(
        "trip-lisbon",
        "three traces with pauses between them, each by another exporter, two models",
        minutes_ago=35,
        steps=(
            send(GRPC, "1", call("c", "root", 1, 4, "claude-sonnet-4-5", (1500, 400), 0.0105)),
            send(GRPC, "1", agent("root", 0, 5, "travel", session="trip-lisbon", user="grace", title="Trip to Lisbon")),
            send(
                HTTP,
                "2",
                agent("root", 60, 70, "travel", session="trip-lisbon", user="grace"),
                tool("flights", "root", 61, 63, "search_flights"),
                call("c", "root", 64, 69, "claude-sonnet-4-5", (2100, 350), 0.01155),
            ),
            send(JSON, "3", call("c", "root", 121, 123, "gpt-5-mini", (900, 60), 0.000345)),
            send(JSON, "3", agent("root", 120, 124, "travel", session="trip-lisbon", user="grace")),
        ),
        totals=Totals("Trip to Lisbon", "grace", 3, 7, 3, 1, 0, 4500, 810, 5310, "0.022395", 124.0),
    ),
    Conversation(
        "nightly-report",
        "the session id comes on a later span, when everything else is rolled up already",
        minutes_ago=30,
        steps=(
            send(
                GRPC_GZIP,
                "job",
                call("draft", "root", 2, 12, "gpt-5", (5200, 1900), 0.0255),
                tool("sql", "root", 13, 15, "run_sql"),
                agent("root", 0, 20, "reporter"),
            ),
            UntilRolledUp(),
            send(HTTP, "job", agent("sign", 21, 22, "publisher", "root", session="nightly-report", user="ada")),
        ),
        totals=Totals("invoke_agent reporter", "ada", 1, 4, 1, 1, 0, 5200, 1900, 7100, "0.025500", 22.0),
    ),
    Conversation(
        "bug-triage",
        "a framework's wrapper span repeats the tokens and the cost of the call below it: counted once",
        minutes_ago=20,
        steps=(
            send(JSON, "turn", call("call", "wrapper", 1.5, 3.5, "gpt-5-mini", (640, 210), 0.00058)),
            send(
                JSON,
                "turn",
                Span(
                    "wrapper",
                    "root",
                    "ChatOpenAI.invoke",
                    1,
                    4,
                    {
                        "traceloop.span.kind": "task",
                        "gen_ai.usage.input_tokens": 640,
                        "gen_ai.usage.output_tokens": 210,
                        "gen_ai.usage.cost": 0.00058,
                    },
                ),
                agent(
                    "root",
                    0,
                    5,
                    "triage",
                    session="bug-triage",
                    user="grace",
                    title="Bug triage",
                    thread="support-desk",
                ),
            ),
        ),
        totals=Totals("Bug triage", "grace", 1, 3, 1, 0, 0, 640, 210, 850, "0.000580", 5.0),
    ),
    Conversation(
        "deploy-check",
        "a tool call fails, the agent tries again",
        minutes_ago=10,
        steps=(
            send(HTTP, "turn", tool("try", "root", 3, 8, "kubectl", "deadline exceeded")),
            send(HTTP, "turn", tool("again", "root", 9, 10, "kubectl")),
            send(
                GRPC,
                "turn",
                call("plan", "root", 1, 2, "claude-sonnet-4-5", (700, 80), 0.0033),
                agent("root", 0, 11, "deployer", session="deploy-check", user="ada", title="Deploy check"),
            ),
        ),
        totals=Totals("Deploy check", "ada", 1, 4, 1, 2, 1, 700, 80, 780, "0.003300", 11.0),
    ),
    Conversation(
        "",
        "a trace that never names a session: kept, countable, in no session",
        minutes_ago=5,
        steps=(
            send(
                GRPC_GZIP,
                "probe",
                Span("root", "", "GET /healthz", 0, 0.02),
                Span("query", "root", "SELECT 1", 0.005, 0.01, {"db.system.name": "postgresql"}),
            ),
        ),
    ),
)

SPANS_WITHOUT_SESSION: Final = 2
