"""The words of one statement, as the engine itself has written it anew.

Reads only what `formatQuerySingleLine` writes: comments are gone, strings are in single quotes, odd names in backticks,
both with backslash escapes, keywords in capitals. So the words here are the words that the engine will see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

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


def settings_of(words: Sequence[Token]) -> dict[str, str]:
    """The settings that the statement sets for itself as a whole; those of a subquery are left to the engine."""
    settings: dict[str, str] = {}
    at = 0
    while at < len(words):
        at += 1
        if not (words[at - 1].depth == 0 and words[at - 1].is_word("SETTINGS")):
            continue
        while at + 2 < len(words) and words[at].is_identifier and words[at + 1].is_mark("="):
            name, at = words[at].text, at + 2
            sign = "-" if words[at].is_mark("-") and at + 1 < len(words) else ""
            at += bool(sign)
            settings[name] = sign + _ESCAPED.sub(_unescaped, words[at].text)
            at += 1
            if at >= len(words) or not words[at].is_mark(","):
                break
            at += 1
    return settings


def _names(value: str) -> list[str]:
    # The separators between them are left out: each is judged by itself and with its neighbour.
    return [part.strip("`\"' ") for part in value.split(".")]


def _unescaped(match: re.Match[str]) -> str:
    return _CONTROL.get(match.group(1), match.group(1))
