"""What an application does in a turn, with OpenAI's own client. It knows nothing of sessions and spans."""

from __future__ import annotations

import json
from typing import Any

import openai
import scenario
from scenario import METADATA, TAGS, UNKNOWN_MODEL

__all__ = ["METADATA", "TAGS", "base_url", "play"]

MODEL, REASONING_MODEL, EMBEDDING_MODEL = "gpt-4o-mini", "gpt-5-mini", "text-embedding-3-small"

_WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def play(turn: scenario.Turn) -> None:
    """Both conversations."""
    scenario.play(turn, plain, tool, stream, failing, openai.NotFoundError)


def base_url(session: str) -> str:
    """The stand-in model API that bills this session; any key will do."""
    return f"{scenario.model_server_url(session)}/v1"


def plain(client: Any) -> Any:
    """One model call, after a look at an index."""
    client.embeddings.create(model=EMBEDDING_MODEL, input="Where is Lisbon?")
    return client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Where is Lisbon?"}], temperature=0
    )


def tool(client: Any) -> Any:
    """Two model calls: one asks for a tool, the other answers with its result."""
    messages: list[Any] = [{"role": "user", "content": "What is the weather there?"}]
    asked = client.chat.completions.create(model=MODEL, messages=messages, tools=[_WEATHER])
    (call,) = asked.choices[0].message.tool_calls
    result = {"city": json.loads(call.function.arguments)["city"], "sky": "clear"}
    messages += [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)},
    ]
    return client.chat.completions.create(model=MODEL, messages=messages, tools=[_WEATHER])


def stream(client: Any) -> str:
    """One model call, streamed, usage included."""
    chunks = client.chat.completions.create(
        model=REASONING_MODEL,
        messages=[{"role": "user", "content": "And tomorrow?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def failing(client: Any) -> Any:
    """One model call that the API refuses."""
    return client.chat.completions.create(model=UNKNOWN_MODEL, messages=[{"role": "user", "content": "Hello?"}])
