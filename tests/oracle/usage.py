"""Tokens and costs that a span states, brought to one meaning.

Canonical: input is all prompt tokens, cached ones included; output is all, reasoning included; a cache write includes
the writes that live an hour. Source: attributes.yaml, `usage` and `cost`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.oracle import tables
from tests.oracle.attributes import Sent, provider_name
from tests.oracle.tables import Entry
from tests.oracle.values import COST_USD_MAX, TOKENS_MAX, Value, to_nano_usd, to_object, to_string, to_tokens


def token_columns(sent: Sent) -> dict[str, int]:
    """The token columns of the span's row."""
    input_tokens = _first_tokens(sent, tables.INPUT_TOKENS, "input")
    output_tokens = _first_tokens(sent, tables.OUTPUT_TOKENS, "output")
    cache_read = _first_tokens(sent, tables.CACHE_READ_TOKENS, "cache_read") or 0
    cache_write = _first_tokens(sent, tables.CACHE_WRITE_TOKENS, "cache_write") or 0
    cache_write_1h = _first_tokens(sent, tables.CACHE_WRITE_1H_TOKENS, "") or 0
    cache_write = max(cache_write, cache_write_1h)
    if input_tokens is None and output_tokens is None:
        total = _first_tokens(sent, tables.TOTAL_TOKENS, "") or 0
    else:
        if is_input_exclusive(sent) or cache_read + cache_write > (input_tokens or 0):
            input_tokens = min((input_tokens or 0) + cache_read + cache_write, TOKENS_MAX)
        total = (input_tokens or 0) + (output_tokens or 0)
    return {
        "input_tokens": input_tokens or 0,
        "output_tokens": output_tokens or 0,
        "total_tokens": total,
        "cache_read_tokens": cache_read,
        "cache_write_tokens": cache_write,
        "cache_write_1h_tokens": cache_write_1h,
        "reasoning_tokens": _first_tokens(sent, tables.REASONING_TOKENS, "reasoning") or 0,
    }


def is_input_exclusive(sent: Sent) -> bool:
    """Whether the emitter's input leaves cached tokens out (`exclusive_input`)."""
    attributes = sent.attributes
    if sent.is_claude_code_request:
        return True
    if sent.is_openlit:
        operation = to_string(attributes.get("gen_ai.operation.name"))
        if provider_name(sent) == "anthropic" and operation == "chat":
            return True
    ai_provider = to_string(attributes.get("ai.model.provider")) or ""
    return (
        ai_provider.startswith(tables.AI_SDK_5_PROVIDERS)
        and "ai.usage.inputTokenDetails.noCacheTokens" not in attributes
        and (sent.scope == "ai" or any(key.startswith("ai.usage.") for key in attributes))
    )


def _first_tokens(sent: Sent, entries: Iterable[Entry], what: str) -> int | None:
    """The first usable token count; zero is a usable count."""
    for entry in entries:
        value = sent.find(entry)
        tokens = langfuse_usage(to_object(value) or {})[what] if entry.form == "langfuse_usage" else to_tokens(value)
        if tokens is not None:
            return tokens
    return None


def langfuse_usage(usage: dict[str, Value]) -> dict[str, int | None]:
    """The counts in `langfuse.observation.usage_details`, which has three shapes."""
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return _inclusive_usage(usage, "prompt_tokens", "completion_tokens")
    if "input_tokens_details" in usage:
        return _inclusive_usage(usage, "input_tokens", "output_tokens")
    written = _sum_tokens(usage, lambda key: key.startswith("input_cache_creation"))
    if written is None:
        written = _first_of(usage, "cache_creation_input_tokens", "input_cache_write")
    return {
        "input": _sum_tokens(usage, lambda key: "input" in key),
        "output": _sum_tokens(usage, lambda key: "output" in key),
        "cache_read": _first_of(usage, "input_cached_tokens", "cache_read_input_tokens", "input_cache_read"),
        "cache_write": written,
        "reasoning": to_tokens(usage.get("output_reasoning_tokens")),
    }


def _inclusive_usage(usage: dict[str, Value], input_key: str, output_key: str) -> dict[str, int | None]:
    """OpenAI's shapes: cached and reasoning tokens are details of what they are part of."""

    def detail(key: str, name: str) -> int | None:
        details = usage.get(f"{key}_details")
        return to_tokens(details.get(name)) if isinstance(details, dict) else None

    return {
        "input": to_tokens(usage.get(input_key)),
        "output": to_tokens(usage.get(output_key)),
        "cache_read": detail(input_key, "cached_tokens"),
        "cache_write": None,
        "reasoning": detail(output_key, "reasoning_tokens"),
    }


def _sum_tokens(usage: dict[str, Value], wanted: Callable[[str], bool]) -> int | None:
    stated = [tokens for key, value in usage.items() if wanted(key) and (tokens := to_tokens(value)) is not None]
    return sum(stated) if stated and sum(stated) <= TOKENS_MAX else None


def _first_of(usage: dict[str, Value], *keys: str) -> int | None:
    return next((tokens for key in keys if (tokens := to_tokens(usage.get(key))) is not None), None)


def cost_columns(sent: Sent) -> dict[str, int]:
    """The cost columns of the span's row, in nano-dollars; 0 is not stated."""
    return {
        "cost_nano_usd": _stated_cost(sent) or 0,
        "input_cost_nano_usd": _first_cost(sent, tables.INPUT_COSTS) or 0,
        "output_cost_nano_usd": _first_cost(sent, tables.OUTPUT_COSTS) or 0,
    }


def _stated_cost(sent: Sent) -> int | None:
    """The first usable total, zero included; else the sum of the first pair that has a usable part."""
    total = _first_cost(sent, tables.COSTS)
    if total is not None:
        return total
    for pair in tables.COST_PAIRS:
        cost = _sum_costs(sent.find(entry) for entry in pair)
        if cost is not None:
            return cost
    return None


def _first_cost(sent: Sent, entries: Iterable[Entry]) -> int | None:
    for entry in entries:
        value = sent.find(entry)
        cost = _langfuse_cost(to_object(value)) if entry.form == "langfuse_cost" else to_nano_usd(value)
        if cost is not None:
            return cost
    return None


def _langfuse_cost(details: dict[str, Value] | None) -> int | None:
    """The total, or else the sum of the parts, of which one is enough."""
    if details is None:
        return None
    total = details.get("total")
    return _sum_costs(details.values()) if total is None else to_nano_usd(total)


def _sum_costs(values: Iterable[Value]) -> int | None:
    stated = [cost for value in values if (cost := to_nano_usd(value)) is not None]
    return sum(stated) if stated and sum(stated) <= COST_USD_MAX * 10**9 else None
