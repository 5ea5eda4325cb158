"""A fortnight of a small company's agents, as OTLP/JSON: what screenshots show. The same spans for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

S = 1_000_000_000
DAY = 86_400 * S

USERS = ["ada@example.com", "grace@example.com", "linus@example.com", "margaret@example.com", "ken@example.com"]
USERS += ["barbara@example.com", "edsger@example.com", "radia@example.com", "נועה@example.com", "donald@example.com"]
# agent, what people ask it, its tools, its model, provider
AGENTS = [
    (
        "support",
        ["Refund for order {n}", "Where is parcel {n}?", "Change address of order {n}", "Invoice {n} is wrong"],
        ["lookup_order", "search_help_center", "refund", "send_email"],
        ("gpt-5", "openai"),
    ),
    (
        "research",
        ["Competitors in the {n} market", "Summarize paper {n}", "Sources for claim {n}"],
        ["web_search", "fetch_page", "rank_passages"],
        ("claude-sonnet-4-5", "anthropic"),
    ),
    (
        "coding",
        ["Fix flaky test #{n}", "Review pull request #{n}", "Upgrade dependency {n}", "Why is build {n} red?"],
        ["read_file", "run_tests", "grep", "apply_patch"],
        ("claude-opus-4-1", "anthropic"),
    ),
    ("triage", ["Ticket {n}", "Incident {n}"], ["classify", "assign"], ("gpt-5-mini", "openai")),
    ("nightly-report", ["Report of day {n}"], ["query_warehouse", "render_chart"], ("acme-llm-7b", "acme")),
]
ERRORS = ["Timeout after 30 s", "429 Too Many Requests", "TypeError: 'NoneType' object is not subscriptable"]


def sessions(now_ns: int, count: int, seed: int = 7) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Spans and log records, a session at a time."""
    dice = random.Random(seed)
    for number in range(count):
        agent, asks, tools, model = dice.choices(AGENTS, [5, 3, 4, 3, 1])[0]
        start = now_ns - int(dice.random() ** 1.4 * 14 * DAY) - 600 * S
        subject = dice.choice(asks).format(n=dice.randrange(1_000, 9_999))
        about = {
            "session.id": f"{agent}-{dice.getrandbits(48):012x}",
            "session.name": subject,
            "user.id": dice.choice(USERS),
            "deployment.environment.name": dice.choices(["production", "staging", "dev"], [7, 2, 1])[0],
            "tag.tags": json.dumps(sorted({agent, dice.choice(["vip", "beta", "eu", "us"])})),
        }
        if agent in ("support", "research"):
            about["gen_ai.conversation.id"] = f"thread-{number % 23:02d}"
        spans: list[dict[str, Any]] = []
        logs: list[dict[str, Any]] = []
        for turn in range(dice.choices([1, 2, 3, 5, 9, 17], [4, 4, 4, 3, 2, 1])[0]):
            end = _turn(dice, spans, logs, agent, subject, tools, model, about, start, turn)
            start = end + int(dice.choice([4, 9, 30, 90, 600, 2_400]) * dice.uniform(0.5, 1.5) * S)
        # Nothing may lie in the future: a session that would is moved back as a whole.
        late = max(span["endTimeUnixNano"] for span in spans) - now_ns + dice.randrange(3, 900) * S
        for span in spans:
            for key in ("startTimeUnixNano", "endTimeUnixNano"):
                span[key] = str(span[key] - max(0, late))
        for log in logs:
            log["timeUnixNano"] = str(log["timeUnixNano"] - max(0, late))
        yield spans, logs


def _turn(
    dice: random.Random,
    spans: list[dict[str, Any]],
    logs: list[dict[str, Any]],
    agent: str,
    subject: str,
    tools: list[str],
    model: tuple[str, str],
    about: dict[str, str],
    start: int,
    turn: int,
) -> int:
    trace_id = f"{dice.getrandbits(128):032x}"
    question = subject if turn == 0 else dice.choice(["And the second one?", "Please go on.", "Can you check again?"])
    root = _span(trace_id, "", f"invoke_agent {agent}", start, dice)
    now = start + 20_000_000
    tokens = 600 + 450 * turn
    for step in range(dice.randrange(1, 5)):
        call = _span(trace_id, root["spanId"], f"chat {model[0]}", now, dice)
        now += int(dice.uniform(0.7, 6) * S)
        tokens += dice.randrange(200, 900)
        failed = dice.random() < 0.01
        said = [{"role": "system", "content": f"You are the {agent} agent."}, {"role": "user", "content": question}]
        answer = [{"role": "assistant", "content": f"Step {step + 1}: looking into “{subject}”."}]
        _say(
            call,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": model[0],
                "gen_ai.provider.name": model[1],
                "gen_ai.usage.input_tokens": tokens,
                "gen_ai.usage.cache_read.input_tokens": tokens // 2 if step else 0,
                "gen_ai.usage.output_tokens": dice.randrange(40, 700),
                "gen_ai.input.messages": json.dumps(said),
                "gen_ai.output.messages": json.dumps(answer),
                "gen_ai.response.finish_reasons": '["tool_calls"]',
                "server.address": "api.example.com",
            },
            now,
            dice.choice(ERRORS) if failed else "",
        )
        spans.append(call)
        for _ in range(dice.choice([0, 1, 1, 2])):
            tool = dice.choice(tools)
            span = _span(trace_id, root["spanId"], f"execute_tool {tool}", now, dice)
            now += int(dice.uniform(0.02, 2) * S)
            message = dice.choice(ERRORS) if dice.random() < 0.02 else ""
            said_by = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
            said_by["gen_ai.tool.call.arguments"] = json.dumps({"query": subject, "limit": 5})
            said_by["gen_ai.tool.call.result"] = json.dumps({"hits": dice.randrange(9), "took_ms": 12})
            _say(span, said_by, now, message)
            spans.append(span)
            log = {"timeUnixNano": now, "traceId": trace_id, "spanId": span["spanId"]}
            log |= (
                {"severityNumber": 17, "severityText": "ERROR"}
                if message
                else {"severityNumber": 9, "severityText": "INFO"}
            )
            logs.append(log | {"body": {"stringValue": message or f"{tool} answered for {subject}"}})
    _say(root, about | {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent}, now + 10_000_000, "")
    spans.append(root)
    return now + 10_000_000


def _span(trace_id: str, parent: str, name: str, start: int, dice: random.Random) -> dict[str, Any]:
    span_id = f"{dice.getrandbits(64):016x}"
    return {"traceId": trace_id, "spanId": span_id, "parentSpanId": parent, "name": name, "startTimeUnixNano": start}


def _say(span: dict[str, Any], attributes: dict[str, Any], end: int, error: str) -> None:
    span["endTimeUnixNano"] = end
    span["attributes"] = [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}
        for key, value in attributes.items()
    ]
    span["status"] = {"code": 2, "message": error} if error else {"code": 1}
