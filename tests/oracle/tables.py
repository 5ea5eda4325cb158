"""The precedence tables, written out from attributes.yaml: the entries that read one attribute as it stands.

Must not be imported by, or import from, the product: a table with a mistake in it would then agree with itself.

Left out, as a later issue: every `form: json:...` or `langfuse_usage` entry, `expr` names, `derived_from_trace`,
`exclusive` input, cache and reasoning tokens, tags, metadata, environment, end state, time to first token.
"""

from __future__ import annotations

STRONG_SESSION_IDS = (
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
    "session_id",
    "sessionId",
)

WEAK_SESSION_IDS = (
    "thread_id",
    "gen_ai.conversation.id",
    "group_id",
    "langsmith.metadata.conversation_id",
    "langsmith.metadata.thread_id",
    "wandb.thread_id",
    "voltagent.conversation_id",
)

RESOURCE_SESSION_ID = "session.id"

# Common words as bare attributes: read only where the attribute is a string.
ONLY_IF_STRING = {"session_id", "sessionId", "thread_id"}
# Where the string is a number it is a thread of the operating system.
ONLY_IF_NOT_NUMERIC = {"thread_id"}

# The place in this list is the `session_name_rank`.
SESSION_NAMES = (
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
    "agentmark.prompt_name",
    "ai.telemetry.metadata.prompt_name",
    "agentmark.trace_name",
    "langfuse.trace.name",
)

USER_IDS = (
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

THREAD_IDS = (
    "@agentuity/threadId",
    "thread_id",
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

INPUT_TOKENS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    "llm.usage.prompt_tokens",
    "input_tokens",
)

OUTPUT_TOKENS = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "llm.usage.completion_tokens",
    "output_tokens",
)

TOTAL_TOKENS = (
    "gen_ai.usage.total_tokens",
    "llm.usage.total_tokens",
    "llm.token_count.total",
    "ai.usage.totalTokens",
)

# Bare words that mean usage on a Claude Code request only.
ONLY_IF_CLAUDE_CODE_REQUEST = {"input_tokens", "output_tokens"}
CLAUDE_CODE_REQUEST_TYPES = {"llm_request", "claude_code.llm_request"}
CLAUDE_CODE_REQUEST_NAME = "claude_code.llm_request"

# In order; an entry of several keys is their sum.
COSTS = (
    ("gen_ai.usage.cost",),
    ("gen_ai.usage.total_cost",),
    ("llm.cost.total",),
    ("operation.cost",),
    ("gen_ai.cost.total_cost",),
    ("litellm.cost.total",),
    ("gen_ai.usage.input_cost", "gen_ai.usage.output_cost"),
    ("llm.cost.prompt", "llm.cost.completion"),
)

MODELS = (
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

PROVIDERS = (
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "ai.model.provider",
    "aisdk.model.provider",
    "mlflow.llm.provider",
    "llm.system",
)

NOT_A_PROVIDER = {
    "microsoft.agent_framework",
    "langchain",
    "strands-agents",
    "strands_agents",
    "gcp.vertex.agent",
    "ag2",
    "crewai",
    "openai_agents",
    "google_adk",
    "claude_agent_sdk",
    "agent_framework",
    "litellm",
    "pydantic_ai",
    "spring_ai",
    "llama_index",
    "haystack",
    "agno",
    "smolagents",
    "langgraph",
    "browser_use",
}

PROVIDERS_KEPT_WHOLE = ("gcp.", "az.ai.", "azure.ai.", "aws.bedrock", "ibm.watsonx.ai")

# (attribute, its values in lower case -> kind), in order.
SPAN_KINDS = (
    (
        "agentmark.span.kind",
        {
            "llm": "llm",
            "agent": "agent",
            "tool": "tool",
            "retrieval": "retrieval",
            "embedding": "embedding",
            "guardrail": "other",
            "function": "chain",
        },
    ),
    (
        "langfuse.observation.type",
        {
            "generation": "llm",
            "embedding": "embedding",
            "agent": "agent",
            "tool": "tool",
            "chain": "chain",
            "retriever": "retrieval",
            "evaluator": "other",
            "guardrail": "other",
            "event": "other",
        },
    ),
    (
        "lmnr.span.type",
        {
            "llm": "llm",
            "cached": "other",
            "tool": "tool",
            "executor": "chain",
            "evaluator": "other",
            "evaluation": "chain",
        },
    ),
    (
        "openinference.span.kind",
        {
            "llm": "llm",
            "embedding": "embedding",
            "agent": "agent",
            "tool": "tool",
            "chain": "chain",
            "retriever": "retrieval",
            "reranker": "retrieval",
            "guardrail": "other",
            "evaluator": "other",
            "prompt": "other",
            "decision": "other",
        },
    ),
    (
        "traceloop.span.kind",
        {
            "workflow": "chain",
            "task": "chain",
            "agent": "agent",
            "tool": "tool",
            "llm": "llm",
        },
    ),
    (
        "agentops.span.kind",
        {
            "session": "session",
            "workflow": "chain",
            "task": "chain",
            "operation": "chain",
            "chain": "chain",
            "agent": "agent",
            "tool": "tool",
            "llm": "llm",
        },
    ),
    (
        "langsmith.span.kind",
        {
            "llm": "llm",
            "chat_model": "llm",
            "embedding": "embedding",
            "tool": "tool",
            "chain": "chain",
            "retriever": "retrieval",
            "prompt": "other",
            "parser": "other",
        },
    ),
    (
        "gen_ai.operation.name",
        {
            "chat": "llm",
            "chat.completions": "llm",
            "text_completion": "llm",
            "completion": "llm",
            "generate_content": "llm",
            "generate": "llm",
            "response": "llm",
            "llm_call": "llm",
            "embeddings": "embedding",
            "invoke_agent": "agent",
            "create_agent": "agent",
            "agent_call": "agent",
            "agent_step": "chain",
            "invoke_workflow": "chain",
            "plan": "chain",
            "execute_event_loop_cycle": "chain",
            "execute_tool": "tool",
            "tool_call": "tool",
            "retrieval": "retrieval",
            "rerank": "retrieval",
            "framework": "chain",
            "handoff": "other",
        },
    ),
    (
        "ai.operationId",
        {
            "ai.generatetext.dogenerate": "llm",
            "ai.streamtext.dostream": "llm",
            "ai.generateobject.dogenerate": "llm",
            "ai.streamobject.dostream": "llm",
            "ai.embed.doembed": "embedding",
            "ai.embedmany.doembed": "embedding",
            "ai.toolcall": "tool",
            "ai.generatetext": "agent",
            "ai.streamtext": "agent",
            "ai.generateobject": "agent",
            "ai.streamobject": "agent",
            "ai.embed": "chain",
            "ai.embedmany": "chain",
        },
    ),
    (
        "mlflow.spanType",
        {
            "llm": "llm",
            "chat_model": "llm",
            "embedding": "embedding",
            "agent": "agent",
            "tool": "tool",
            "chain": "chain",
            "retriever": "retrieval",
        },
    ),
    (
        "llm.request.type",
        {
            "chat": "llm",
            "completion": "llm",
            "embedding": "embedding",
            "rerank": "retrieval",
        },
    ),
    (
        "span.type",
        {
            "claude_code.llm_request": "llm",
            "llm_request": "llm",
            "claude_code.tool": "tool",
            "tool": "tool",
            "claude_code.interaction": "agent",
            "interaction": "agent",
            "llm": "llm",
            "agent": "agent",
        },
    ),
)

# (any of these attributes, kind), after everything above found nothing.
SPAN_KINDS_BY_PRESENCE = (
    (("gen_ai.tool.name", "gen_ai.tool.call.id"), "tool"),
    (("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "langfuse.observation.model.name"), "llm"),
)
