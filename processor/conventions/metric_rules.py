"""Which metrics count tokens or money of a session: data. They are the last resort (`metric_usage`).

Sources:
- Claude Code, `code.claude.com/docs/en/monitoring-usage`, "Token counter", "Cost counter": `type` is input, output,
  cacheRead or cacheCreation, `input` leaves cached tokens out; attributes `session.id`, `model`, `user.id`.
- Gemini CLI, google-gemini/gemini-cli `packages/core/src/telemetry/metrics.ts`: `type` is input, output, thought, cache
  or tool; input holds the cached ones, thoughts and tool results stand beside output and input. It records the same
  tokens as `gen_ai.client.token.usage`, which is not read from it.
- GenAI conventions, `gen_ai.client.token.usage`: a histogram whose sum is the tokens of `gen_ai.token.type`. It names
  no session unless an emitter adds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from processor.conventions.rules import Key, Keys

GENAI_TOKENS: Final = "gen_ai.client.token.usage"

INPUT: Final = "input"
OUTPUT: Final = "output"
CACHE_READ: Final = "cache_read"
CACHE_WRITE: Final = "cache_write"
REASONING: Final = "reasoning"
COST: Final = "cost"


@dataclass(frozen=True, slots=True)
class MetricRule:
    """One metric. `measures`: what a word of `type_key` adds to; COST with no key for what counts dollars."""

    provider: str
    type_key: Key | None
    measures: Mapping[str, tuple[str, ...]]
    model: Keys = field(default=(Key("model"),))


RULES: Final[Mapping[str, MetricRule]] = {
    "claude_code.token.usage": MetricRule(
        "anthropic",
        Key("type"),
        {
            "input": (INPUT,),
            "output": (OUTPUT,),
            "cacheread": (INPUT, CACHE_READ),
            "cachecreation": (INPUT, CACHE_WRITE),
        },
    ),
    "claude_code.cost.usage": MetricRule("anthropic", None, {"": (COST,)}),
    "gemini_cli.token.usage": MetricRule(
        "gcp.gemini",
        Key("type"),
        {
            "input": (INPUT,),
            "tool": (INPUT,),
            "output": (OUTPUT,),
            "thought": (OUTPUT, REASONING),
            "cache": (CACHE_READ,),
        },
    ),
    GENAI_TOKENS: MetricRule(
        "",
        Key("gen_ai.token.type"),
        {"input": (INPUT,), "output": (OUTPUT,), "completion": (OUTPUT,)},
        (Key("gen_ai.response.model"), Key("gen_ai.request.model")),
    ),
}
