"""Writes `docs/configuration.md` from the configuration's dataclasses, so that the page can't fall behind them."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from processor.config import Config

_HEADER = """\
# Configuration

Every option, written by a test from the program itself. `otel-sessions run --config FILE` takes a YAML file in the
shape of a Collector's; `otel-sessions validate FILE` says what is wrong with one, by path. Without a file everything is
as the column "default" has it.

- A section that is left out keeps its default. One that is there says exactly what it says: `protocols: {http:}`
  listens on HTTP alone. A section marked *off* is switched on by being there, also when it is empty (`kafka:`).
- Strings may hold `${env:NAME}`, `${env:NAME:-default}`, and `$$` for a dollar sign. An option that is no string takes
  a value that is such a reference as a whole. Keep secrets there, not in the file.
- Units stand at the end of names: `_s` seconds, `_ms` milliseconds, `_days` days, `_bytes` and `_mib` bytes and MiB.
- An unknown key, a wrong type and a value out of range are refused with their path and what is allowed there.

The same as a file that can be run: [config/embedded.yaml](../config/embedded.yaml).
"""
_TYPES = {bool: "true or false", int: "whole number", float: "number", str: "string", Decimal: "number"}


def configuration_doc() -> str:
    """The whole page."""
    sections = [line for name in _fields(Config) for line in _section(name.name, _hint(Config, name), name, 2)]
    return _HEADER + "\n".join(sections).rstrip() + "\n"


def _section(path: str, hint: Any, field: dataclasses.Field[Any], level: int) -> Iterator[str]:
    schema = _schema(hint)
    yield from ("", f"{'#' * min(level, 3)} `{path}`", "")
    is_list = get_origin(hint) is tuple
    about = field.metadata.get("help") or _first_line(schema)
    notes = (
        ["A list of mappings with these keys."] if is_list else ["*Off* unless it is there."] if _is_off(path) else []
    )
    yield from (" ".join([about, *notes]), "")
    options = [item for item in _fields(schema) if _schema(_hint(schema, item)) is None]
    if options:
        yield from ("| option | type | default | allowed | |", "|---|---|---|---|---|")
        yield from (_row(item, _hint(schema, item)) for item in options)
    for item in _fields(schema):
        inner = _hint(schema, item)
        if _schema(inner) is not None:
            yield from _section(f"{path}.{item.name}", inner, item, level + 1)


def _row(field: dataclasses.Field[Any], hint: Any) -> str:
    low, high = field.metadata.get("min"), field.metadata.get("max")
    if low is not None and high is not None:
        allowed = f"{low} to {high}"
    else:
        allowed = f"from {low}" if low is not None else f"up to {high}" if high is not None else ""
    kind, choices = _kind(hint)
    cells = (f"`{field.name}`", kind, _default(field), choices or allowed, field.metadata["help"])
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _kind(hint: Any) -> tuple[str, str]:
    """What to write there, and what may be chosen from."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        kind, choices = _kind(inner)
        return f"{kind} or null", choices
    if origin is Literal:
        return "string", ", ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        kind, choices = _kind(arguments[0])
        return f"list of {kind}s", choices
    return _TYPES[hint], ""


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "must be there"
    value = field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[misc]
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{json.dumps(value)}`" if value in ("", None) or isinstance(value, bool) else f"`{value}`"


def _schema(hint: Any) -> Any:
    """The dataclass of a section, of an optional one, or of the items of a list."""
    candidates = (hint, *get_args(hint))
    return next((candidate for candidate in candidates if dataclasses.is_dataclass(candidate)), None)


def _is_off(path: str) -> bool:
    value: Any = Config()
    for name in path.split("."):
        value = getattr(value, name, None)
    return value is None


def _fields(schema: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(schema)


def _hint(schema: Any, field: dataclasses.Field[Any]) -> Any:
    return get_type_hints(schema)[field.name]


def _first_line(schema: type) -> str:
    return (schema.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
