"""What an application does in a turn, with Anthropic's own client. It knows nothing of sessions and spans."""

from __future__ import annotations

from typing import Any

import anthropic
import scenario

MODEL = "claude-sonnet-4-5"
_TOKENS_MAX = 256
_WEATHER = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def play(turn: scenario.Turn) -> None:
    """Both conversations."""
    scenario.play(turn, plain, tool, stream, failing, anthropic.NotFoundError)


def plain(client: Any) -> Any:
    """One model call."""
    return _ask(client, [{"role": "user", "content": "Where is Lisbon?"}])


def tool(client: Any) -> Any:
    """Two model calls: one asks for a tool, the other answers with its result."""
    messages: list[Any] = [{"role": "user", "content": "What is the weather there?"}]
    asked = _ask(client, messages, tools=[_WEATHER])
    (call,) = [block for block in asked.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "clear"}
    messages += [{"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]}]
    return _ask(client, messages, tools=[_WEATHER])


def stream(client: Any) -> str:
    """One model call, streamed."""
    messages = [{"role": "user", "content": "And tomorrow?"}]
    with client.messages.stream(model=MODEL, max_tokens=_TOKENS_MAX, messages=messages) as events:
        return "".join(events.text_stream)


def failing(client: Any) -> Any:
    """One model call that the API refuses."""
    messages = [{"role": "user", "content": "Hello?"}]
    return client.messages.create(model=scenario.UNKNOWN_MODEL, max_tokens=_TOKENS_MAX, messages=messages)


def _ask(client: Any, messages: list[Any], **options: Any) -> Any:
    return client.messages.create(model=MODEL, max_tokens=_TOKENS_MAX, messages=messages, **options)
