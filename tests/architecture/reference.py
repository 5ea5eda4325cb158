"""Writes `config/embedded.yaml` from the configuration's dataclasses, so that the file can't fall behind them."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

from processor.config import Config
from processor.errors import ConfigError

_WIDTH = 118
_HEADER = """\
# Every option of otel-sessions with its default: this file says the same as no file.
#
# A section that is left out keeps its default; one that is there says exactly what it says, so `protocols: {http:}`
# listens on HTTP alone. Strings may hold ${env:NAME}, ${env:NAME:-default}, and $$ for a dollar sign.
# Units stand at the end of names: _s seconds, _ms milliseconds, _bytes and _mib bytes and MiB.
# Check a file with: otel-sessions validate FILE

"""


def reference() -> str:
    """The whole file."""
    return _HEADER + "\n".join(_section(Config(), 0)).lstrip("\n") + "\n"


def _section(value: Any, depth: int) -> Iterator[str]:
    hints = get_type_hints(type(value))
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        indent = "  " * depth
        if depth == 0:
            yield ""
        if dataclasses.is_dataclass(inner):
            yield from _comment(_first_line(type(inner)), indent)
            yield f"{indent}{field.name}:"
            yield from _section(inner, depth + 1)
        elif inner is None and (schema := section_of(hints[field.name])):
            # Only its being there switches it on: shown, but as a comment.
            yield from _comment(f"{field.metadata.get('help', _first_line(schema))} Default: not there.", indent)
            yield from (f"{indent}# {line}" for line in [f"{field.name}:", *_defaults(schema)])
        else:
            yield from _comment(_about(field, hints[field.name], inner), indent)
            yield f"{indent}{field.name}: {_yaml(inner)}"


def _defaults(schema: Any) -> Iterator[str]:
    try:
        value = schema()
    except (TypeError, ConfigError):
        return  # there is none without something that must be said
    yield from _section(value, 1)


def section_of(hint: Any) -> Any:
    """The dataclass of an optional section."""
    return next((part for part in get_args(hint) if dataclasses.is_dataclass(part)), None)


def _about(field: dataclasses.Field[Any], hint: Any, default: Any) -> str:
    about = [field.metadata["help"], f"Default: {_yaml(default)}."]
    if get_origin(hint) is Literal:
        about.append(f"Allowed: {', '.join(get_args(hint))}.")
    low, high = field.metadata.get("min"), field.metadata.get("max")
    if low is not None and high is not None:
        about.append(f"Allowed: {low} to {high}.")
    elif low is not None:
        about.append(f"Allowed: from {low}.")
    return " ".join(about)


def _comment(text: str, indent: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
    )


def _first_line(schema: type) -> str:
    return (schema.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _yaml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return json.dumps(value) if value in ("", None) or isinstance(value, bool) else str(value)
