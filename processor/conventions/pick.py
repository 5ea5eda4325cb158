"""Precedence: of the keys in a list, the first with a usable value wins, for each span of a batch at once.

The work grows with the attributes that a rule names and the batch has, not with the number of rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.coerce import NUMBER_FIELDS, Counts, counts, nano_usd, nested, texts, unquote
from processor.conventions.table import (
    CLAUDE_CODE_LLM_REQUEST,
    CLAUDE_CODE_SPAN_NAME,
    CLAUDE_CODE_SPAN_TYPES,
    NON_NUMERIC_STRING,
    STRING,
    Key,
)
from processor.decode.columns import Bools, Ints, to_bools
from processor.decode.values import Attributes

_UNRANKED: Final = 255
_NUMERIC: Final = r"\A\s*[+-]?[0-9]+(\.[0-9]*)?\s*\z"


@dataclass(frozen=True, slots=True)
class Picked:
    """For each span the chosen text ('' for none) and the place of its key in the list (meaningless for '')."""

    value: pa.StringArray
    rank: Ints


class Entries:
    """The attributes of a batch of spans, looked up by key."""

    def __init__(self, attributes: Attributes, span_names: pa.StringArray) -> None:
        encoded = pc.dictionary_encode(attributes.key)
        self._attributes = attributes
        self._codes: Ints = encoded.indices.to_numpy()
        self._code_of = {key: code for code, key in enumerate(encoded.dictionary.to_pylist())}
        self._span_names = span_names
        self.spans = len(span_names)
        self._claude_code: Bools | None = None
        value = attributes.value
        self._nested = nested(value)
        self._numbers = pa.StructArray.from_arrays(
            [value.field(name) for name in NUMBER_FIELDS], names=list(NUMBER_FIELDS)
        )

    def has(self, key: str) -> bool:
        """Whether any span of the batch has the key."""
        return key in self._code_of

    def text(self, keys: Sequence[Key]) -> Picked:
        """The first usable text of each span."""
        entry, rank = self._candidates(keys)
        if not len(entry):
            return Picked(pa.repeat("", self.spans), np.zeros(self.spans, np.int64))
        found = texts(self._attributes.text.take(pa.array(entry)))
        usable = found.valid if self._nested is None else found.valid & ~self._nested[entry]
        chosen = self._first(entry, rank, usable)
        return Picked(_taken(found.value, chosen), np.where(chosen >= 0, rank[chosen], 0))

    def count(self, keys: Sequence[Key]) -> Counts:
        """The first usable token count of each span."""
        return self._number(keys, counts)

    def cost(self, keys: Sequence[Key]) -> Counts:
        """The first usable cost of each span, in nano-dollars."""
        return self._number(keys, nano_usd)

    def _number(self, keys: Sequence[Key], coerce: Callable[[pa.StructArray], Counts]) -> Counts:
        entry, rank = self._candidates(keys)
        if not len(entry):
            return Counts(np.zeros(self.spans, np.int64), np.zeros(self.spans, np.bool_))
        found = coerce(self._numbers.take(pa.array(entry)))
        chosen = self._first(entry, rank, found.valid)
        return Counts(np.where(chosen >= 0, found.value[chosen], 0), chosen >= 0)

    def mapped(self, rules: Sequence[tuple[str, Mapping[str, str]]]) -> pa.StringArray:
        """The first value that its key's mapping knows, mapped; '' for none. Values match in any case."""
        entry, rank = self._candidates([Key(name) for name, _ in rules])
        if not len(entry):
            return pa.repeat("", self.spans)
        encoded = pc.dictionary_encode(self._attributes.text.take(pa.array(entry)))
        code: Ints = encoded.indices.to_numpy()
        words = [unquote(word.strip()).lower() for word in encoded.dictionary.to_pylist()]
        value = np.full(len(entry), "", object)
        for place in np.unique(rank):
            here = rank == place
            mapping = rules[place][1]
            value[here] = np.array([mapping.get(word, "") for word in words], object)[code[here]]
        chosen = self._first(entry, rank, np.asarray(value != "", np.bool_))
        return _taken(pa.array(value, pa.string()), chosen)

    def present(self, keys: Sequence[str]) -> Bools:
        """The spans that have one of the keys with a usable text."""
        found = self.text([Key(name) for name in keys])
        return to_bools(pc.not_equal(found.value, ""))

    def claude_code_requests(self) -> Bools:
        """The spans that are Claude Code's model requests."""
        if self._claude_code is None:
            by_name = to_bools(pc.equal(self._span_names, CLAUDE_CODE_SPAN_NAME))
            span_type = self.text([Key("span.type")]).value
            by_type = to_bools(pc.is_in(span_type, pa.array(sorted(CLAUDE_CODE_SPAN_TYPES))))
            self._claude_code = by_name | by_type
        return self._claude_code

    def _candidates(self, keys: Sequence[Key]) -> tuple[Ints, Ints]:
        """The entries under any of the keys, with the place of their key in the list, in the order of their spans."""
        ranks = np.full(max(len(self._code_of), 1), _UNRANKED, np.uint8)
        conditional: list[tuple[int, str]] = []
        for place, key in enumerate(keys):
            code = self._code_of.get(key.name)
            if code is not None:
                ranks[code] = place
                if key.only_if:
                    conditional.append((place, key.only_if))
        if (ranks == _UNRANKED).all():
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        ranked = ranks[self._codes]
        entry = np.flatnonzero(ranked != _UNRANKED)
        rank = ranked[entry].astype(np.int64)
        for place, condition in conditional:
            here = np.flatnonzero(rank == place)
            fails = here[~self._meets(condition, entry[here])]
            entry, rank = np.delete(entry, fails), np.delete(rank, fails)
        return entry, rank

    def _meets(self, condition: str, entry: Ints) -> Bools:
        if condition == CLAUDE_CODE_LLM_REQUEST:
            return self.claude_code_requests()[self._attributes.owner[entry]]
        strings = self._attributes.value.field("string_value").take(pa.array(entry))
        is_string = to_bools(strings.is_valid())
        if condition == STRING:
            return is_string
        assert condition == NON_NUMERIC_STRING, condition
        return is_string & ~to_bools(pc.match_substring_regex(strings, _NUMERIC))

    def _first(self, entry: Ints, rank: Ints, valid: Bools) -> Ints:
        """For each span the position in `entry` of its best valid candidate, or -1."""
        chosen = np.full(self.spans, -1, np.int64)
        position = np.flatnonzero(valid)
        if len(position):
            owner = self._attributes.owner[entry[position]]
            begin = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
            packed = (rank[position] << 48) | position
            chosen[owner[begin]] = np.minimum.reduceat(packed, begin) & ((1 << 48) - 1)
        return chosen


def _taken(value: pa.StringArray, chosen: Ints) -> pa.StringArray:
    return pc.fill_null(value.take(pa.array(chosen, mask=chosen < 0)), "")
