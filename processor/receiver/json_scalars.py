"""The scalars of OTLP/JSON: each reader takes a parsed JSON value and returns what protobuf wants, or `WrongType`.

Source: opentelemetry-proto `docs/specification.md`, "JSON Protobuf Encoding"; protobuf.dev/programming-guides/json.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

_INTEGER: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_NOT_FINITE: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_URL_SAFE: Final = str.maketrans("-_", "+/")

_INT32_MAX = 2**31 - 1
_UINT32_MAX = 2**32 - 1
_INT64_MAX = 2**63 - 1
_UINT64_MAX = 2**64 - 1


class WrongType(Exception):
    """A value that its field cannot take; never leaves the JSON reader, where it becomes a `Permanent`.

    Its text is the path, which grows while the error rises, and what is wrong.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self._what = what
        self._path = ""

    def inside(self, step: str | int) -> WrongType:
        """The same error one level up: `step` is the name or the index that led to it."""
        own = f"[{step}]" if isinstance(step, int) else step
        joint = "." if self._path and not self._path.startswith("[") else ""
        self._path = f"{own}{joint}{self._path}"
        return self

    def __str__(self) -> str:
        return f"{self._path}: {self._what}" if self._path else self._what


def read_string(value: Any) -> str:
    """A JSON string."""
    if type(value) is not str:
        raise WrongType("expected a string")
    return value


def read_bool(value: Any) -> bool:
    """`true` or `false`."""
    if type(value) is not bool:
        raise WrongType("expected true or false")
    return value


def read_int64(value: Any) -> int:
    """A signed 64-bit integer, as string or number."""
    return _read_integer(value, -_INT64_MAX - 1, _INT64_MAX)


def read_int32(value: Any) -> int:
    """A signed 32-bit integer, as string or number."""
    return _read_integer(value, -_INT32_MAX - 1, _INT32_MAX)


def read_fixed64(value: Any) -> int:
    """An unsigned 64-bit integer, as string or number."""
    return _read_integer(value, 0, _UINT64_MAX)


def read_fixed32(value: Any) -> int:
    """An unsigned 32-bit integer, as string or number."""
    return _read_integer(value, 0, _UINT32_MAX)


def read_enum(value: Any) -> int:
    """An enum by its number, known or not; the name is what OTLP forbids."""
    if type(value) is not int or not 0 <= value <= _INT32_MAX:
        raise WrongType("expected the number of the enum value")
    return value


def read_double(value: Any) -> float:
    """A number, or a string with one, or NaN, Infinity, -Infinity as strings."""
    if type(value) is float or type(value) is int:
        return float(value)
    if type(value) is str:
        if value in _NOT_FINITE:
            return _NOT_FINITE[value]
        if _NUMBER.fullmatch(value):
            return float(value)
    raise WrongType('expected a number, "NaN", "Infinity" or "-Infinity"')


def read_hex(value: Any) -> bytes:
    """An id in hex of either case and any even length."""
    try:
        # Not bytes.fromhex: it skips spaces.
        return binascii.unhexlify(read_string(value))
    except ValueError:
        raise WrongType("expected hex digits, two a byte") from None


def read_base64(value: Any) -> bytes:
    """Bytes in base64, standard or URL-safe, with or without padding."""
    text = read_string(value).translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise WrongType("expected base64") from None


def _read_integer(value: Any, low: int, high: int) -> int:
    if type(value) is int:
        number = value
    elif (type(value) is float and value.is_integer()) or (type(value) is str and _INTEGER.fullmatch(value)):
        number = int(value)
    else:
        raise WrongType("expected an integer, as number or string")
    if not low <= number <= high:
        raise WrongType(f"expected an integer from {low} to {high}")
    return number
