"""Keeps secrets out of log lines, whoever logged them: values of telling names, and passwords in URLs.

A second line of defence: no line of ours names a secret.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, Final

HIDDEN: Final = "***"

_NAMES: Final = re.compile(r"pass(word|wd|phrase)?$|secret|token$|authorization|api[_-]?key|credential|cookie", re.I)
_URL: Final = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")
_BEARER: Final = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.I)


def redacted(text: str) -> str:
    """A text without passwords of URLs and bearer tokens."""
    if "://" in text:
        text = _URL.sub(rf"\1{HIDDEN}", text)
    return _BEARER.sub(rf"\1 {HIDDEN}", text)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog."""
    for name, value in event.items():
        if name != "event" and _NAMES.search(name):
            event[name] = HIDDEN
        else:
            event[name] = _inside(value)
    return event


def _inside(value: Any) -> Any:
    match value:
        case str():
            return redacted(value)
        case list() | tuple():
            return [_inside(item) for item in value]
        case dict():
            return {name: HIDDEN if _NAMES.search(str(name)) else _inside(item) for name, item in value.items()}
    return value
