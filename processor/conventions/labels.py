"""Tags and metadata: what users attach to their sessions, as one canonical text a span. Pure.

Tags are a JSON array, metadata is a JSON object of texts, both sorted, '' for none: equal labels are equal texts, so
roll-ups compare and keep each of them once. Both are bounded; what is beyond is in `otel_traces` as it came.

Vectorized; JSON is parsed and written once for each distinct value of a batch.
Source: attributes.yaml, `tags` and `metadata`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.coerce import unquote
from processor.conventions.pick import Entries
from processor.conventions.rules import Conventions
from processor.decode.columns import Ints, to_bools

TAGS_MAX: Final = 64
METADATA_KEYS_MAX: Final = 64
CHARS_MAX: Final = 1024
"""Tags and metadata of one span, and the characters of a tag, a metadata key and a metadata value."""

_NOTHING: Final = frozenset({"", "null", "None", "undefined", "[]", "{}"})


def tags(entries: Entries, conventions: Conventions) -> pa.StringArray:
    """All tags of each span."""
    found: list[tuple[Ints, Callable[[str], str]]] = [
        (_no_maps(entries, entries.rows(key.name)), _tag_list) for key in conventions.tags if entries.has(key.name)
    ]
    for key in entries.keys:
        for prefix in conventions.tag_prefixes:
            if key.startswith(prefix) and len(key) > len(prefix):
                found.append((entries.rows(key), _pair_under(key.removeprefix(prefix))))
    if not found:
        return pa.repeat("", entries.owners)
    owner, text = _parsed(entries, found)
    if len(found) == 1:
        return _placed(entries.owners, owner, text)
    return _merged(entries.owners, owner, text, _union)


def metadata(entries: Entries, conventions: Conventions) -> pa.StringArray:
    """All metadata of each span; the key that stands first in the rules wins."""
    rules = conventions.metadata
    found: list[tuple[Ints, Callable[[str], str]]] = []
    for prefix in rules.prefixes:
        for key in sorted(key for key in entries.keys if key.startswith(prefix)):
            name = key.removeprefix(prefix)
            if name and name not in rules.dropped:
                found.append((entries.rows(key), _under(name)))
    found += [(entries.rows(blob), _blob(rules.dropped)) for blob in rules.blobs if entries.has(blob)]
    for condition in rules.bare_on:
        if entries.holds(condition).any():
            found += [(rows, _under(name)) for name, rows in _bare(entries, conventions, condition)]
    if not found:
        return pa.repeat("", entries.owners)
    owner, text = _parsed(entries, found)
    return _merged(entries.owners, owner, text, _overlay)


def _no_maps(entries: Entries, rows: Ints) -> Ints:
    """Those that are no key-value lists, whose text would pass for one tag."""
    maps = entries.attributes.value.field("kvlist_value")
    if maps.null_count == len(maps):
        return rows
    return rows[~to_bools(maps.take(pa.array(rows)).is_valid())]


def _bare(entries: Entries, conventions: Conventions, condition: Any) -> Iterator[tuple[str, Ints]]:
    """The attributes without a dot in their key on the spans of these emitters, as far as no rule reads them."""
    holds = entries.holds(condition)
    for key in entries.keys:
        if (
            key
            and not key.startswith("@")
            and "." not in key
            and ":" not in key
            and key not in conventions.metadata.dropped
            and key not in _READ
        ):
            rows = entries.rows(key)
            yield key, rows[holds[entries.owner(rows)]]


_READ: Final = frozenset({"session_id", "sessionId", "thread_id", "group_id", "metadata", "model", "model_name"})


def _parsed(entries: Entries, found: list[tuple[Ints, Callable[[str], str]]]) -> tuple[Ints, pa.StringArray]:
    """Each attribute as canonical text, in the order of precedence; '' texts left out."""
    owners, parts = [], []
    for rows, read in found:
        encoded = pc.dictionary_encode(entries.attributes.text.take(pa.array(rows)))
        texts = pa.array([read(text) for text in encoded.dictionary.to_pylist()], pa.string())
        owners.append(entries.owner(rows))
        parts.append(texts.take(encoded.indices))
    owner, text = np.concatenate(owners), pa.concat_arrays(parts)
    stated = np.flatnonzero(pc.not_equal(text, "").to_numpy(zero_copy_only=False))
    return owner[stated], text.take(pa.array(stated))


def _placed(owners: int, owner: Ints, text: pa.StringArray) -> pa.StringArray:
    place = np.full(owners, -1, np.int64)
    place[owner] = np.arange(len(owner))
    return pc.fill_null(text.take(pa.array(place, mask=place < 0)), "")


def _merged(owners: int, owner: Ints, text: pa.StringArray, merge: Callable[[list[str]], str]) -> pa.StringArray:
    """What several attributes of a span say together; spans that say the same share the work."""
    order = np.argsort(owner, kind="stable")
    owner, text = owner[order], text.take(pa.array(order))
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    # No JSON text contains a raw separator of units: control characters are escaped.
    lists = pa.ListArray.from_arrays(pa.array(np.append(begins, len(owner)), pa.int32()), text)
    joined = pc.dictionary_encode(pc.binary_join(lists, _UNIT))
    merged = pa.array([merge(each.split(_UNIT)) for each in joined.dictionary.to_pylist()], pa.string())
    return _placed(owners, owner[begins], merged.take(joined.indices))


_UNIT: Final = "\x1f"


def _tag_list(text: str) -> str:
    """An array, a JSON array or a list with commas."""
    text = unquote(text.strip())
    if text in _NOTHING:
        return ""
    try:
        items = orjson.loads(text) if text.startswith("[") else text.split(",")
    except orjson.JSONDecodeError:
        items = text.split(",")
    return _array(_shown(item) for item in items)


def _pair_under(name: str) -> Callable[[str], str]:
    return lambda text: _array([f"{name}={unquote(text.strip())}"])


def _union(texts: list[str]) -> str:
    return _array(tag for text in texts for tag in orjson.loads(text))


def _array(items: Any) -> str:
    kept = sorted({tag for item in items if (tag := item.strip()[:CHARS_MAX].strip()) not in _NOTHING})[:TAGS_MAX]
    return orjson.dumps(kept).decode() if kept else ""


def _under(name: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        return _object({name: unquote(text.strip())})

    return read


def _blob(dropped: frozenset[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        try:
            items = orjson.loads(unquote(text.strip()))
        except orjson.JSONDecodeError:
            return ""
        if not isinstance(items, dict):
            return ""
        return _object({key: _shown(value) for key, value in items.items() if key not in dropped})

    return read


def _overlay(texts: list[str]) -> str:
    together: dict[str, str] = {}
    for text in reversed(texts):
        together |= orjson.loads(text)
    return _object(together)


def _object(items: dict[str, str]) -> str:
    kept = {key[:CHARS_MAX]: items[key][:CHARS_MAX] for key in sorted(items) if key and items[key] not in _NOTHING}
    kept = dict(list(kept.items())[:METADATA_KEYS_MAX])
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode() if kept else ""


def _shown(value: Any) -> str:
    """A JSON value as text: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
