"""`INSERT` with its data in the body, as clients send it to a server. For the writable mode of the tests only."""

from __future__ import annotations

import re
from typing import Final

_INSERT: Final = re.compile(
    rb"""\s*(?P<into>INSERT\s+INTO\s+(?:TABLE\s+)?(?:`[^`]*`|[\w.])+\s*(?:\([^()]*\))?)
         \s*(?P<settings>SETTINGS\s[^\n]*?)?
         \s*FORMAT\s+(?P<format>\w+)[ \t]*;?(?:\r?\n|\s|$)""",
    re.VERBOSE | re.IGNORECASE,
)
_VALUES: Final = "values"


def split_insert(query: bytes) -> tuple[str, str, bytes] | None:
    """The statement without its data, the data's format, and the data; None for everything else.

    `INSERT ... VALUES (...)` and `INSERT ... SELECT` are whole statements, which the engine takes as they are.
    """
    found = _INSERT.match(query)
    if found is None or found.group("format").decode().lower() == _VALUES:
        return None
    statement = found.group("into") + b" " + (found.group("settings") or b"")
    return statement.decode().strip(), found.group("format").decode(), query[found.end() :]
