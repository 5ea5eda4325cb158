"""Tokens of each span, by one meaning whoever reports them: input holds cached tokens, output holds reasoning. Pure.

Source: attributes.yaml, `usage`, where each emitter that counts otherwise is named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.coerce import TOKENS_MAX, Counts
from processor.conventions.pick import Entries
from processor.conventions.rules import Condition, Conventions, Key
from processor.decode.columns import Bools, Ints, to_bools

_NO_CACHE_TOKENS = "ai.usage.inputTokenDetails.noCacheTokens"  # AI SDK 6 and later
_AI_SDK_USAGE = "ai.usage."
_AI_SDK_PROVIDER = (Key("ai.model.provider"),)
_OPERATION = Key("gen_ai.operation.name")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; one entry a span, 0 where none are stated."""

    input: Ints
    output: Ints
    total: Ints  # input + output, or the stated total where both are missing
    cache_read: Ints
    cache_write: Ints  # holds those with a life of an hour
    cache_write_1h: Ints
    reasoning: Ints


def usage(entries: Entries, conventions: Conventions, provider: pa.StringArray) -> Usage:
    """Read what each span states. Shape: `provider` is normalized, one entry a span."""
    found = {name: entries.count(keys) for name, keys in conventions.usage.items()}
    inputs, outputs = found["input"], found["output"]
    stated = inputs.valid | outputs.valid
    hour = found["cache_write_1h"].value
    read, write = found["cache_read"].value, np.maximum(found["cache_write"].value, hour)
    all_inputs = _with_cached(inputs, read + write, _excludes_cached(entries, conventions, provider), stated)
    return Usage(
        input=all_inputs,
        output=outputs.value,
        total=np.where(stated, all_inputs + outputs.value, found["total"].value),
        cache_read=read,
        cache_write=write,
        cache_write_1h=hour,
        reasoning=found["reasoning"].value,
    )


def _with_cached(inputs: Counts, cached: Ints, excluded: Bools, stated: Bools) -> Ints:
    """More cached tokens than tokens is impossible where they are counted in, so there they are not."""
    excluded = (excluded | (cached > inputs.value)) & stated
    return np.where(excluded, np.minimum(inputs.value + cached, TOKENS_MAX), inputs.value)


def _excludes_cached(entries: Entries, conventions: Conventions, provider: pa.StringArray) -> Bools:
    """The spans of emitters whose input leaves cached tokens out."""
    excludes = entries.holds(Condition.CLAUDE_CODE_LLM_REQUEST)
    openlit = entries.holds(Condition.OPENLIT)
    if openlit.any():
        of_anthropic = openlit & to_bools(pc.equal(provider, "anthropic"))
        excludes = excludes | (of_anthropic & entries.says(_OPERATION, "chat"))
    if entries.has("ai.model.provider"):
        named = entries.text(_AI_SDK_PROVIDER).value
        by_provider = np.zeros(entries.owners, np.bool_)
        for prefix in conventions.ai_sdk_5_providers:
            by_provider |= to_bools(pc.starts_with(named, prefix))
        excludes = excludes | (by_provider & _ai_sdk_5(entries))
    return excludes


def _ai_sdk_5(entries: Entries) -> Bools:
    """The spans of the AI SDK up to 5: usage, but not the count that version 6 brought."""
    reports = entries.holds(Condition.AI_SDK).copy()
    for key in entries.keys:
        if key.startswith(_AI_SDK_USAGE):
            reports[entries.owner(entries.rows(key))] = True
    reports[entries.owner(entries.rows(_NO_CACHE_TOKENS))] = False
    return reports
