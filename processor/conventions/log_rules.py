"""Which log records report a model call, and which of their attributes say what: data.

Emitters and their sources:
- Claude Code, `code.claude.com/docs/en/monitoring-usage`, "API request event", "API error event": the record's body is
  `claude_code.api_request`, its attribute `event.name` only `api_request`; `input_tokens` leaves cached tokens out (the
  API's own count). Records bear no trace context that the documentation would promise; its spans, where tracing is on,
  bear the same `request_id` and `client_request_id`.
- Codex, openai/codex `codex-rs/otel/src/events/session_telemetry.rs`, `sse_event_completed`: counts as strings, cached
  and (newer) cache-write tokens within the input, reasoning within the output; the session is `conversation.id`, no id
  of the call, no cost. Made by `log_and_trace_event!`: as a log record, and, where tracing is on, as an event of the
  span around it, whose context the record then bears; newer releases put `gen_ai.usage.*` on that span as well.
- Gemini CLI, google-gemini/gemini-cli `packages/core/src/telemetry/types.ts`, `ApiResponseEvent`: thoughts are beside
  the output, tokens of tool results (`toolUsePromptTokenCount`) beside the input, cached ones within.
  `toSemanticLogRecord` of the same event says it again as `gen_ai.client.inference.operation.details`, which is not
  read from Gemini CLI.
- GenAI conventions, open-telemetry/semantic-conventions-genai, `gen_ai.client.inference.operation.details`: the
  attributes of the model call's span, whose context the record bears; read by the rules of spans (real ones: OpenLIT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from processor.conventions.rules import Key, Keys

GENAI_EVENT: Final = "gen_ai.client.inference.operation.details"
GEMINI_CLI: Final = "gemini-cli"
"""Scope and service of Gemini CLI: what says a call again that one of its own events says."""

CLAUDE_CODE_SCOPE: Final = "com.anthropic.claude_code"
CLAUDE_CODE_EVENTS: Final = "claude_code."
"""What stands before the names of its events in the body, and not in `event.name`."""


@dataclass(frozen=True, slots=True)
class CallRule:
    """One emitter's records about calls.

    `events`: names of events; `failed`: those of them that say that a call failed. `only_if`: an attribute, its word.
    `user_id`: where the rules of spans find none. `call_id`: the first key is that of the API.
    """

    events: tuple[str, ...]
    provider: str
    input: tuple[Keys, ...]  # added up
    output: tuple[Keys, ...]  # added up
    cache_read: Keys
    cache_write: Keys = ()
    reasoning: Keys = ()
    input_includes_cached: bool = True
    cost: Keys = ()
    duration_ms: Keys = (Key("duration_ms"),)
    ttft_ms: Keys = ()
    user_id: Keys = ()
    turn_id: Keys = ()
    call_id: Keys = ()
    failed: tuple[str, ...] = ()
    error_message: Keys = ()
    only_if: tuple[Key, str] | None = None


def _keys(*names: str) -> Keys:
    return tuple(Key(name) for name in names)


RULES: Final = (
    CallRule(
        events=("claude_code.api_request", "claude_code.api_error"),
        failed=("claude_code.api_error",),
        provider="anthropic",
        input=(_keys("input_tokens"),),
        output=(_keys("output_tokens"),),
        cache_read=_keys("cache_read_tokens"),
        cache_write=_keys("cache_creation_tokens"),
        input_includes_cached=False,
        cost=_keys("cost_usd"),
        user_id=_keys("user.account_uuid", "user.email"),
        turn_id=_keys("prompt.id"),
        call_id=_keys("request_id", "client_request_id"),
        error_message=_keys("error"),
    ),
    CallRule(
        events=("codex.sse_event",),
        only_if=(Key("event.kind"), "response.completed"),
        provider="openai",
        input=(_keys("input_token_count"),),
        output=(_keys("output_token_count"),),
        cache_read=_keys("cached_token_count"),
        cache_write=_keys("cache_write_token_count"),
        reasoning=_keys("reasoning_token_count"),
        ttft_ms=_keys("ttft_ms"),
        user_id=_keys("user.account_id", "user.email"),
        call_id=_keys("response.id"),
        error_message=_keys("error.message"),
    ),
    CallRule(
        events=("gemini_cli.api_response", "gemini_cli.api_error"),
        failed=("gemini_cli.api_error",),
        provider="gcp.gemini",
        input=(_keys("input_token_count"), _keys("tool_token_count")),
        output=(_keys("output_token_count"), _keys("thoughts_token_count")),
        cache_read=_keys("cached_content_token_count"),
        reasoning=_keys("thoughts_token_count"),
        user_id=_keys("user.email", "installation.id"),
        turn_id=_keys("prompt_id"),
        error_message=_keys("error", "error.message", "error_message"),
    ),
)
