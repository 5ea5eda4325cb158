"""The stand-in's answers as Anthropic's messages API gives them: whole, or as the events of a stream."""

from __future__ import annotations

import json
from typing import Any

from tests.sdks.billing import Usage

PROVIDER = "anthropic"
_PLAIN = Usage(input_tokens=389, output_tokens=41, cache_write_tokens=192)
_TOOL_CALL = Usage(input_tokens=467, output_tokens=33, cached_tokens=128)
_TOOL_ANSWER = Usage(input_tokens=598, output_tokens=57, cached_tokens=320)
_STREAM = Usage(input_tokens=1_211, output_tokens=199, cached_tokens=768, cache_write_tokens=256)


def usage(request: dict[str, Any]) -> Usage:
    """What a call costs: fixed, by what is asked."""
    if request.get("stream"):
        return _STREAM
    if _answers_tool(request):
        return _TOOL_ANSWER
    return _TOOL_CALL if request.get("tools") else _PLAIN


def message(number: int, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    asks_tool = bool(request.get("tools")) and not _answers_tool(request)
    text = {"type": "text", "text": "Lisbon is in Portugal."}
    tool_use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Lisbon"}}
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [tool_use if asks_tool else text],
        "stop_reason": "tool_use" if asks_tool else "end_turn",
        "stop_sequence": None,
        "usage": _usage(usage(request)),
    }


def events(number: int, request: dict[str, Any]) -> str:
    """The same as a stream: the start tells the input, the end the output."""
    whole = message(number, request)
    (block,) = whole["content"]
    start = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    told = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": block["text"]}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": whole["usage"]["output_tokens"]}},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in told)


def error(model: str) -> dict[str, Any]:
    """The refusal of an unknown model."""
    return {"type": "error", "error": {"type": "not_found_error", "message": f"model: {model}"}}


def _answers_tool(request: dict[str, Any]) -> bool:
    content = request["messages"][-1]["content"]
    return isinstance(content, list) and any(block["type"] == "tool_result" for block in content)


def _usage(billed: Usage) -> dict[str, Any]:
    """Here the input leaves out what is read from or written to the cache."""
    return {
        "input_tokens": billed.input_tokens - billed.cached_tokens - billed.cache_write_tokens,
        "output_tokens": billed.output_tokens,
        "cache_read_input_tokens": billed.cached_tokens,
        "cache_creation_input_tokens": billed.cache_write_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": billed.cache_write_tokens, "ephemeral_1h_input_tokens": 0},
    }
