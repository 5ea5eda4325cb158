"""How a JSON object becomes a protobuf message: setters by field name, put together into tables.

A table (`Fields`) says for each JSON name what it sets. Unknown names and nulls are passed over; a wrong type is a
`WrongType` that bears the path to it. The depth of attribute values inside of values is handed down to every setter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from processor.receiver.json_scalars import WrongType

ANY_VALUE_DEPTH_MAX = 30
"""Attribute values inside values. Three messages a level, and protobuf readers stop at 100 messages."""

Set = Callable[[Any, Any, int], None]
"""Sets one field of a message from a JSON value, at a depth of attribute values."""
Fields = Mapping[str, Set]


def fill(message: Any, value: Any, fields: Fields, depth: int) -> None:
    """Set the fields of a message from a JSON object. Errors: `WrongType`."""
    if type(value) is not dict:
        raise WrongType("expected an object")
    for key, item in value.items():
        set_field = fields.get(key)
        # null is protobuf's JSON for "not set".
        if set_field is None or item is None:
            continue
        try:
            set_field(message, item, depth)
        except WrongType as error:
            raise error.inside(key) from None


def scalar(name: str, read: Callable[[Any], Any]) -> Set:
    """One value."""

    def set_field(message: Any, value: Any, _: int) -> None:
        setattr(message, name, read(value))

    return set_field


def submessage(name: str, fields: Fields) -> Set:
    """One object."""

    def set_field(message: Any, value: Any, depth: int) -> None:
        child: Message = getattr(message, name)
        child.SetInParent()
        fill(child, value, fields, depth)

    return set_field


def repeated(name: str, fields: Fields) -> Set:
    """An array of objects."""

    def set_field(message: Any, value: Any, depth: int) -> None:
        children = getattr(message, name)
        for index, item in enumerate(_array(value)):
            try:
                fill(children.add(), item, fields, depth)
            except WrongType as error:
                raise error.inside(index) from None

    return set_field


def scalars(name: str, read: Callable[[Any], Any]) -> Set:
    """An array of values."""

    def set_field(message: Any, value: Any, _: int) -> None:
        children = getattr(message, name)
        for index, item in enumerate(_array(value)):
            try:
                children.append(read(item))
            except WrongType as error:
                raise error.inside(index) from None

    return set_field


def _array(value: Any) -> list[Any]:
    if type(value) is not list:
        raise WrongType("expected an array")
    return value


def deeper(set_field: Set) -> Set:
    """The same, one attribute value further in."""

    def set_deeper(message: Any, value: Any, depth: int) -> None:
        if depth >= ANY_VALUE_DEPTH_MAX:
            raise WrongType(f"nested deeper than {ANY_VALUE_DEPTH_MAX} attribute values")
        set_field(message, value, depth + 1)

    return set_deeper
