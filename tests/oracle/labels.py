"""Tags, metadata and end of a span: what people filter and read.

Source: attributes.yaml, `tags`, `metadata`, `end_state`. Bounds: characters of a text, entries of a list.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from tests.oracle import tables
from tests.oracle.attributes import Sent, first_string
from tests.oracle.values import Value, to_list, to_object, to_string, to_text

MEANINGLESS = {"", "null", "None", "undefined", "[]", "{}"}
LABEL_CHARS_MAX = 1024
LABELS_MAX = 64
REASON_CHARS_MAX = 256


def tags_text(sent: Sent) -> str:
    """A JSON array, sorted, each once; '' for none."""
    tags: set[str] = set()
    for entry in tables.TAGS:
        tags.update(sorted(set(_tags(sent.attributes.get(entry.key))))[:LABELS_MAX])
    for key, value in sent.attributes.items():
        if key.startswith(tables.TRACE_TAG_PREFIX):
            tags.add(f"{key.removeprefix(tables.TRACE_TAG_PREFIX)}={to_text(value)}"[:LABEL_CHARS_MAX].strip())
    return orjson.dumps(sorted(tags)[:LABELS_MAX]).decode() if tags else ""


def _tags(value: Value) -> Iterator[str]:
    """The tags of one attribute: an array, the text of a JSON array, or a text with commas."""
    if value is None or isinstance(value, (dict, bytes)):
        return
    if not isinstance(value, list):
        text = to_text(value)
        items = to_list(text)
        value = items if items is not None else text.split(",")
    for item in value:
        tag = item.strip() if isinstance(item, str) else to_text(item)
        if tag not in MEANINGLESS:
            yield tag[:LABEL_CHARS_MAX].strip()


def metadata_text(sent: Sent) -> str:
    """A JSON object of texts, keys sorted; '' for none. The first to state a key wins."""
    metadata: dict[str, str] = {}
    for key, text in _metadata(sent):
        if key and text not in MEANINGLESS:
            metadata.setdefault(key[:LABEL_CHARS_MAX], text[:LABEL_CHARS_MAX])
    kept = {key: metadata[key] for key in sorted(metadata)[:LABELS_MAX]}
    return orjson.dumps(kept).decode() if kept else ""


def _metadata(sent: Sent) -> Iterator[tuple[str, str]]:
    """What may be metadata, in the order of precedence."""
    for prefix in tables.METADATA_PREFIXES:
        for key in sorted(key for key in sent.attributes if key.startswith(prefix)):
            if key.removeprefix(prefix) not in tables.METADATA_DROPPED:
                yield key.removeprefix(prefix), to_text(sent.attributes[key])
    for blob in tables.METADATA_BLOBS:
        for key, value in (to_object(sent.attributes.get(blob)) or {}).items():
            if key not in tables.METADATA_DROPPED:
                yield key, value if isinstance(value, str) else to_text(value)  # its quotes went when it was parsed
    if sent.is_agentops_session or sent.is_openlit:
        for key, value in sent.attributes.items():
            if not key.startswith("@") and "." not in key and ":" not in key and key not in tables.METADATA_NEVER_BARE:
                yield key, to_text(value)


def end_state(sent: Sent) -> str:
    """How the session ended, where the span is AgentOps' session."""
    if not sent.is_agentops_session:
        return ""
    return tables.END_STATES.get((to_string(sent.attributes.get(tables.END_STATE)) or "").lower(), "")


def end_reason(sent: Sent) -> str:
    """Why it ended so."""
    return (first_string(sent, tables.END_REASONS) or "")[:REASON_CHARS_MAX]
