"""What a span says by its attributes: for each field the first usable value of a list of keys.

Every reader tries its keys in order; an unusable value is as good as an absent one.
Source: attributes.yaml, the table of each field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.oracle import tables
from tests.oracle.tables import Entry
from tests.oracle.values import Value, to_object, to_string

Attributes = Mapping[str, Value]

SIGNED_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Sent:
    """A span with what its request says about it."""

    resource: Attributes
    scope: str
    attributes: Attributes
    span: Span

    @property
    def is_claude_code_request(self) -> bool:
        """The predicate `claude_code_llm_request`."""
        return (
            to_string(self.attributes.get("span.type")) in tables.CLAUDE_CODE_REQUEST_TYPES
            or self.span.name == tables.CLAUDE_CODE_REQUEST_NAME
        )

    @property
    def is_agentops_session(self) -> bool:
        """AgentOps' root span, which stands for the session."""
        return self.says(tables.AGENTOPS_KIND, "session")

    @property
    def is_openlit(self) -> bool:
        """Made by OpenLIT, of Python or JavaScript."""
        by_resource = to_string(self.resource.get("telemetry.sdk.name")) == "openlit"
        return by_resource or self.scope.startswith(("openlit", "@openlit"))

    @property
    def is_strands(self) -> bool:
        """Made by Strands' own tracer."""
        return self.scope.startswith("strands")

    def says(self, key: str, word: str) -> bool:
        """Whether the attribute is this word, in either case, or the boolean of that name."""
        text = to_string(self.attributes.get(key))
        return text is not None and text.lower() == word

    def find(self, entry: Entry) -> Value:
        """What stands where the entry points; None where nothing does or its condition fails."""
        value = self.attributes.get(entry.key)
        if entry.only_if == "claude_code_llm_request" and not self.is_claude_code_request:
            return None
        if entry.only_if in ("non_empty_string", "non_numeric_string") and not isinstance(value, str):
            return None
        if entry.only_if == "non_numeric_string" and SIGNED_NUMBER.fullmatch(to_string(value) or ""):
            return None
        if entry.only_if == "genkit_model" and not self.says("genkit:metadata:subtype", "model"):
            return None
        if entry.form == "repr":
            return _in_repr(value, entry.paths[0][0])
        return _first_path(value, entry.paths) if entry.form == "json" else value


def _first_path(value: Value, paths: Iterable[tuple[str, ...]]) -> Value:
    """The first of the paths that leads to something."""
    for path in paths:
        found = to_object(value)
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        if found is not None:
            return found
    return None


def _in_repr(value: Value, key: str) -> Value:
    """A number in the text of a Python dict."""
    match = re.search(rf"'{key}': ([0-9]+)", value) if isinstance(value, str) else None
    return match[1] if match else None


def first_string(sent: Sent, entries: Iterable[Entry]) -> str | None:
    """The first usable string of `entries`."""
    ranked = first_ranked_string(sent, entries)
    return None if ranked is None else ranked[1]


def first_ranked_string(sent: Sent, entries: Iterable[Entry]) -> tuple[int, str] | None:
    """The first usable string of `entries` with its place in the list."""
    for rank, entry in enumerate(entries):
        text = to_string(sent.find(entry))
        if text is not None:
            return rank, text
    return None


def provider_name(sent: Sent) -> str | None:
    """The first name that is a provider's and not a framework's, normalised."""
    for entry in tables.PROVIDERS:
        text = to_string(sent.find(entry))
        if text is None or text.lower() in tables.NOT_A_PROVIDER:
            continue
        name = text.lower()
        if not name.startswith(tables.PROVIDERS_KEPT_WHOLE):
            name = name.split(".")[0]
        if name:
            return name
    return None


def span_kind(sent: Sent) -> str:
    """What the span is; a model call by an embedding model is an embedding."""
    kind = _stated_kind(sent)
    model = first_string(sent, tables.MODELS) or ""
    return "embedding" if kind == "llm" and tables.EMBEDDING_MODEL in model.lower() else kind


def _stated_kind(sent: Sent) -> str:
    """By the first attribute that says it in words of its map."""
    for entry, kinds in tables.SPAN_KINDS:
        text = to_string(sent.find(entry))
        if text is not None and text.lower() in kinds:
            return kinds[text.lower()]
    for entries, kind in tables.SPAN_KINDS_BY_PRESENCE:
        if first_string(sent, entries) is not None:
            return kind
    return "other"
