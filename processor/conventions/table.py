"""Which attribute means what: the precedence lists, as data.

In every list the first key with a usable value wins; two keys of one list are never summed. Adding an instrumentation
is a line here and a sample in the tests. What can't be said as a key, a form and a condition does not belong here.

Source: the researched rules in `tests/data/attributes.yaml`, which names for each key the SDK and file it comes from;
a test holds this table against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from processor.model import AGENT, CHAIN, EMBEDDING, LLM, OTHER, RETRIEVAL, SESSION, TOOL, Strength

# Conditions under which a key counts; `conventions.pick` evaluates them.
STRING: Final = "string"  # the attribute is a string
NON_NUMERIC_STRING: Final = "non_numeric_string"  # ... and not a number: a bare thread_id may be an OS thread
CLAUDE_CODE_LLM_REQUEST: Final = "claude_code_llm_request"  # the span is Claude Code's model request


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute key and the condition under which it counts."""

    name: str
    only_if: str = ""


def _keys(*names: str | Key) -> tuple[Key, ...]:
    return tuple(name if isinstance(name, Key) else Key(name) for name in names)


_STRONG_SESSION_ID: Final = _keys(
    "agentmark.session_id",
    "lmnr.association.properties.session_id",
    "langfuse.session.id",
    "session.id",
    "traceloop.association.properties.session_id",
    "agentmark.metadata.session_id",
    "ai.telemetry.metadata.sessionId",
    "ai.telemetry.metadata.session_id",
    "ai.settings.context.sessionId",
    "ai.settings.context.session_id",
    "langsmith.metadata.session_id",
    "langfuse.trace.metadata.langfuse_session_id",
    "langfuse.observation.metadata.langfuse_session_id",
    "mlflow.trace.session",
    "gcp.vertex.agent.session_id",
    "anthropic.session.id",
    "gen_ai.session.id",
    "mastra.metadata.sessionId",
    "genkit:metadata:sessionId",
    Key("session_id", STRING),
    Key("sessionId", STRING),
)
_WEAK_SESSION_ID: Final = _keys(
    Key("thread_id", NON_NUMERIC_STRING),
    "gen_ai.conversation.id",
    "group_id",
    "langsmith.metadata.conversation_id",
    "langsmith.metadata.thread_id",
    "wandb.thread_id",
    "voltagent.conversation_id",
)
SESSION_ID: Final = _STRONG_SESSION_ID + _WEAK_SESSION_ID
SESSION_STRENGTHS: Final = (Strength.STRONG,) * len(_STRONG_SESSION_ID) + (Strength.WEAK,) * len(_WEAK_SESSION_ID)
RESOURCE_SESSION_ID: Final = "session.id"

SESSION_NAME: Final = _keys(
    "agentmark.session_name",
    "agentmark.metadata.session_name",
    "ai.telemetry.metadata.sessionName",
    "ai.telemetry.metadata.session_name",
    "ai.settings.context.sessionName",
    "gen_ai.conversation.name",
    "traceloop.association.properties.session_name",
    "lmnr.association.properties.metadata.session_name",
    "langsmith.metadata.session_name",
    "langfuse.trace.metadata.session_name",
    # Fallbacks: names of something smaller than the session, good enough when nobody named the session itself.
    "agentmark.prompt_name",
    "ai.telemetry.metadata.prompt_name",
    "agentmark.trace_name",
    "langfuse.trace.name",
)

USER_ID: Final = _keys(
    "agentmark.user_id",
    "lmnr.association.properties.user_id",
    "langfuse.user.id",
    "user.id",
    "traceloop.association.properties.user_id",
    "agentmark.metadata.user_id",
    "ai.telemetry.metadata.userId",
    "ai.telemetry.metadata.user_id",
    "ai.settings.context.userId",
    "ai.settings.context.user_id",
    "langsmith.metadata.user_id",
    "langfuse.trace.metadata.langfuse_user_id",
    "langfuse.observation.metadata.langfuse_user_id",
    "mlflow.trace.user",
    "mastra.metadata.userId",
    "genkit:metadata:userId",
    "llm.openai.user",
    "litellm.end_user.id",
    "metadata.user_api_key_end_user_id",
    "enduser.id",
    "enduser.pseudo.id",
    "gen_ai.user.id",
    "gen_ai.user",
    "gen_ai.request.user",
    "llm.user",
)

THREAD_ID: Final = _keys(
    "@agentuity/threadId",
    Key("thread_id", NON_NUMERIC_STRING),
    "gen_ai.conversation.id",
    "anthropic.session.thread.id",
    "langsmith.metadata.thread_id",
    "langsmith.metadata.conversation_id",
    "wandb.thread_id",
    "ai.telemetry.metadata.threadId",
    "ai.telemetry.metadata.conversationId",
    "traceloop.association.properties.thread_id",
    "traceloop.association.properties.conversation_id",
    "voltagent.conversation_id",
)

MODEL: Final = _keys(
    "langfuse.observation.model.name",
    "gen_ai.response.model",
    "ai.response.model",
    "gen_ai.request.model",
    "llm.response.model",
    "llm.model_name",
    "ai.model.id",
    "aisdk.model.id",
    "embedding.model_name",
    "mlflow.llm.model",
    "model",
    "model_name",
)

PROVIDER: Final = _keys(
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "ai.model.provider",
    "aisdk.model.provider",
    "mlflow.llm.provider",
    "llm.system",
)
NOT_A_PROVIDER: Final = frozenset(
    {
        "microsoft.agent_framework", "langchain", "strands-agents", "strands_agents", "gcp.vertex.agent", "ag2",
        "crewai", "openai_agents", "google_adk", "claude_agent_sdk", "agent_framework", "litellm", "pydantic_ai",
        "spring_ai", "llama_index", "haystack", "agno", "smolagents", "langgraph", "browser_use",
    }
)  # fmt: skip
DOTTED_PROVIDER_PREFIXES: Final = ("gcp.", "az.ai.", "azure.ai.", "aws.bedrock", "ibm.watsonx.ai")

INPUT_TOKENS: Final = _keys(
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    "llm.usage.prompt_tokens",
    Key("input_tokens", CLAUDE_CODE_LLM_REQUEST),
)
OUTPUT_TOKENS: Final = _keys(
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "llm.usage.completion_tokens",
    Key("output_tokens", CLAUDE_CODE_LLM_REQUEST),
)
TOTAL_TOKENS: Final = _keys(
    "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens"
)

COST: Final = _keys(
    "gen_ai.usage.cost",
    "gen_ai.usage.total_cost",
    "llm.cost.total",
    "operation.cost",
    "gen_ai.cost.total_cost",
    "litellm.cost.total",
)
COST_SUMS: Final = (
    (Key("gen_ai.usage.input_cost"), Key("gen_ai.usage.output_cost")),
    (Key("llm.cost.prompt"), Key("llm.cost.completion")),
)

KIND: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    (
        "agentmark.span.kind",
        {
            "llm": LLM, "agent": AGENT, "tool": TOOL, "retrieval": RETRIEVAL, "embedding": EMBEDDING,
            "guardrail": OTHER, "function": CHAIN,
        },
    ),
    (
        "langfuse.observation.type",  # 'span' says nothing: the next key decides
        {
            "generation": LLM, "embedding": EMBEDDING, "agent": AGENT, "tool": TOOL, "chain": CHAIN,
            "retriever": RETRIEVAL, "evaluator": OTHER, "guardrail": OTHER, "event": OTHER,
        },
    ),
    (
        "lmnr.span.type",  # a CACHED call is a replay: not billed
        {"llm": LLM, "cached": OTHER, "tool": TOOL, "executor": CHAIN, "evaluator": OTHER, "evaluation": CHAIN},
    ),
    (
        "openinference.span.kind",
        {
            "llm": LLM, "embedding": EMBEDDING, "agent": AGENT, "tool": TOOL, "chain": CHAIN, "retriever": RETRIEVAL,
            "reranker": RETRIEVAL, "guardrail": OTHER, "evaluator": OTHER, "prompt": OTHER, "decision": OTHER,
        },
    ),
    ("traceloop.span.kind", {"workflow": CHAIN, "task": CHAIN, "agent": AGENT, "tool": TOOL, "llm": LLM}),
    (
        "agentops.span.kind",
        {
            "session": SESSION, "workflow": CHAIN, "task": CHAIN, "operation": CHAIN, "chain": CHAIN, "agent": AGENT,
            "tool": TOOL, "llm": LLM,
        },
    ),
    (
        "langsmith.span.kind",  # before gen_ai.operation.name, which LangSmith sets wrongly on retrievers and prompts
        {
            "llm": LLM, "chat_model": LLM, "embedding": EMBEDDING, "tool": TOOL, "chain": CHAIN,
            "retriever": RETRIEVAL, "prompt": OTHER, "parser": OTHER,
        },
    ),
    (
        "gen_ai.operation.name",
        {
            "chat": LLM, "chat.completions": LLM, "text_completion": LLM, "completion": LLM, "generate_content": LLM,
            "generate": LLM, "response": LLM, "llm_call": LLM, "embeddings": EMBEDDING, "invoke_agent": AGENT,
            "create_agent": AGENT, "agent_call": AGENT, "agent_step": CHAIN, "invoke_workflow": CHAIN, "plan": CHAIN,
            "execute_event_loop_cycle": CHAIN, "execute_tool": TOOL, "tool_call": TOOL, "retrieval": RETRIEVAL,
            "rerank": RETRIEVAL, "framework": CHAIN, "handoff": OTHER,
        },
    ),
    (
        "ai.operationId",  # ai.generateText and its like wrap the call that bills: agents, not model calls
        {
            "ai.generatetext.dogenerate": LLM, "ai.streamtext.dostream": LLM, "ai.generateobject.dogenerate": LLM,
            "ai.streamobject.dostream": LLM, "ai.embed.doembed": EMBEDDING, "ai.embedmany.doembed": EMBEDDING,
            "ai.toolcall": TOOL, "ai.generatetext": AGENT, "ai.streamtext": AGENT, "ai.generateobject": AGENT,
            "ai.streamobject": AGENT, "ai.embed": CHAIN, "ai.embedmany": CHAIN,
        },
    ),
    (
        "mlflow.spanType",
        {
            "llm": LLM, "chat_model": LLM, "embedding": EMBEDDING, "agent": AGENT, "tool": TOOL, "chain": CHAIN,
            "retriever": RETRIEVAL,
        },
    ),
    ("llm.request.type", {"chat": LLM, "completion": LLM, "embedding": EMBEDDING, "rerank": RETRIEVAL}),
    (
        "span.type",
        {
            "claude_code.llm_request": LLM, "llm_request": LLM, "claude_code.tool": TOOL, "tool": TOOL,
            "claude_code.interaction": AGENT, "interaction": AGENT, "llm": LLM, "agent": AGENT,
        },
    ),
)  # fmt: skip
# Only when nothing above matched: OpenLIT puts gen_ai.tool.name on chat spans.
KIND_BY_PRESENCE: Final = (
    (("gen_ai.tool.name", "gen_ai.tool.call.id"), TOOL),
    (("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "langfuse.observation.model.name"), LLM),
)

CLAUDE_CODE_SPAN_TYPES: Final = frozenset({"llm_request", "claude_code.llm_request"})
CLAUDE_CODE_SPAN_NAME: Final = "claude_code.llm_request"

ERROR_TYPE: Final = "error.type"
ERROR_LEVEL: Final = "langfuse.observation.level"
EXCEPTION_EVENT: Final = "exception"
SUCCESS: Final = "success"

# Spans that stay in otel_traces but take no part in rollups: (key, text of the value).
SKIP: Final = (("logfire.span_type", "pending_span"), ("lmnr.internal.metadata_only", "true"))
