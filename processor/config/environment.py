"""`${env:NAME}` in configuration strings, as the Collector writes it.

Forms: `${env:NAME}`, `${env:NAME:-default}`, `${NAME}`, `${NAME:-default}`, and `$$` for a dollar sign. The default
stands in for a variable that is not set; one that is set and empty stays empty. Unlike the Collector, a variable that
is missing and has no default is an error: an empty password is a bad way to find out.
Source: Collector `confmap` README, "environment variables".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from processor.errors import ConfigError

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)\}?")
_CONTENT = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def is_reference(text: str) -> bool:
    """True where the whole string is one reference, so that a variable may hold a number or a truth value."""
    return re.fullmatch(r"\$\{[^}]*\}", text) is not None


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace every reference in `text`.

    Errors: `ConfigError` naming the variable that is not set, or the reference that can't be read.
    """

    def replace(match: re.Match[str]) -> str:
        reference = match.group()
        if reference == "$$":
            return "$"
        content = _CONTENT.fullmatch(match.group(1))
        if content is None or not reference.endswith("}"):
            raise ConfigError(
                f"{reference!r} can't be read; write ${{env:NAME}} or ${{env:NAME:-default}}, and $$ for a dollar sign"
            )
        name, default = content.groups()
        value = environment.get(name, default)
        if value is None:
            raise ConfigError(
                f"the environment variable {name} is not set; set it, or give a default: ${{env:{name}:-default}}"
            )
        return value

    return _REFERENCE.sub(replace, text)
