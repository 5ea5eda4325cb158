"""What spans say in words, out of attributes as the store has them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from processor.conventions.contents import NAMES, contents
from processor.conventions.rules import Conventions

RULES = Conventions.load().contents
CALL = {"id": "c1", "name": "get_weather", "arguments": {"city": "Bern"}}
PROVIDERS_CALL = {"id": "c2", "function": {"name": "f", "arguments": "{}"}}


def said(attributes: dict[str, str]) -> dict[str, Any]:
    """What one span says, without what it does not say."""
    (row,) = contents([attributes], RULES).to_dicts()
    return {name: text for name, text in row.items() if text is not None}


def messages(*found: dict[str, Any]) -> str:
    """Messages as emitters write them."""
    return orjson.dumps(found).decode()


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({"input.value": "asked", "output.value": '{"a": 1}'}, {"input": "asked", "output": '{"a": 1}'}),
        (
            {"agentmark.request.input": '"quoted"', "agentmark.prompt_name": "p"},
            {"input": "quoted", "prompt_name": "p"},
        ),
        ({"gen_ai.tool.call.arguments": "{}", "ai.toolCall.result": "18 C"}, {"input": "{}", "output": "18 C"}),
        ({"ai.response.object": '{"x":1}'}, {"output": '{"x":1}', "output_object": '{"x":1}'}),
        ({"gen_ai.response.finish_reasons": '["stop","length"]'}, {"finish_reason": "stop"}),
        ({"gen_ai.response.finish_reasons": "[]", "llm.finish_reason": "end_turn"}, {}),
        ({"ai.response.finishReason": "tool-calls"}, {"finish_reason": "tool-calls"}),
        ({"langfuse.observation.metadata.finish_reason": '"stop"'}, {"finish_reason": "stop"}),
        ({"input.value": "", "output.value": "null", "unrelated": "x"}, {}),
    ],
)
def test_words_stand_where_their_emitters_put_them(attributes: dict[str, str], wanted: dict[str, str]) -> None:
    """The first key with a value speaks, unquoted once; of an array of reasons the first; nothing is null."""
    assert said(attributes) == wanted


@pytest.mark.parametrize(
    ("attributes", "calls"),
    [
        ({"ai.response.toolCalls": '[{"toolName":"f"}]'}, [{"toolName": "f"}]),
        ({"gen_ai.output.messages": messages({"parts": [{"type": "text"}, {"type": "tool_call", **CALL}]})}, [CALL]),
        ({"gen_ai.output.messages": messages({"message": {"tool_calls": [PROVIDERS_CALL]}})}, [PROVIDERS_CALL]),
        (
            {
                "llm.output_messages.0.message.tool_calls.10.tool_call.function.name": "later",
                "llm.output_messages.0.message.tool_calls.9.tool_call.function.name": "sooner",
                "llm.output_messages.0.message.tool_calls.9.tool_call.id": "c9",
                "llm.input_messages.0.message.tool_calls.0.tool_call.id": "not asked for now",
            },
            [{"name": "sooner", "id": "c9"}, {"name": "later"}],
        ),
        ({"gen_ai.completion.0.tool_calls.0.name": "f"}, [{"name": "f"}]),
        (
            {"ai.response.toolCalls": "[1]", "gen_ai.output.messages": messages({"tool_calls": [PROVIDERS_CALL]})},
            [1],
        ),
    ],
    ids=["stated", "parts", "provider's own", "openinference", "traceloop", "stated first"],
)
def test_tool_calls_are_one_array_wherever_they_stand(attributes: dict[str, str], calls: list[Any]) -> None:
    """A JSON array as it stands, else the calls among messages, else flattened keys in the order of their numbers."""
    assert orjson.loads(said(attributes)["tool_calls"]) == calls


@pytest.mark.parametrize(
    "text",
    [
        '[{"parts":[{"type":"tool_call","id"',
        '"tool_call"',
        '{"tool_calls":1}',
        '[1,{"parts":3,"tool_calls":null}]',
        '[{"tool_calls":[{"a":' + "[" * 300 + "]" * 300 + "}]}]",
    ],
    ids=["cut", "text", "object", "odd", "deep"],
)
def test_messages_that_can_not_be_read_call_nothing(text: str) -> None:
    """A text that was cut, or is something else, is still the output."""
    assert set(said({"gen_ai.output.messages": text})) == {"output"}


def test_every_span_speaks_for_itself() -> None:
    """One row a span, in order, also for those that say nothing, and for none at all."""
    found = contents([{"input.value": "a"}, {}, {"gen_ai.completion.0.tool_calls.0.name": "f"}], RULES)
    assert set(found.columns) == set(NAMES)
    assert found["input"].to_list() == ["a", None, None]
    assert found["tool_calls"].to_list() == [None, None, '[{"name":"f"}]']
    assert len(contents([], RULES)) == 0
