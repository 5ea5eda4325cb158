"""What the spans of the load say: one agent's turn of eight spans, as instrumentations of GenAI frameworks write it.

Strings, ints, doubles, a bool and an array; tokens and a stated cost on model calls; one tool call in a hundred fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

Value = str | int | float | bool | Sequence[str]

ATTRIBUTES: Final = 15
SPANS_PER_TRACE: Final = 8
FAILURES: Final = 0.01  # of tool calls

_INTERNAL, _CLIENT, _SERVER = Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER


@dataclass(frozen=True, slots=True)
class SpanShape:
    """A span's place in its trace. Times in milliseconds since the start of the trace."""

    name: str
    kind: Span.SpanKind.ValueType
    parent: int | None
    start_ms: int
    end_ms: int


AGENT, PLAN, FIRST_CALL, TOOL, TOOL_REQUEST, SECOND_CALL, RETRIEVAL, LAST_CALL = range(SPANS_PER_TRACE)
SHAPE: Final = (
    SpanShape("invoke_agent support", _SERVER, None, 0, 3_900),
    SpanShape("plan turn", _INTERNAL, AGENT, 10, 900),
    SpanShape("chat gpt-5-mini", _CLIENT, PLAN, 20, 890),
    SpanShape("execute_tool search_orders", _INTERNAL, AGENT, 910, 1_400),
    SpanShape("POST /orders/search", _CLIENT, TOOL, 930, 1_390),
    SpanShape("chat gpt-5", _CLIENT, AGENT, 1_500, 2_600),
    SpanShape("retrieve handbook", _CLIENT, AGENT, 1_410, 1_490),
    SpanShape("chat claude-sonnet-5", _CLIENT, AGENT, 2_610, 3_880),
)
EXPORT_ORDER: Final = (FIRST_CALL, PLAN, TOOL_REQUEST, TOOL, RETRIEVAL, SECOND_CALL, LAST_CALL, AGENT)
"""As they end: children before their parents."""

AGENT_SERVICES: Final = ("support-agent", "billing-agent", "research-agent")
CALLS: Final = {  # requested model, answering model, provider, address
    FIRST_CALL: ("gpt-5-mini", "gpt-5-mini-2026-08-07", "openai", "api.openai.com"),
    SECOND_CALL: ("gpt-5", "gpt-5-2026-08-07", "openai", "api.openai.com"),
    LAST_CALL: ("claude-sonnet-5", "claude-sonnet-5-20260915", "anthropic", "api.anthropic.com"),
}
_WORDS: Final = (
    "order", "refund", "customer", "please", "invoice", "shipping", "address", "tomorrow", "account", "the", "and",
    "charged", "twice", "where", "package", "cancel", "subscription", "plan", "upgrade", "thanks",
)  # fmt: skip


def services_of(trace: int) -> list[str]:
    """The service of each span of a trace: an agent's, and the tool's own."""
    services = [AGENT_SERVICES[trace % len(AGENT_SERVICES)]] * SPANS_PER_TRACE
    services[TOOL_REQUEST] = "tools-gateway"
    return services


def attributes_of(slot: int, random: Random) -> tuple[dict[str, Value], bool]:
    """All attributes but one, which says the session or something else; and whether the span failed."""
    if slot in CALLS:
        return _model_call(slot, random), False
    if slot == TOOL:
        failed = random.random() < FAILURES
        return _tool(random, failed), failed
    return _SPEAKERS[slot](random), False


def _model_call(slot: int, random: Random) -> dict[str, Value]:
    model, answered_by, provider, address = CALLS[slot]
    inputs, outputs = random.randrange(200, 9_000), random.randrange(20, 900)
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.response.model": answered_by,
        "gen_ai.request.temperature": random.choice((0.0, 0.2, 0.7, 1.0)),
        "gen_ai.request.max_tokens": 4_096,
        "gen_ai.response.finish_reasons": (random.choice(("stop", "stop", "tool_calls", "length")),),
        "gen_ai.response.id": f"resp_{random.getrandbits(96):024x}",
        "gen_ai.usage.input_tokens": inputs,
        "gen_ai.usage.output_tokens": outputs,
        "gen_ai.usage.cost": round(inputs * 1.25e-6 + outputs * 1e-5, 9),
        "gen_ai.request.stream": random.random() < 0.5,
        "gen_ai.input.messages": _text(random, 250),
        "server.address": address,
    }


def _tool(random: Random, failed: bool) -> dict[str, Value]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search_orders",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": f"call_{random.getrandbits(96):024x}",
        "gen_ai.tool.description": "Searches the orders of the customer who is signed in.",
        "gen_ai.tool.call.arguments": _text(random, 150),
        "gen_ai.tool.call.result": _text(random, 130),
        "gen_ai.agent.name": "support",
        "app.tool.attempt": random.randrange(1, 4),
        "app.tool.cached": random.random() < 0.3,
        "app.tool.cost_units": round(random.random(), 6),
        "code.function.name": "orders.tools.search_orders",
        "code.line.number": 118,
        "error.type" if failed else "app.tool.outcome": "UpstreamError" if failed else "answered",
    }


def _agent(random: Random) -> dict[str, Value]:
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.agent.name": "support",
        "gen_ai.agent.id": "asst_5j66UpCpwteGg4YSxUnt7lPY",
        "gen_ai.agent.description": "Answers questions about orders, refunds and subscriptions.",
        "gen_ai.conversation.name": "Support chat",
        "user.id": f"user-{random.randrange(10_000):06}",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/chat/turns",
        "url.scheme": "https",
        "app.turn.latency_budget": 4.5,
        "app.turn.streamed": True,
        "app.turn.text": _text(random, 180),
    }


def _plan(random: Random) -> dict[str, Value]:
    return {
        "gen_ai.operation.name": "plan",
        "gen_ai.agent.name": "support",
        "gen_ai.agent.id": "asst_5j66UpCpwteGg4YSxUnt7lPY",
        "app.plan.text": _text(random, 220),
        "app.plan.steps": random.randrange(1, 6),
        "app.plan.confidence": round(random.random(), 6),
        "app.plan.revised": random.random() < 0.2,
        "app.plan.strategy": "tools-then-answer",
        "app.plan.version": "2026-11-02",
        "code.function.name": "support.planner.plan_turn",
        "code.file.path": "support/planner.py",
        "code.line.number": 64,
        "thread.id": random.randrange(10**15),
        "thread.name": "asyncio_0",
    }


def _tool_request(random: Random) -> dict[str, Value]:
    return {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.request.body.size": random.randrange(100, 2_000),
        "http.response.body.size": random.randrange(100, 20_000),
        "url.full": f"https://orders.internal.example.com/orders/search?page={random.randrange(9)}&size=50",
        "url.scheme": "https",
        "server.address": "orders.internal.example.com",
        "server.port": 443,
        "network.protocol.version": "2",
        "network.peer.address": f"10.4.{random.randrange(256)}.{random.randrange(256)}",
        "user_agent.original": "python-httpx/0.28.1 support-agent/2026.11.3 (production; eu-central-1)",
        "app.request.id": f"{random.getrandbits(128):032x}",
        "app.request.retries": 0,
        "app.request.queue_s": round(random.random() / 100, 6),
    }


def _retrieval(random: Random) -> dict[str, Value]:
    return {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "handbook-2026-11",
        "db.system.name": "qdrant",
        "db.collection.name": "handbook_chunks",
        "db.operation.name": "search",
        "db.query.text": _text(random, 190),
        "db.response.returned_rows": 8,
        "server.address": "qdrant.internal.example.com",
        "server.port": 6_334,
        "app.retrieval.score_max": round(random.random(), 6),
        "app.retrieval.score_min": round(random.random(), 6),
        "app.retrieval.reranked": True,
        "app.retrieval.index": "hnsw-cosine-1536",
        "network.transport": "tcp",
    }


_SPEAKERS: Final = {AGENT: _agent, PLAN: _plan, TOOL_REQUEST: _tool_request, RETRIEVAL: _retrieval}


def _text(random: Random, chars: int) -> str:
    text = ""
    while len(text) < chars:
        text += random.choice(_WORDS) + " "
    return text[:chars]
