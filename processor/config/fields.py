"""A plain tree to a tree of frozen dataclasses, checked field by field.

The dataclass is the schema: its annotations give the type, its defaults the default, and the metadata of a field the
rest: `help` (a sentence), `min` and `max` (inclusive). Types: bool, int, float, Decimal (a number as it is written, or
the same in quotes), str, Literal, `tuple[X, ...]`, a dataclass, and `X | None`. A section that is left out keeps the
default of its field; one that is there but empty (`grpc:`) is built from the defaults of its own fields, as the
Collector does; a field without a default must be there. A string with `repr=False` is a secret: no message shows it.
A string called `endpoint` or `address` is host:port, wherever it stands; empty is left to the component.
A dataclass may check itself in `__post_init__` by raising `ConfigError`; the path is put in front.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from processor.config.document import parse_document
from processor.config.environment import expand, is_reference
from processor.endpoint import parse_endpoint
from processor.errors import ConfigError

T = TypeVar("T")

_ENDPOINTS = ("endpoint", "address")
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a string", Decimal: "a number"}


def build(schema: type[T], tree: object, path: str, environment: Mapping[str, str]) -> T:
    """One `schema` from the mapping `tree`, which stands at the dotted `path` of the file.

    Errors: `ConfigError` with the path of the key, what is allowed there, and the nearest known name.
    """
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path or 'the file'}: {_shown(tree)} is not allowed here; expected a mapping of keys")
    known = {field.name: field for field in dataclasses.fields(cast(Any, schema))}
    hints = get_type_hints(schema)
    values: dict[str, Any] = {}
    for key, value in tree.items():
        at = f"{path}.{key}" if path else str(key)
        if key not in known:
            raise ConfigError(f"{at}: unknown key; {nearest(str(key), known)}")
        if not known[key].repr and not isinstance(value, str):
            raise ConfigError(f"{at}: must be a string")
        values[key] = _convert(hints[key], value, at, environment)
        _check_limits(values[key], known[key].metadata, at)
        if key in _ENDPOINTS and values[key]:
            _check_endpoint(values[key], at)
    for name, field in known.items():
        if name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{f'{path}.{name}' if path else name}: is missing{_about(field.metadata)}")
    try:
        return schema(**values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}" if path else str(error)) from error


def nearest(name: str, known: Iterable[str]) -> str:
    """What to write instead of `name`, as the end of a sentence."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    suggestion = f"did you mean {close[0]!r}? " if close else ""
    return f"{suggestion}known here: {', '.join(names) or 'nothing'}"


def _convert(hint: Any, value: object, path: str, environment: Mapping[str, str]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        # An empty section (`grpc:`) switches a component on with its defaults; an empty scalar means "none".
        if value is None and not dataclasses.is_dataclass(inner):
            return None
        return _convert(inner, value, path, environment)
    if dataclasses.is_dataclass(hint):
        return build(cast(type[Any], hint), value, path, environment)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{path}: {_shown(value)} is not allowed here; expected a list")
        return tuple(_convert(arguments[0], item, f"{path}[{i}]", environment) for i, item in enumerate(value))
    return _scalar(hint, _expanded(hint, value, path, environment), path)


def _expanded(hint: Any, value: object, path: str, environment: Mapping[str, str]) -> object:
    if not isinstance(value, str):
        return value
    try:
        text = expand(value, environment)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if hint is str or get_origin(hint) is Literal or not is_reference(value):
        return text
    try:
        return parse_document(text)
    except ConfigError:
        return text


def _scalar(hint: Any, value: object, path: str) -> Any:
    if get_origin(hint) is Literal:
        choices = [str(choice) for choice in get_args(hint)]
        if value not in choices:
            raise ConfigError(f"{path}: {_shown(value)} is not allowed here; {nearest(str(value), choices)}")
        return value
    if hint is float and type(value) is int:
        return float(value)
    if hint is Decimal and (number := _decimal(value)) is not None:
        return number
    if type(value) is not hint:
        raise ConfigError(f"{path}: {_shown(value)} is not allowed here; expected {_NAMES[hint]}")
    return value


def _decimal(value: object) -> Decimal | None:
    """A number as it was written: YAML's 0.1 is a tenth here, not the double nearest to it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _check_limits(value: object, metadata: Mapping[str, Any], path: str) -> None:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        return
    low, high = metadata.get("min", -math.inf), metadata.get("max", math.inf)
    if not low <= value <= high:  # also refuses NaN
        bounds = [f"at least {low}"] * (low != -math.inf) + [f"at most {high}"] * (high != math.inf)
        allowed = " and ".join(bounds) or "a finite number"
        raise ConfigError(f"{path}: {value} is out of range; allowed is {allowed}{_about(metadata)}")


def _about(metadata: Mapping[str, Any]) -> str:
    return f" ({metadata['help']})" if "help" in metadata else ""


def _check_endpoint(value: str, path: str) -> None:
    try:
        parse_endpoint(value)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)
