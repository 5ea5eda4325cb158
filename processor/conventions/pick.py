"""Precedence: of the keys in a list, the first with a usable value wins, for each span of a batch at once.

The attributes of a batch are sorted by key once. After that a rule costs what the attributes cost that it names and the
batch has; a rule that nobody in the batch uses costs a look into a dict.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.coerce import NUMBER_FIELDS, Counts, counts, durations_ns, nano_usd, nested, texts, unquote
from processor.conventions.forms import read_form
from processor.conventions.rules import Condition, Key, Keys, Mapped
from processor.decode.columns import Bools, Ints, to_bools
from processor.decode.values import Attributes

_NUMERIC: Final = r"\A\s*[+-]?[0-9]+(\.[0-9]*)?\s*\z"
_OF_A_SPAN: Final = frozenset(Condition) - {Condition.STRING, Condition.NON_NUMERIC_STRING}


@dataclass(frozen=True, slots=True)
class Picked:
    """For each span the chosen text ('' for none) and the place of its key in the list (meaningless for '')."""

    value: pa.StringArray
    rank: Ints


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Attributes under any of some keys, those read in one form together: what it costs to read a column hardly depends
    on how many keys are in it.

    Shape: `places` and `forms` have one entry a key, whose attributes are `rows[ends[i]:ends[i + 1]]`.
    """

    rows: Ints
    places: list[int]
    forms: list[str]
    ends: Ints

    def by_form(self) -> Iterator[tuple[str, Ints]]:
        """The attributes that are read in each form, in their order."""
        begin = 0
        for i, form in enumerate(self.forms):
            if i + 1 == len(self.forms) or self.forms[i + 1] != form:
                yield form, self.rows[begin : self.ends[i + 1]]
                begin = self.ends[i + 1]

    @property
    def is_plain(self) -> Bools:
        """Which attributes are read as they stand."""
        return np.repeat([not form for form in self.forms], np.diff(self.ends))


class Entries:
    """The attributes of a batch of owners (spans, resources), looked up by key.

    `judge` says for which owners a condition holds; none does without it.
    """

    def __init__(
        self, attributes: Attributes, owners: int, judge: Callable[[Entries, Condition], Bools] | None = None
    ) -> None:
        encoded = pc.dictionary_encode(attributes.key)
        codes: Ints = encoded.indices.to_numpy()
        names = encoded.dictionary.to_pylist()
        kind = np.uint16 if len(names) < 2**16 else np.uint32  # numpy sorts small numbers in linear time
        self._rows = np.argsort(codes.astype(kind), kind="stable")
        self._ends = np.cumsum(np.bincount(codes, minlength=len(names)))
        self._code_of = {name: code for code, name in enumerate(names)}
        self._judge = judge
        self._judged: dict[Condition, Bools] = {}
        self._nested = nested(attributes.value)
        self._numbers = pa.StructArray.from_arrays(
            [attributes.value.field(name) for name in NUMBER_FIELDS], names=list(NUMBER_FIELDS)
        )
        self.attributes = attributes
        self.owners = owners

    @property
    def keys(self) -> Sequence[str]:
        """Every key that some owner has."""
        return list(self._code_of)

    def has(self, key: str) -> bool:
        """Whether any owner has the key."""
        return key in self._code_of

    def rows(self, key: str) -> Ints:
        """Where the attributes of this key stand, in the order of their owners."""
        code = self._code_of.get(key)
        if code is None:
            return np.zeros(0, np.int64)
        return self._rows[self._ends[code - 1] if code else 0 : self._ends[code]]

    def owner(self, rows: Ints) -> Ints:
        """Whose attributes these are."""
        return self.attributes.owner[rows]

    def text(self, keys: Keys, chars_max: int = 0) -> Picked:
        """The first usable text of each owner; of long ones so many characters, 0 is all."""
        found = self._candidates(keys)
        if not len(found.rows):
            return Picked(pa.repeat("", self.owners), np.zeros(self.owners, np.int64))
        read = pa.concat_arrays([self._texts(form, rows) for form, rows in found.by_form()])
        value = texts(pc.utf8_slice_codeunits(read, 0, chars_max) if chars_max else read)
        usable = value.valid
        if self._nested is not None:
            usable = usable & ~(self._nested[found.rows] & found.is_plain)
        chosen, rank = self._chosen(found, usable)
        return Picked(_taken(value.value, chosen), rank)

    def count(self, keys: Keys) -> Counts:
        """The first usable token count of each owner."""
        return self._number(keys, counts)

    def cost(self, keys: Keys) -> Counts:
        """The first usable cost of each owner, in nano-dollars."""
        return self._number(keys, nano_usd)

    def duration(self, keys: Keys, ns_per_unit: int) -> Counts:
        """The first usable span of time of each owner, in nanoseconds."""
        return self._number(keys, functools.partial(durations_ns, ns_per_unit=ns_per_unit))

    def mapped(self, rules: Sequence[Mapped]) -> pa.StringArray:
        """The first word of each owner that its key's mapping knows, mapped; '' for none."""
        result = np.full(self.owners, "", object)
        for place, key, rows in self._present(tuple(rule.key for rule in rules)):
            encoded = pc.dictionary_encode(self._texts(key.form, rows))
            words = [
                rules[place].words.get(unquote(word.strip()).lower(), "") for word in encoded.dictionary.to_pylist()
            ]
            value = np.array(words, object)[encoded.indices.to_numpy()]
            known = np.flatnonzero(value != "")[::-1]
            result[self.owner(rows[known])] = value[known]
        return pa.array(result, pa.string())

    def present(self, keys: Keys) -> Bools:
        """The owners that have one of the keys with a usable text."""
        if not any(self.has(key.name) for key in keys):
            return np.zeros(self.owners, np.bool_)
        return to_bools(pc.not_equal(self.text(keys).value, ""))

    def says(self, key: Key, word: str) -> Bools:
        """The owners whose attribute is this word, in any case."""
        if not self.has(key.name):
            return np.zeros(self.owners, np.bool_)
        return to_bools(pc.equal(pc.utf8_lower(self.text((key,)).value), word))

    def holds(self, condition: Condition) -> Bools:
        """The owners for which the condition holds."""
        if condition not in self._judged:
            assert self._judge is not None, f"{condition} can't be judged here"
            self._judged[condition] = self._judge(self, condition)
        return self._judged[condition]

    def values(self, rows: Ints) -> Any:
        """The values of these attributes as a struct of `NUMBER_FIELDS`."""
        return self._numbers.take(pa.array(rows))

    def _present(self, keys: Keys) -> Iterator[tuple[int, Key, Ints]]:
        """The keys that the batch has, the last of the list first, with their attributes."""
        for place in range(len(keys) - 1, -1, -1):
            key = keys[place]
            rows = self.rows(key.name)
            if len(rows) and key.only_if is not None:
                rows = rows[self._meets(key.only_if, rows)]
            if len(rows):
                yield place, key, rows

    def _candidates(self, keys: Keys) -> _Candidates:
        found = sorted(self._present(keys), key=lambda each: each[1].form)
        rows = [rows for _, _, rows in found]
        return _Candidates(
            rows=np.concatenate(rows) if rows else np.zeros(0, np.int64),
            places=[place for place, _, _ in found],
            forms=[key.form for _, key, _ in found],
            ends=np.cumsum([0, *map(len, rows)]),
        )

    def _chosen(self, found: _Candidates, usable: Bools) -> tuple[Ints, Ints]:
        """For each owner which candidate wins (usable, first in the list, first in the batch) or -1, and its place."""
        chosen, rank = np.full(self.owners, -1, np.int64), np.zeros(self.owners, np.int64)
        for i in np.argsort(found.places)[::-1]:  # the last assignment wins
            begin, end = found.ends[i], found.ends[i + 1]
            candidates = np.flatnonzero(usable[begin:end])[::-1] + begin
            owner = self.owner(found.rows[candidates])
            chosen[owner], rank[owner] = candidates, found.places[i]
        return chosen, rank

    def _meets(self, condition: Condition, rows: Ints) -> Bools:
        if condition in _OF_A_SPAN:
            return self.holds(condition)[self.owner(rows)]
        strings = self.attributes.value.field("string_value").take(pa.array(rows))
        is_string = to_bools(strings.is_valid())
        if condition == Condition.STRING:
            return is_string
        return is_string & ~to_bools(pc.match_substring_regex(strings, _NUMERIC))

    def _texts(self, form: str, rows: Ints) -> pa.StringArray:
        text = self.attributes.text.take(pa.array(rows))
        return read_form(form, text) if form else text

    def _number(self, keys: Keys, coerce: Callable[[Any], Counts]) -> Counts:
        value, valid = np.zeros(self.owners, np.int64), np.zeros(self.owners, np.bool_)
        found = self._candidates(keys)
        if not len(found.rows):
            return Counts(value, valid)
        read = [
            coerce(pa.StructArray.from_arrays([self._texts(form, rows)], names=["string_value"]))
            if form
            else coerce(self.values(rows))
            for form, rows in found.by_form()
        ]
        chosen, _ = self._chosen(found, np.concatenate([each.valid for each in read]))
        valid = chosen >= 0
        value[valid] = np.concatenate([each.value for each in read])[chosen[valid]]
        return Counts(value, valid)


def _taken(value: pa.StringArray, chosen: Ints) -> pa.StringArray:
    return pc.fill_null(value.take(pa.array(chosen, mask=chosen < 0)), "")
