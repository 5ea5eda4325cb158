"""The rules of `attributes.yaml`, checked and typed, with a user's own keys ahead of the built-in ones.

`Conventions` is what the rest of this package works by; it is built once a process. What can't be said as a key, a form
and a condition is code: `usage.py` (whose input leaves cached tokens out), `normalize.py` (what is an error).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from typing import Any, Final

import yaml

from processor.errors import ConfigError
from processor.model import KINDS, Strength


class Condition(StrEnum):
    """When a key counts. Those of a value come first; the others are about the span; `conventions.pick` judges them."""

    STRING = "string"
    NON_NUMERIC_STRING = "non_numeric_string"  # a bare thread_id may be an OS thread
    CLAUDE_CODE_LLM_REQUEST = "claude_code_llm_request"
    AGENTOPS_SESSION = "agentops_session"
    OPENLIT = "openlit"
    STRANDS_AGENTS = "strands_agents"
    GENKIT_MODEL = "genkit_model"
    AI_SDK = "ai_sdk"


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute key, how its value is read ('' is as it stands), and the condition under which it counts."""

    name: str
    form: str = ""
    only_if: Condition | None = None
    unit: str = ""


Keys = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class ConventionsConfig:
    """A user's own attribute keys, each list ahead of the built-in one."""

    session_id: tuple[str, ...] = field(
        default=(), metadata={"help": "Keys whose value is the session id; as strong as session.id."}
    )
    session_name: tuple[str, ...] = field(default=(), metadata={"help": "Keys whose value names the session."})
    user_id: tuple[str, ...] = field(default=(), metadata={"help": "Keys whose value is the user id."})
    thread_id: tuple[str, ...] = field(default=(), metadata={"help": "Keys whose value is the thread id."})
    environment: tuple[str, ...] = field(
        default=(), metadata={"help": "Keys, of spans or resources, of the environment."}
    )
    tags: tuple[str, ...] = field(
        default=(), metadata={"help": "Keys whose values are tags: an array, or a text with commas."}
    )
    metadata_prefixes: tuple[str, ...] = field(
        default=(), metadata={"help": "Prefixes of keys that are metadata; the prefix is taken off."}
    )

    def __post_init__(self) -> None:
        for name in self.__slots__:
            for key in getattr(self, name):
                if not key.strip():
                    raise ConfigError(f"{name}: an attribute key can't be empty")


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where metadata stands: under prefixes (stripped), in JSON blobs, and bare on the spans of some emitters."""

    prefixes: tuple[str, ...]
    blobs: tuple[str, ...]
    dropped: frozenset[str]  # keys that mean something else, once stripped
    bare_on: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    """A key whose value is a word that means one of a few things. Words are in lower case."""

    key: Key
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """Where the tool calls that a model asked for stand: as JSON, in messages, or one key a field."""

    json: Keys
    messages: Keys
    flattened: tuple[str, ...]  # regular expressions of keys, with groups: message, call, field


@dataclass(frozen=True, slots=True)
class Contents:
    """What a span is shown with, besides what it counts."""

    input: Keys
    output: Keys
    output_object: Keys
    prompt_name: Keys
    finish_reason: Keys
    tool_calls: ToolCalls


@dataclass(frozen=True, slots=True)
class Derived:
    """A session id made of the trace id, for spans with an attribute of this name or prefix."""

    name: str
    is_prefix: bool
    before: str  # what stands before the trace id


@dataclass(frozen=True, slots=True)
class Conventions:
    """Precedence lists and what else `attributes.yaml` says; the field names are those of the file."""

    session_id: Keys
    session_strengths: tuple[Strength, ...]  # one for each key of `session_id`
    resource_session_id: Keys
    derived_session_id: tuple[Derived, ...]
    session_name: Keys
    user_id: Keys
    thread_id: Keys
    environment: Keys
    end_state: Keys
    end_states: Mapping[str, str]  # in lower case
    end_reason: Keys
    tags: Keys
    tag_prefixes: tuple[str, ...]
    metadata: Metadata
    model: Keys
    request_model: Keys
    response_id: Keys
    provider: Keys
    not_a_provider: frozenset[str]
    dotted_providers: tuple[str, ...]
    usage: Mapping[str, Keys]  # input, output, cache_read, cache_write, cache_write_1h, reasoning, total
    ai_sdk_5_providers: tuple[str, ...]
    cost: Mapping[str, Keys]  # total, input, output
    cost_pairs: tuple[Keys, ...]
    kind: tuple[Mapped, ...]
    kind_by_presence: tuple[tuple[Keys, str], ...]
    embedding_model: str  # a regular expression
    ttft: Keys
    input_preview: Keys
    output_preview: Keys
    contents: Contents
    error_present: Keys
    error_level: Key
    error_level_word: str
    error_event: str
    error_failed: Key
    error_failed_word: str
    skip: tuple[tuple[Key, str], ...]
    also_logged: tuple[Condition, ...]

    @classmethod
    def load(cls, own: ConventionsConfig | None = None) -> Conventions:
        """The built-in rules, behind a user's own keys."""
        own = own or ConventionsConfig()
        file = resources.files("processor.conventions").joinpath("attributes.yaml")
        return _read(yaml.load(file.read_text(encoding="utf-8"), _Loader), own)  # noqa: S506 (a safe loader)


_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built


def _read(rules: Mapping[str, Any], own: ConventionsConfig) -> Conventions:
    session, spans, error = rules["session_id"], rules["span_kind"], rules["error"]
    strong, weak = _keys([*own.session_id, *session["strong"]]), _keys(session["weak"])
    labels = [entry for entry in rules["tags"] if "key" in entry]
    level, failed = error["level"], error["failed"]
    return Conventions(
        session_id=strong + weak,
        session_strengths=(Strength.STRONG,) * len(strong) + (Strength.WEAK,) * len(weak),
        resource_session_id=_keys(session["resource"]),
        derived_session_id=tuple(_derived(entry) for entry in session["derived"]),
        session_name=_keys([*own.session_name, *rules["session_name"]]),
        user_id=_keys([*own.user_id, *rules["user_id"]]),
        thread_id=_keys([*own.thread_id, *rules["thread_id"]]),
        environment=_keys([*own.environment, *rules["environment"]]),
        end_state=_keys(rules["end_state"]["keys"]),
        end_states={word.lower(): state for state, words in rules["end_state"]["values"].items() for word in words},
        end_reason=_keys(rules["end_state"]["reason"]),
        tags=_keys([*own.tags, *labels]),
        tag_prefixes=tuple(entry["prefix"] for entry in rules["tags"] if "prefix" in entry),
        metadata=Metadata(
            prefixes=(*own.metadata_prefixes, *rules["metadata"]["prefixes"]),
            blobs=tuple(rules["metadata"]["json_blobs"]),
            dropped=frozenset(rules["metadata"]["drop_after_strip"]),
            bare_on=tuple(Condition(name) for name in rules["metadata"]["bare_on"]),
        ),
        model=_keys(rules["model"]),
        request_model=_keys(rules["request_model"]),
        response_id=_keys(rules["response_id"]),
        provider=_keys(rules["provider"]["order"]),
        not_a_provider=frozenset(rules["provider"]["not_a_provider"]),
        dotted_providers=tuple(rules["provider"]["dotted"]),
        usage={name: _keys(rules["usage"][name]) for name in _USAGE},
        ai_sdk_5_providers=tuple(rules["usage"]["exclusive_input"]["ai_sdk_5_providers"]),
        cost={name: _keys(rules["cost"][name]) for name in ("total", "input", "output")},
        cost_pairs=tuple(_keys(pair) for pair in rules["cost"]["pairs"]),
        kind=tuple(_mapped(entry) for entry in spans["order"]),
        kind_by_presence=tuple((_keys(entry["any_of"]), _kind(entry["value"])) for entry in spans["by_presence"]),
        embedding_model=spans["embedding_model"],
        ttft=_keys(rules["ttft"]),
        input_preview=_keys(rules["previews"]["input"]),
        output_preview=_keys(rules["previews"]["output"]),
        contents=_contents(rules["contents"], rules["previews"]),
        error_present=_keys(error["present"]),
        error_level=_key(level),
        error_level_word=level["value"],
        error_event=error["event"],
        error_failed=_key(failed),
        error_failed_word=failed["value"],
        skip=tuple((_key(entry), entry["value"]) for entry in rules["skip_spans"]),
        also_logged=tuple(Condition(name) for name in rules["also_logged"]),
    )


_USAGE: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "total")


def _keys(entries: Iterable[Any]) -> Keys:
    return tuple(_key(entry) for entry in entries)


def _key(entry: Any) -> Key:
    if isinstance(entry, str):
        return Key(entry)
    only_if = Condition(entry["only_if"]) if "only_if" in entry else None
    return Key(entry["key"], entry.get("form", ""), only_if, entry.get("unit", ""))


def _mapped(entry: Mapping[str, Any]) -> Mapped:
    return Mapped(_key(entry), {word.lower(): _kind(kind) for word, kind in entry["map"].items()})


def _contents(rules: Mapping[str, Any], previews: Mapping[str, Any]) -> Contents:
    calls = rules["tool_calls"]
    return Contents(
        **{side: _keys([*previews[side], *rules[side]]) for side in ("input", "output")},
        **{name: _keys(rules[name]) for name in ("output_object", "prompt_name", "finish_reason")},
        tool_calls=ToolCalls(
            json=_keys(calls["json"]),
            messages=_keys(calls["messages"]),
            flattened=tuple(entry["pattern"] for entry in calls["flattened"]),
        ),
    )


def _kind(kind: str) -> str:
    assert kind in KINDS, f"{kind!r} is no kind of span"
    return kind


def _derived(entry: Mapping[str, str]) -> Derived:
    before, placeholder, after = entry["value"].partition("{trace_id}")
    assert placeholder, "a derived session id is made of the trace id"
    assert not after, "what follows the trace id is not read"
    return Derived(entry.get("prefix") or entry["key"], "prefix" in entry, before)
