"""A mutator that knows protobuf's wire format: it changes fields, not bytes, so that what comes out still nests.

Bytes alone would seldom get past the first length. Every choice comes from the seed, as libFuzzer wants it.
"""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Final, TypeAlias

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_VARINTS: Final = (0, 1, 2, 127, 128, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
_FIXED: Final = (0, 1, 2**31, 2**32 - 1, 0x7FF0000000000000, 0x7FF8000000000000, 2**63 - 1, 2**63, 2**64 - 1)
_TEXTS: Final = (
    b"",
    b"\0" * 16,
    b"\1" * 16,
    b"\1" * 8,
    b"\xff\xfe",
    "\u00e9\U0001f600".encode(),
    b"NaN",
    b"-1",
    b"9" * 40,
)
_DEPTH_MAX: Final = 8
_CHANGES_MAX: Final = 4

Value: TypeAlias = "int | bytes | list[Field]"
Field: TypeAlias = tuple[int, int, Value]
"""Number, wire type, value; a list where the bytes are a message, as far as one can tell."""


def mutate(data: bytes, size_max: int, seed: int) -> bytes:
    """The same message with a few fields changed, dropped, repeated, moved or added; as it was if it is none."""
    fields = parse(data)
    if fields is None:
        return data
    dice = random.Random(seed)
    for _ in range(dice.randint(1, _CHANGES_MAX)):
        _change(_some_message(fields, dice), fields, dice)
    return serialize(fields)[:size_max]


def parse(data: bytes, depth: int = 0) -> list[Field] | None:
    """The fields of a message; None where the bytes are none."""
    fields: list[Field] = []
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if at < 0 or not number:
            return None
        value: Value
        if kind == VARINT:
            value, at = _varint(data, at)
            if at < 0:
                return None
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        elif kind == BYTES:
            size, at = _varint(data, at)
            raw = data[at : at + size]
            if at < 0 or len(raw) < size:
                return None
            at += size
            inner = parse(raw, depth + 1) if size > 1 and depth < _DEPTH_MAX else None
            value = raw if inner is None else inner
        else:
            return None
        fields.append((number, kind, value))
    return fields if at == len(data) else None


def serialize(fields: list[Field]) -> bytes:
    """The bytes of a message."""
    out = bytearray()
    for number, kind, value in fields:
        out += _as_varint(number << 3 | kind)
        if isinstance(value, int):
            if kind == VARINT:
                out += _as_varint(value)
            else:
                size = 8 if kind == FIXED64 else 4
                out += (value % 2 ** (8 * size)).to_bytes(size, "little")
        else:
            raw = serialize(value) if isinstance(value, list) else value
            out += _as_varint(len(raw)) + raw
    return bytes(out)


def _some_message(fields: list[Field], dice: random.Random) -> list[Field]:
    """The message itself or one inside of it."""
    here = fields
    while inner := [value for _, _, value in here if isinstance(value, list) and value]:
        if dice.random() < 0.25:
            break
        here = dice.choice(inner)
    return here


def _change(message: list[Field], whole: list[Field], dice: random.Random) -> None:
    at = dice.randrange(len(message)) if message else 0
    match dice.randrange(6) if message else 5:
        case 0:
            del message[at]
        case 1:
            message.insert(at, deepcopy(message[dice.randrange(len(message))]))
        case 2:
            dice.shuffle(message)
        case 3:
            number, kind, value = message[at]
            message[at] = (number, kind, _other(kind, value, dice))
        case 4:
            message[at] = (dice.randint(1, 20), message[at][1], message[at][2])
        case _:
            borrowed = _some_message(whole, dice)
            message.insert(at, deepcopy(dice.choice(borrowed)) if borrowed else _new(dice))


def _other(kind: int, value: Value, dice: random.Random) -> Value:
    if kind == VARINT:
        return dice.choice(_VARINTS)
    if kind in (FIXED64, FIXED32):
        near = value if isinstance(value, int) else 0
        return dice.choice((*_FIXED, near + 1, max(near - 1, 0)))
    return dice.choice(_TEXTS)


def _new(dice: random.Random) -> Field:
    kind = dice.choice((VARINT, FIXED64, BYTES, FIXED32))
    return dice.randint(1, 20), kind, _other(kind, 0, dice)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number, and where the next thing begins; -1 when the bytes end first."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            return 0, -1
        number |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return number, at
    return 0, -1


def _as_varint(number: int) -> bytes:
    number %= 2**64
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
