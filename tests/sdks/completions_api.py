"""The stand-in's answers as OpenAI's API gives them: chat completions, whole or as a stream, and embeddings."""

from __future__ import annotations

import json
from typing import Any

from tests.sdks.billing import Usage

PROVIDER = "openai"
# Every number is different, so that a sum that is right is right for each of its parts.
_PLAIN = Usage(input_tokens=412, output_tokens=37)
_TOOL_CALL = Usage(input_tokens=523, output_tokens=29, cached_tokens=128)
_TOOL_ANSWER = Usage(input_tokens=641, output_tokens=53, cached_tokens=256)
_STREAM = Usage(input_tokens=1_536, output_tokens=241, cached_tokens=1_024, reasoning_tokens=64)
_EMBEDDING = Usage(input_tokens=9)

_DATED = {"gpt-4o-mini": "gpt-4o-mini-2024-07-18", "gpt-5-mini": "gpt-5-mini-2025-08-07"}
_CHUNK_CHARACTERS = 8


def usage(request: dict[str, Any]) -> Usage:
    """What a call costs: fixed, by what is asked."""
    if "input" in request:
        return _EMBEDDING
    if request.get("stream"):
        return _STREAM
    if _answers_tool(request):
        return _TOOL_ANSWER
    return _TOOL_CALL if request.get("tools") else _PLAIN


def completion(number: int, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a chat request."""
    if request.get("tools") and not _answers_tool(request):
        function = {"name": request["tools"][0]["function"]["name"], "arguments": '{"city": "Lisbon"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        reason, content = "tool_calls", {"content": None, "tool_calls": [call]}
    else:
        reason, content = "stop", {"content": "Lisbon is in Portugal."}
    message = {"role": "assistant", "refusal": None} | content
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return _head(number, request, "chat.completion") | {"choices": [choice], "usage": _usage(usage(request))}


def chunks(number: int, request: dict[str, Any]) -> str:
    """The same as a stream. As the API does: without include_usage nothing says what it cost."""
    text = "Lisbon has three sunny days ahead of it."
    parts = [text[start : start + _CHUNK_CHARACTERS] for start in range(0, len(text), _CHUNK_CHARACTERS)]
    deltas = [{"role": "assistant", "content": ""}, *({"content": part} for part in parts)]
    told: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    told.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if (request.get("stream_options") or {}).get("include_usage"):
        told = [{**chunk, "usage": None} for chunk in told] + [{"choices": [], "usage": _usage(usage(request))}]
    head = _head(number, request, "chat.completion.chunk")
    return "".join([*(f"data: {json.dumps(head | chunk)}\n\n" for chunk in told), "data: [DONE]\n\n"])


def embeddings(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request for embeddings."""
    # The official clients ask for base64: little-endian floats.
    vector = "AAAAPwAAgD4=" if request.get("encoding_format") == "base64" else [0.5, 0.25]
    tokens = usage(request).input_tokens
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    counted = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": request["model"], "data": data, "usage": counted}


def error(model: str) -> dict[str, Any]:
    """The refusal of an unknown model."""
    message = f"The model `{model}` does not exist"
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": "model_not_found"}}


def _answers_tool(request: dict[str, Any]) -> bool:
    return bool(request["messages"][-1]["role"] == "tool")


def _head(number: int, request: dict[str, Any], kind: str) -> dict[str, Any]:
    model = request["model"]
    return {"id": f"chatcmpl-{number}", "object": kind, "created": 1_763_650_000, "model": _DATED.get(model, model)}


def _usage(billed: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": billed.input_tokens,
        "completion_tokens": billed.output_tokens,
        "total_tokens": billed.input_tokens + billed.output_tokens,
        "prompt_tokens_details": {"cached_tokens": billed.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": billed.reasoning_tokens, "audio_tokens": 0},
    }
