"""Hypothesis strategies for what spans say: each table lists attributes or values, as emitters send them and worse.

A value that comes first is what an example shrinks to. One draw a table keeps generation fast.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.oracle import tables
from tests.oracle.tables import Entry

Pairs = tuple[tuple[str, Any], ...]

IDS = ("s1", "s2", " s1 ", '"s2"')
ODD_IDS = ("größe-☃", "12345", "-1.5", 7, True, 1.5, "s\x00n", '"s1', '"')
USELESS = ("", "   ", "null", "None", "undefined", "nan", '""', '"null"', "[Scrubbed due to 'session']", math.nan)
SHAPELESS = (None, ["s1"], {"id": "s1"}, b"s1")
ID_VALUES = (*IDS * 16, *ODD_IDS, *USELESS, *SHAPELESS)
TEXT_VALUES = ("a", "b", "Ünï ☃", '"a"', "  b", 5, False, *USELESS[:4], None)
TOKENS = (
    7,
    1,
    394,
    7.0,
    "7",
    '"7"',
    " 12 ",
    "007",
    5000,
    0,
    0.0,
    "0",
    10**9,
)  # priced, more of them would leave 64 bits
NO_TOKENS = (-1, 1.5, 2**53 + 1, True, math.nan, math.inf, "7.0", "seven", "-7", "", "null", "9" * 30, None, [7])
TOKEN_VALUES = (*TOKENS, *TOKENS, *NO_TOKENS)
COSTS = (0.0021, "0.00118", 1, 2.5e-9, 3.5e-9, 5e-10, 1e-10, "1e-05", '"0.25"', " 0.5 ", 0.1, 12345.678901234, 0, "0.0")
NO_COSTS = (-1.0, math.nan, math.inf, "free", True, 9.1e9, "", None)
COST_VALUES = (*COSTS, *COSTS, *NO_COSTS)
PROVIDERS = (
    "openai",
    "openai.responses",
    "Anthropic",
    "gcp.gemini",
    "az.ai.openai",
    "aws.bedrock",
    "azure-openai.chat",
)
NO_PROVIDERS = ("LangChain", "strands-agents", "microsoft.agent_framework", "gcp.vertex.agent", ".", "")
MODELS = ("gpt-5", "claude-opus-5", '"gpt-5"', "gpt-4o-2024-08-06", "", "null")

KINDS: tuple[Pairs, ...] = (
    (),
    (("gen_ai.operation.name", "chat"),),
    (("ai.operationId", "ai.generateText.doGenerate"),),
    (("openinference.span.kind", "LLM"),),
    (("agentmark.span.kind", "llm"),),
    (("langfuse.observation.type", "generation"),),
    (("mlflow.spanType", '"CHAT_MODEL"'),),
    (("gen_ai.request.model", "gpt-5"),),
    (("gen_ai.request.model", "text-Embedding-3-small"), ("gen_ai.operation.name", "chat")),
    (("genkit:metadata:subtype", "model"), ("genkit:name", "openai/gpt-5")),
    (("genkit:metadata:subtype", "flow"), ("genkit:name", "ask")),
    (("llm.request.type", "embedding"), ("lmnr.span.type", "LLM")),
    (("llm.request.type", "Completion"),),
    (("lmnr.span.type", "LLM"),),
    (("ai.operationId", "ai.streamText"),),
    (("gen_ai.operation.name", "invoke_agent"),),
    (("openinference.span.kind", '"agent"'),),
    (("span.type", "interaction"),),
    (("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", "search")),
    (("ai.operationId", "ai.toolCall"),),
    (("gen_ai.tool.call.id", "call_1"),),
    (("traceloop.span.kind", "tool"),),
    (("langsmith.span.kind", "retriever"), ("gen_ai.operation.name", "embeddings")),
    (("gen_ai.operation.name", "embeddings"),),
    (("traceloop.span.kind", "workflow"),),
    (("langsmith.span.kind", "chain"), ("gen_ai.operation.name", "chain")),
    (("agentops.span.kind", "session"),),
    (("langfuse.observation.type", "span"), ("gen_ai.operation.name", "chat")),
    (("lmnr.span.type", "CACHED"), ("gen_ai.operation.name", "chat")),
    (("gen_ai.operation.name", "Chat"), ("gen_ai.tool.name", "get_weather")),
    (("gen_ai.operation.name", 7), ("gen_ai.tool.name", "null")),
    (("span.type", "llm_request"), ("input_tokens", 2), ("output_tokens", "1200")),
    (("span.type", '"claude_code.llm_request"'), ("input_tokens", 3), ("success", False)),
    (("input_tokens", 10), ("output_tokens", 10), ("success", False)),
)

ERRORS: tuple[Pairs, ...] = (
    *[()] * 30,
    (("error.type", "timeout"),),
    (("error.type", 500),),
    (("error.type", ""),),
    (("langfuse.observation.level", "ERROR"),),
    (("langfuse.observation.level", "error"),),
    (("langfuse.observation.level", "WARNING"),),
    (("span.type", "llm_request"), ("success", "false")),
    (("span.type", "llm_request"), ("success", True)),
)

ODD: tuple[Pairs, ...] = (
    *[()] * 100,
    (("logfire.span_type", "pending_span"),),
    (("logfire.span_type", "span"),),
    (("lmnr.internal.metadata_only", True),),
    (("lmnr.internal.metadata_only", "true"),),
    (("lmnr.internal.metadata_only", False),),
    (("langsmith.trace.session_id", "a-project"), ("mcp.session.id", "a-transport")),
    (("payload", {"nested": [1, {"deep": b"\x00\xff"}]}), ("", "no key"), ("note", "\x00☃" * 20)),
)

RESOURCES: tuple[Pairs, ...] = (
    *[(("service.name", "api"),), (("service.name", "worker"), ("host", 7)), ()] * 4,
    (("service.name", "Größe"), ("session.id", "null")),
    (("service.name", "api"), ("session.id", "r1")),
    (("session.id", "s1"),),
    (("telemetry.sdk.name", "openlit"), ("deployment.environment", "qa")),
    (("@agentuity/env", "production"), ("service.name", "agent")),
    (("langfuse.environment", "null"), ("deployment.environment.name", "staging"), ("tags", "unread")),
)

SCOPES = (
    *["tests", "other", ""] * 5,
    "ai",
    "openlit.otel.tracing",
    "@openlit/sdk",
    "strands.telemetry.tracer",
    "s\u2603",
)


def _attributes(keys: Sequence[str], values: Sequence[Any], *, one_in: int) -> st.SearchStrategy[Pairs]:
    """One attribute of a precedence table on one span in `one_in`: a single draw, which keeps generation fast."""
    present = [((key, value),) for key in keys for value in values]
    return st.sampled_from([()] * (len(present) * (one_in - 1)) + present)


# --- Texts that are JSON, and what looks like it ---

MALFORMED = ("", "{", "null", "[]", "7", '{"input": 5', "{'input': 5}", '{"input": NaN}', '"{}"', None, [1], 5)

LANGFUSE_USAGE: tuple[dict[str, Any], ...] = (
    {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    {
        "prompt_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": None},
        "completion_tokens": "20",
        "completion_tokens_details": {"reasoning_tokens": 8},
    },
    {"completion_tokens": 9, "completion_tokens_details": None, "prompt_tokens_details": 5},
    {"prompt_tokens": None, "input": 7, "output": 8},
    {
        "input_tokens": 50,
        "input_tokens_details": {"cached_tokens": 40},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 2},
    },
    {"input_tokens": 50, "input_tokens_details": {}, "output_tokens": -6},
    {"input": 40, "input_cached_tokens": 60, "output": 15, "output_reasoning_tokens": 5, "total": 120},
    {"input": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 10, "output": 4},
    {"input": 3, "input_cache_read": 9, "input_cache_write": 4, "output": 0},
    {"input": 3, "input_cache_creation_5m": 5, "input_cache_creation_1h": 6, "output": 1},
    {"input": 3, "input_cache_creation": 5, "cache_creation_input_tokens": 7},
    {"input": "three", "output": 2.0, "total": 9},
    {"input": True, "input_audio": 4, "output": "5"},
    {"total": 9},
    {"input": {"deep": 5}, "output": [5]},
    {},
)
LANGFUSE_COSTS: tuple[dict[str, Any], ...] = (
    {"input": 0.0003, "output": 0.0006, "total": 0.0009},
    {"input": 0.0003, "output": "0.0006"},
    {"input": 0.25},
    {"total": "1.5"},
    {"total": None, "input": 0.5, "output": 0.25, "cache": 0.125},
    {"total": 0, "input": 0.5},
    {"total": -1, "output": 0.5},
    {"input": 1e-10, "output": 1.5e-9, "other": 2.5e-9},
    {"output": "free"},
    {},
)
JSON_USAGE: tuple[tuple[str, tuple[dict[str, Any], ...]], ...] = (
    ("langfuse.observation.usage_details", LANGFUSE_USAGE),
    ("langfuse.observation.usage_details", LANGFUSE_USAGE),
    ("langfuse.observation.cost_details", LANGFUSE_COSTS),
    (
        "mlflow.chat.tokenUsage",
        (
            {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12},
            {"input_tokens": 9, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2},
            {"input_tokens": 9, "cache_read_input_tokens": 50},
            {"input_tokens": -9, "output_tokens": "3"},
        ),
    ),
    ("mlflow.llm.cost", ({"input_cost": 0.5, "total_cost": 0.75}, {"total_cost": "1e-05"}, {"total_cost": None})),
    (
        "genkit:output",
        (
            {"usage": {"inputTokens": 11, "outputTokens": 5}, "message": {"content": "ünï"}},
            {"usage": {"inputTokens": 11.0}},
            {"usage": None},
            {"usage": [{"inputTokens": 7}]},
            {"usage.inputTokens": 7},
            {"raw": {"usage": {"prompt_tokens_details": {"cached_tokens": 5}, "cache_creation_input_tokens": 4}}},
            {"raw": {"usage": {"completion_tokens_details": {"reasoning_tokens": "6"}, "cache_read_input_tokens": 9}}},
        ),
    ),
    (
        "braintrust.metrics",
        (
            {"prompt_tokens": 50, "completion_tokens": 10, "prompt_cached_tokens": 20, "estimated_cost": 0.01},
            {"prompt_tokens": 50, "prompt_cache_creation_tokens": 70, "estimated_cost": "-1"},
        ),
    ),
    (
        "ai.response.providerMetadata",
        (
            {"openai": {"cachedPromptTokens": 64, "reasoningTokens": 10, "responseId": "r"}},
            {"anthropic": {"cacheCreationInputTokens": 30, "usage": {"cache_read_input_tokens": 12}}},
            {"anthropic": {"cacheCreationInputTokens": None, "usage": {"cache_creation_input_tokens": 8}}},
            {"bedrock": {"usage": {"cacheReadInputTokens": 5, "cacheWriteInputTokens": 6}}},
            {"openai": {"cachedPromptTokens": "x"}, "bedrock": {"usage": {"cacheReadInputTokens": 5}}},
            {"openai": "none"},
        ),
    ),
    (
        "langsmith.metadata.usage_metadata",
        ({"input_token_details": {"cache_read": 6, "cache_creation": 2}, "output_token_details": {"reasoning": 1}},),
    ),
    ("braintrust.span_attributes", ({"type": "llm"}, {"type": "TOOL"}, {"type": "task", "name": "x"}, {"type": 7}, {})),
)


def _json_forms(key: str, values: Sequence[dict[str, Any]]) -> list[Pairs]:
    """Each as a text and as a key-value list; then what can't be read."""
    return [
        *[((key, json.dumps(value)),) for value in values],
        *[((key, json.dumps(value, separators=(",", ":"), ensure_ascii=False)),) for value in values],
        *[((key, value),) for value in values],
        *[((key, value),) for value in MALFORMED],
    ]


_JSON_USAGE = [
    *[pairs for key, values in JSON_USAGE for pairs in _json_forms(key, values)],
    (("metadata.usage_object", "{'prompt_tokens_details': {'cached_tokens': 128}, 'cache_creation_input_tokens': 0}"),),
    (("metadata.usage_object", "{'reasoning_tokens': None, 'cached_tokens': -3}"),),
]

# --- Emitters whose input leaves out what was cached ---

CACHED: tuple[Pairs, ...] = (
    (("gen_ai.usage.cache_read.input_tokens", 200),),
    (("gen_ai.usage.cache_read_input_tokens", 5), ("gen_ai.usage.cache_creation_input_tokens", 1)),
    (("gen_ai.usage.cache_read.input_tokens", 10**9), ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens", 3)),
    (),
)
EXCLUSIVE: tuple[Pairs, ...] = tuple(
    (*emitter, *cached)
    for cached in CACHED
    for emitter in (
        (
            ("gen_ai.provider.name", "anthropic"),
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.usage.input_tokens", 300),
            ("gen_ai.usage.output_tokens", 40),
        ),
        (("gen_ai.system", "Anthropic"), ("gen_ai.operation.name", "chat"), ("gen_ai.usage.output_tokens", 40)),
        (
            ("gen_ai.system", "anthropic"),
            ("gen_ai.operation.name", "text_completion"),
            ("gen_ai.usage.input_tokens", 9),
        ),
        (("ai.model.provider", "anthropic.messages"), ("ai.usage.inputTokens", 30), ("ai.usage.cachedInputTokens", 12)),
        (("ai.model.provider", "amazon-bedrock"), ("ai.usage.promptTokens", 30), ("ai.usage.completionTokens", 2)),
        (
            ("ai.model.provider", "google.vertex.anthropic.messages"),
            ("ai.usage.inputTokens", 30),
            ("ai.usage.inputTokenDetails.noCacheTokens", 18),
            ("ai.usage.inputTokenDetails.cacheReadTokens", 12),
        ),
        (("ai.model.provider", "anthropic.messages"), ("gen_ai.usage.input_tokens", 30)),
        (("ai.model.provider", "google.vertex"), ("ai.usage.inputTokens", 30)),
        (("span.type", "llm_request"), ("input_tokens", 2), ("cache_read_tokens", 84), ("cache_creation_tokens", "7")),
        (("input_tokens", 2), ("cache_read_tokens", 84), ("cache_creation_tokens", 7)),
    )
)

# --- Labels ---

TAG_VALUES: tuple[Any, ...] = (
    ["prod", "beta"],
    '["prod", "beta"]',
    "prod, beta",
    '"prod,beta"',
    '"[\\"prod\\"]"',
    [],
    ["", " prod ", "null", "None", "undefined", "[]", "{}"],
    [1, True, None, 1.5, ["b", "a"], {"b": 1, "a": "x"}],
    '[1, true, null, {"b": 1, "a": [2]}]',
    " , prod,,",
    "[prod",
    '{"a": 1}',
    "größe,☃",
    "long" * 300,
    ["long" * 300, "x"],
    [f"tag-{number:02}" for number in range(70)],
    "",
    "null",
    None,
    7,
    True,
    {"a": "b"},
)
LABEL_VALUES: tuple[Any, ...] = (
    "gold",
    " gold ",
    '"gold"',
    '{"k": 1}',
    "",
    "null",
    "None",
    "undefined",
    "[]",
    "{}",
    "nan",
    7,
    1.5,
    True,
    ["b", 1, None],
    {"b": 1, "a": [True]},
    None,
    "long ☃" * 300,
)
LABEL_NAMES = ("tier", "plan", "session_id", "user_id", "tags", "thread_id", "größe", "a.b", "props", "k" * 1100)
BLOBS: tuple[dict[str, Any], ...] = (
    {"tier": "blob", "plan": '"pro"', "session_id": "s1", "thread_id": "t1", "user_id": "ann"},
    {
        "tier": None,
        "n": 7,
        "f": 1.5,
        "t": True,
        "deep": {"b": [1], "a": None},
        "list": [],
        "map": {},
        "none": "null",
        "blanks": " x ",
    },
    {"session_id": None, "thread_id": "t2", "user_id": 7},
    {"session_id": "", "thread_id": "t3", "tags": ["a"]},
    {"session_id": {"id": 1}, "größe": "☃", "userId": "x"},
    {f"key-{number:02}": str(number) for number in range(70)},
    {},
)
BARE: tuple[Pairs, ...] = (
    (("agentops.span.kind", "session"), ("tier", "bare"), ("model", "gpt-5"), ("group_id", "g"), ("a:b", 1), ("n", 7)),
    (("agentops.span.kind", '"Session"'), ("plan", " "), ("ok", True), ("list", ["x"]), ("session_id", "s1")),
    (("agentops.span.kind", "task"), ("tier", "bare")),
    (("tier", "bare"), ("usage", "bare")),
)
_METADATA: list[Pairs] = [
    *[
        ((prefix + name, value),)
        for prefix in tables.METADATA_PREFIXES
        for name in LABEL_NAMES
        for value in LABEL_VALUES[:8]
    ],
    *[((prefix + "tier", value),) for prefix in tables.METADATA_PREFIXES for value in LABEL_VALUES],
]
_BLOBS = [pairs for key in tables.METADATA_BLOBS for pairs in _json_forms(key, BLOBS)]

ENDS: tuple[Pairs, ...] = (
    (("agentops.span.kind", "session"), ("agentops.session.end_state", "Success")),
    (("agentops.span.kind", "session"), ("agentops.session.end_state", "StatusCode.ERROR")),
    (("agentops.span.kind", "session"), ("agentops.session.end_state", "tracestate.unset")),
    (("agentops.span.kind", "session"), ("agentops.session.end_state", "Whatever")),
    (("agentops.span.kind", "SESSION"), ("agentops.session.end_state", '"fail"')),
    (("agentops.span.kind", "session"), ("agentops.session.end_state", 7)),
    (("agentops.span.kind", "agent"), ("agentops.session.end_state", "Success")),
    (("agentops.session.end_state", "Success"),),
    (("agentops.session.end_state_reason", "done"),),
    (("agentops.session.end_state_reason", "null"), ("langfuse.observation.status_message", "rate limit")),
    (("langfuse.observation.status_message", "long ☃" * 100),),
)
RESPONSES: tuple[Pairs, ...] = (
    (("gen_ai.response.id", "r1"),),
    (("gen_ai.response.id", " r2 "),),
    (("gen_ai.response.id", "null"), ("ai.response.id", '"r1"')),
    (("ai.response.id", "r2"),),
    (("request_id", "r1"),),
    (("span.type", "llm_request"), ("request_id", "r1")),
)
TIMES = (0.25, "0.5", 1, 0, 0.0000000005, 0.0000000015, 0.42, 1e-7, 0.0001, '"2"', 86400, 1400, 820)
NO_TIMES = (-1, -0.5, 1e9, math.nan, math.inf, "soon", True, None, "", [1])
MOMENTS = (
    "2027-01-15T07:00:05.010Z",
    '"2027-01-15T07:00:00.500000+00:00"',
    "2027-01-15T08:00:00.25+01:00",
    "2027-01-15T07:00:02Z",
    "2027-01-15T07:00:05.123456789Z",
    "2027-01-15T06:59:59Z",
    "2027-13-15T07:00:00Z",
    "2027-01-15T07:00:05",
    "soon",
    "",
    5,
)
_TIMES: list[Pairs] = [
    *[((key, value),) for key, _ in tables.TTFT for value in (*TIMES, *NO_TIMES)],
    *[(("langfuse.observation.completion_start_time", value),) for value in MOMENTS] * 4,
    *[(("gen_ai.server.time_to_first_token", value), ("gen_ai.system", "strands-agents")) for value in TIMES[:4]],
    *[(("gen_ai.server.time_to_first_token", value), ("ttft_ms", 5)) for value in (820, -1)],
]
DERIVED: tuple[Pairs, ...] = (
    (("@agentuity/threadId", "thrd_1"),),
    (("@agentuity/", ""),),
    (("agentops.span.kind", "agent"),),
    (("agentops.span.kind", "task"), ("@agentuity/env", "dev")),
)

# --- All of it ---


def _attributes(keys: Sequence[str], values: Sequence[Any], *, one_in: int) -> st.SearchStrategy[Pairs]:
    """One attribute of a precedence table on one span in `one_in`: a single draw, which keeps generation fast."""
    return _one_of([((key, value),) for key in keys for value in values], one_in=one_in)


def _one_of(present: Sequence[Pairs], *, one_in: int) -> st.SearchStrategy[Pairs]:
    """One line of the table on one span in `one_in`."""
    return st.sampled_from([()] * (len(present) * (one_in - 1)) + list(present))


def _plain(*lists: tuple[Entry, ...]) -> tuple[str, ...]:
    """The keys that are read as they stand."""
    return tuple(entry.key for entries in lists for entry in entries if not entry.form)


_COST_KEYS = _plain(tables.COSTS, *tables.COST_PAIRS, tables.INPUT_COSTS, tables.OUTPUT_COSTS)
_TOKEN_KEYS = _plain(tables.INPUT_TOKENS, tables.OUTPUT_TOKENS, tables.TOTAL_TOKENS)
_DETAIL_KEYS = _plain(
    tables.CACHE_READ_TOKENS, tables.CACHE_WRITE_TOKENS, tables.CACHE_WRITE_1H_TOKENS, tables.REASONING_TOKENS
)

_USAGE: tuple[Pairs, ...] = (
    *[()] * 24,
    *[(("gen_ai.usage.input_tokens", i), ("gen_ai.usage.output_tokens", o)) for i in TOKENS for o in (3, "4", 0)],
    *[(("llm.token_count.prompt", tokens), ("llm.token_count.total", 99)) for tokens in TOKENS],
    *[(("gen_ai.usage.total_tokens", tokens),) for tokens in TOKEN_VALUES],
)
_KINDS = [((entry.key, value),) for entry, kinds in tables.SPAN_KINDS if not entry.form for value in kinds]

span_attributes: st.SearchStrategy[list[tuple[str, Any]]] = st.tuples(
    st.sampled_from([*KINDS, *KINDS, *KINDS, *_KINDS]),
    st.sampled_from(_USAGE),
    _one_of(EXCLUSIVE, one_in=8),
    _one_of(_JSON_USAGE, one_in=5),
    _attributes(_TOKEN_KEYS, TOKEN_VALUES, one_in=3),
    _attributes(_DETAIL_KEYS, TOKEN_VALUES, one_in=3),
    _attributes(_DETAIL_KEYS, (1, 2, 300, "5"), one_in=4),
    _attributes(_COST_KEYS, COST_VALUES, one_in=2),
    _attributes(_COST_KEYS, COST_VALUES, one_in=4),
    _attributes(_plain(tables.STRONG_SESSION_IDS), ID_VALUES, one_in=2),
    _attributes(_plain(tables.STRONG_SESSION_IDS, tables.WEAK_SESSION_IDS), ID_VALUES, one_in=3),
    _one_of(DERIVED, one_in=8),
    _attributes(_plain(tables.SESSION_NAMES), TEXT_VALUES, one_in=2),
    _attributes(_plain(tables.USER_IDS, tables.THREAD_IDS), (*TEXT_VALUES, "42"), one_in=2),
    _attributes(_plain(tables.MODELS, tables.REQUEST_MODELS), MODELS, one_in=2),
    _attributes(_plain(tables.PROVIDERS), (*PROVIDERS, *NO_PROVIDERS), one_in=2),
    _one_of(RESPONSES, one_in=3),
    _attributes(tables.keys(tables.TAGS), TAG_VALUES, one_in=3),
    _one_of(_METADATA, one_in=3),
    _one_of(_METADATA, one_in=4),
    _one_of([*_BLOBS, *BARE * 20], one_in=4),
    _attributes(_plain(tables.ENVIRONMENTS), TEXT_VALUES, one_in=4),
    _one_of(ENDS, one_in=6),
    _one_of(_TIMES, one_in=3),
    st.sampled_from(ERRORS),
    st.sampled_from(ODD),
).map(lambda parts: [pair for part in parts for pair in part])
