"""The words of one statement, as the engine itself has written it anew.

Reads only what `formatQuerySingleLine` writes: comments are gone, strings are in single quotes, odd names in backticks,
both with backslash escapes, keywords in capitals. So the words here are the words that the engine will see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from processor.clickhouse_http.errors import BAD_ARGUMENTS, QueryError

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | '(?P<text>(?:[^'\\]|\\.)*)'
      | `(?P<quoted>(?:[^`\\]|\\.)*)`
      | \{(?P<parameter>[A-Za-z_]\w*)\s*:(?P<type>[^{}]*)\}
      | (?P<number>\d[\w.]*(?:(?<=[eEpP])[+-]\d+)?)
      | (?P<word>[^\W\d]\w*)
      | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}
_TRUE: Final = "1"  # what a setting without a value is set to


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    NAME = "name"  # in backticks: never a keyword
    TEXT = "text"
    NUMBER = "number"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Token:
    """One word, name, literal or mark; `depth` counts the parentheses around it, `start` is where it stands."""

    kind: Kind
    text: str
    depth: int
    start: int

    @property
    def is_identifier(self) -> bool:
        """Whether it may name something; keywords may, too."""
        return self.kind in (Kind.WORD, Kind.NAME)

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords."""
        return self.kind is Kind.WORD and self.text in words

    def is_mark(self, mark: str) -> bool:
        """Whether it is this mark."""
        return self.kind is Kind.MARK and self.text == mark


def tokens(statement: str, parameters: Mapping[str, str]) -> list[Token]:
    """The tokens of a formatted statement. A `{name:Identifier}` reads as the names that its parameter holds."""
    read: list[Token] = []
    depth = 0
    for match in _TOKEN.finditer(statement):
        group = match.lastgroup or ""
        value, start = match.group(group), match.start()
        if group == "type":
            if value.strip() == "Identifier":
                names = _names(parameters.get(match.group("parameter"), ""))
                read += [Token(Kind.NAME, name, depth, start) for name in names]
            else:
                read.append(Token(Kind.TEXT, "", depth, start))
        elif group == "mark":
            depth -= value == ")"
            read.append(Token(Kind.MARK, value, depth, start))
            depth += value == "("
        elif group == "quoted":
            read.append(Token(Kind.NAME, _ESCAPED.sub(_unescaped, value), depth, start))
        elif group != "space":
            read.append(Token(Kind(group), value, depth, start))
    return read


def format_clause(words: Sequence[Token]) -> tuple[str, int] | None:
    """The name in the statement's FORMAT clause, and where the clause begins; None without one."""
    for at in range(len(words) - 2, -1, -1):
        word = words[at]
        if word.depth == 0 and word.is_word("FORMAT") and words[at + 1].is_identifier:
            rest = words[at + 2 :]
            return (words[at + 1].text, word.start) if not rest or rest[0].is_word("SETTINGS") else None
    return None


def settings_of(words: Sequence[Token], known: frozenset[str]) -> dict[str, str]:
    """The settings that the statement sets for itself as a whole; those of a subquery are `guard`'s.

    `known` are the names that the engine has.
    Errors: `QueryError` 36 for a value that is no plain literal.
    """
    settings: dict[str, str] = {}
    for at, word in enumerate(words):
        if word.depth == 0 and begins_settings(words, at, known):
            settings.update(_listed(words[at + 1 :], known))
    return settings


def begins_settings(words: Sequence[Token], at: int, known: frozenset[str]) -> bool:
    """Whether a SETTINGS clause begins here. A name may stand without a value: `SETTINGS final, limit = 3`."""
    if not words[at].is_word("SETTINGS") or at + 1 == len(words) or not words[at + 1].is_identifier:
        return False
    return words[at + 1].text in known or (at + 2 < len(words) and words[at + 2].is_mark("="))


def _listed(words: Sequence[Token], known: frozenset[str]) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(words) and words[at].is_identifier:
        name, at = words[at].text, at + 1
        if at < len(words) and words[at].is_mark("="):
            value, at = _value(name, words, at + 1)
            yield name, value
        elif name in known:
            yield name, _TRUE
        if at >= len(words) or not words[at].is_mark(","):
            return
        at += 1


def _value(name: str, words: Sequence[Token], at: int) -> tuple[str, int]:
    sign = "-" if at + 1 < len(words) and words[at].is_mark("-") else ""
    at += bool(sign)
    if at == len(words) or words[at].kind is Kind.MARK:
        raise QueryError(BAD_ARGUMENTS, f"Setting {name} must have a plain literal as its value")
    return sign + _ESCAPED.sub(_unescaped, words[at].text), at + 1


def _names(value: str) -> list[str]:
    # The separators between them are left out: each is judged by itself and with its neighbour.
    return [part.strip("`\"' ") for part in value.split(".")]


def _unescaped(match: re.Match[str]) -> str:
    return _CONTROL.get(match.group(1), match.group(1))
