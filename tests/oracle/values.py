"""One attribute value to one Python value of the wanted kind; None for a value that is as good as absent.

Source: attributes.yaml, `coerce`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Value = Any  # str | int | float | bool | bytes | None | list of values | dict of values

TOKENS_MAX = 2**53
COST_USD_MAX = Decimal(9_000_000_000)  # in nano-dollars still a 64-bit integer
DAY_NS = 86_400 * 10**9

REJECTED_STRINGS = {"", "null", "None", "undefined", "nan"}
SCRUBBED = "[Scrubbed due to"

WHOLE_NUMBER = re.compile(r"[0-9]+(\.0+)?")  # JSON may write 11 as 11.0
DECIMAL_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def read_attributes(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    """A list of attributes as a dict; OTLP forbids repeated keys."""
    return {pair.key: read_value(pair.value) for pair in pairs}


def read_value(value: AnyValue) -> Value:
    """The Python value; None for one that is not set."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [read_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return read_attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


def to_string(value: Value) -> str | None:
    """`coerce.string`; arrays, maps, bytes and empty values name nothing."""
    if value is None or isinstance(value, (list, dict, bytes)):
        return None
    text = to_text(value)
    if text in REJECTED_STRINGS or text.startswith(SCRUBBED):
        return None
    return text


def to_text(value: Value) -> str:
    """A value as people read it: a string without its blanks and quotes, what is nested as compact JSON."""
    if isinstance(value, str):
        return _unquote(value.strip())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0").replace("e-0", "e-")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return "" if value is None else compact_json(value)


def compact_json(value: Value) -> str:
    """Without blanks, keys sorted; bytes as OTLP writes them in JSON."""
    return orjson.dumps(value, default=to_text, option=orjson.OPT_SORT_KEYS).decode()


def _unquote(text: str) -> str:
    """Take the quotes of a JSON string off, once; what only looks like one stays as it is."""
    if not (text.startswith('"') and text.endswith('"')):
        return text
    try:
        unquoted = json.loads(text)
        unquoted.encode()  # half of a surrogate pair is no text
    except ValueError:
        return text
    return str(unquoted)


def to_object(value: Value) -> dict[str, Value] | None:
    """A key-value list, or a text that is a JSON object."""
    parsed = _parse(value) if isinstance(value, str) else value
    return parsed if isinstance(parsed, dict) else None


def to_list(value: Value) -> list[Value] | None:
    """An array, or a text that is a JSON array."""
    parsed = _parse(value) if isinstance(value, str) else value
    return parsed if isinstance(parsed, list) else None


def _parse(text: str) -> Value:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def to_tokens(value: Value) -> int | None:
    """`coerce.int`, for counts: a whole number of at most 2**53."""
    if isinstance(value, dict) and set(value) == {"intValue"}:  # a number as JSON OTLP writes it
        return None if isinstance(value["intValue"], dict) else to_tokens(value["intValue"])
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        number = value
    elif isinstance(value, float):
        if not value.is_integer():  # also NaN and the infinities
            return None
        number = int(value)
    else:
        text = to_string(value)
        if text is None or not WHOLE_NUMBER.fullmatch(text):
            return None
        digits = text.partition(".")[0].lstrip("0") or "0"
        if len(digits) > len(str(TOKENS_MAX)):
            return None
        number = int(digits)
    return number if 0 <= number <= TOKENS_MAX else None


def to_nano_usd(value: Value) -> int | None:
    """US dollars, a number or a numeric string, to nano-dollars, half to even."""
    text = _numeric(value)
    if text is None:
        return None
    try:
        usd = Decimal(text)
    except InvalidOperation:
        return None
    if usd < 0 or usd > COST_USD_MAX:
        return None
    return round(Fraction(usd) * 10**9)  # exact, and round() of a fraction goes half to even


def to_length_ns(value: Value, unit_ns: float) -> int | None:
    """A number of some unit to whole nanoseconds, half to even; at most a day."""
    text = _numeric(value)
    if text is None:
        return None
    length_ns = float(text) * unit_ns
    return round(length_ns) if 0 <= length_ns <= DAY_NS else None


def _numeric(value: Value) -> str | None:
    """The text of a number, which 'inf' and 'nan' are not."""
    text = None if isinstance(value, bool) else to_string(value)
    return text if text is not None and DECIMAL_NUMBER.fullmatch(text) else None


def to_time_ns(value: Value) -> int | None:
    """A time of RFC 3339 as Unix nanoseconds."""
    text = to_string(value)
    match = RFC_3339.fullmatch(text) if text is not None else None
    if match is None:
        return None
    try:
        whole = datetime.fromisoformat(match[1].upper() + match[3].upper())
    except ValueError:
        return None
    return int(whole.timestamp()) * 10**9 + int(((match[2] or ".")[1:] + "0" * 9)[:9])
