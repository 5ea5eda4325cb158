"""What a span says in words: input, output, tool calls, why it ended. Out of attributes as `otel_traces` has them.

Pure. Must never be asked for what counts: stored attributes are texts, and the kinds of their values are gone.
Texts that were cut when they were read are shown as far as they go; of a cut JSON text no tool calls are known.

Source: attributes.yaml, `previews` and `contents`; OTel GenAI `gen_ai.output.messages` (JSON schema of messages).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from processor.conventions.pick import Entries
from processor.conventions.rules import Contents, ToolCalls
from processor.decode.values import Attributes

NAMES: Final = ("input", "output", "output_object", "prompt_name", "finish_reason", "tool_calls")

_KINDS: Final = {
    "string_value": pa.string(),
    "bool_value": pa.bool_(),
    "int_value": pa.int64(),
    "double_value": pa.float64(),
    "array_value": pa.binary(),
    "kvlist_value": pa.binary(),
    "bytes_value": pa.binary(),
}


def contents(spans: Sequence[Mapping[str, str]], rules: Contents) -> pl.DataFrame:
    """What each of some spans says, by its attributes.

    Shape: a row a span, in order, with the columns `NAMES`: texts, null for what is not said. `tool_calls` is the text
    of a JSON array.
    Errors: none; what can't be read is treated as absent.
    """
    entries = _entries(spans)
    texts = {name: entries.text(getattr(rules, name)).value for name in NAMES if name != "tool_calls"}
    said = pl.DataFrame({name: pl.Series(text, dtype=pl.String) for name, text in texts.items()})
    reason = pl.col("finish_reason")
    return said.with_columns(
        pl.when(reason.str.starts_with("[")).then(reason.str.json_path_match("$[0]")).otherwise(reason),
        _tool_calls(entries, rules.tool_calls),
    ).with_columns(pl.when(pl.all() != "").then(pl.all()))


def _entries(spans: Sequence[Mapping[str, str]]) -> Entries:
    owner = np.repeat(np.arange(len(spans)), [len(each) for each in spans])
    text = pa.array([value for each in spans for value in each.values()], pa.string())
    nothing = {name: pa.nulls(len(text), kind) for name, kind in _KINDS.items()}
    value = pa.StructArray.from_arrays(list({**nothing, "string_value": text}.values()), names=list(_KINDS))
    offsets = pa.array(np.cumsum([0, *(len(each) for each in spans)]), pa.int32())
    key = pa.array([name for each in spans for name in each], pa.string())
    return Entries(Attributes(owner, offsets, key, text, value), len(spans))


def _tool_calls(entries: Entries, rules: ToolCalls) -> pl.Series:
    """The first of the three places that has any; '' for none."""
    messages = pl.Series("text", entries.text(rules.messages).value, dtype=pl.String)
    # Looking for the name takes a fraction of the time of parsing, and few messages call tools.
    calling = messages.str.contains("tool_call", literal=True)
    places = pl.DataFrame(
        {
            "stated": pl.Series(entries.text(rules.json).value, dtype=pl.String),
            "in_messages": pl.select(pl.when(calling).then(messages).otherwise(pl.lit(""))).to_series(),
            "flattened": _flattened(entries, rules),
        }
    ).with_columns(pl.col("in_messages").map_elements(_calls_of_messages, return_dtype=pl.String))
    first = pl.coalesce(pl.when(pl.col(name) != "").then(pl.col(name)) for name in places.columns)
    return places.select(first.alias("tool_calls")).to_series()


def _calls_of_messages(text: str) -> str:
    if not text:
        return ""
    try:
        calls = [call for message in _objects(orjson.loads(text)) for call in _calls_of_message(message)]
        return orjson.dumps(calls).decode() if calls else ""
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the latter: nested deeper than may be written
        return ""


def _calls_of_message(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts that are calls, without saying so; or what a provider's own message lists."""
    parts = [part for part in _objects(message.get("parts")) if part.get("type") == "tool_call"]
    called = [{name: value for name, value in part.items() if name != "type"} for part in parts]
    inner = message.get("message")
    return called or _objects((inner if isinstance(inner, dict) else message).get("tool_calls"))


def _objects(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _flattened(entries: Entries, rules: ToolCalls) -> pl.Series:
    """Keys with a number for the message and one for the call, put together again."""
    found: dict[int, dict[tuple[int, int], dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for key in entries.keys:
        for pattern in rules.flattened:
            if (match := re.match(pattern, key)) is None:
                continue
            message, call, name = match.groups()
            rows = entries.rows(key)
            for owner, text in zip(entries.owner(rows), entries.attributes.text.take(pa.array(rows)), strict=True):
                found[int(owner)][int(message), int(call)][name] = text.as_py()
    calls = [""] * entries.owners
    for owner, each in found.items():
        calls[owner] = orjson.dumps([each[place] for place in sorted(each)]).decode()
    return pl.Series(calls, dtype=pl.String)
