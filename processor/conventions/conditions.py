"""For which spans a condition about the span holds: who wrote it, and what it stands for. Pure.

Source: attributes.yaml, `only_if`.
"""

from __future__ import annotations

import functools
import operator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.pick import Entries
from processor.conventions.rules import Condition, Key
from processor.decode.columns import Bools, to_bools
from processor.decode.otlp import DecodedSpans
from processor.model import SESSION

_SDK_NAME: Final = (Key("telemetry.sdk.name"),)
_SPAN_TYPE: Final = Key("span.type")
_CLAUDE_CODE: Final = ("claude_code.llm_request", "llm_request")
_GENKIT_SUBTYPE: Final = Key("genkit:metadata:subtype")
_AGENTOPS_KIND: Final = Key("agentops.span.kind")


def judged(decoded: DecodedSpans, scope: pa.StringArray, entries: Entries, condition: Condition) -> Bools:
    """Shape: `scope` is the name of each span's instrumentation scope; one entry a span comes back."""
    match condition:
        case Condition.CLAUDE_CODE_LLM_REQUEST:
            by_name = to_bools(pc.equal(decoded.spans.field("name"), _CLAUDE_CODE[0]))
            return functools.reduce(operator.or_, [entries.says(_SPAN_TYPE, word) for word in _CLAUDE_CODE], by_name)
        case Condition.AGENTOPS_SESSION:
            return entries.says(_AGENTOPS_KIND, SESSION)
        case Condition.GENKIT_MODEL:
            return entries.says(_GENKIT_SUBTYPE, "model")
        case Condition.AI_SDK:
            return to_bools(pc.equal(scope, "ai"))
        case Condition.STRANDS_AGENTS:
            return to_bools(pc.starts_with(scope, "strands"))
        case Condition.OPENLIT:
            resource = Entries(decoded.resource_attributes, len(decoded.resources))
            sdk = resource.text(_SDK_NAME).value.take(pa.array(decoded.resource))
            return to_bools(pc.or_(pc.equal(sdk, "openlit"), pc.match_substring_regex(scope, "^@?openlit")))
        case _:
            raise AssertionError(f"{condition} is about a value")
