"""Attribute values to Python values, and lists of keys to the one value that wins.

Every reader tries its keys in order and takes the first value that is usable; an unusable one is as good as absent.
Source: attributes.yaml, `coerce` and the table of each field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.oracle import tables

Scalar = str | int | float | bool | None
Attributes = Mapping[str, Scalar]

TOKENS_MAX = 2**53
COST_USD_MAX = Decimal(9_000_000_000)  # in nano-dollars still a 64-bit integer

REJECTED_STRINGS = {"", "null", "None", "undefined", "nan"}
SCRUBBED = "[Scrubbed due to"

WHOLE_NUMBER = re.compile(r"[0-9]+")
SIGNED_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
DECIMAL_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def read_attributes(pairs: Iterable[KeyValue]) -> dict[str, Scalar]:
    """A list of attributes as a dict; OTLP forbids repeated keys."""
    return {pair.key: _scalar(pair.value) for pair in pairs}


def _scalar(value: AnyValue) -> Scalar:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "int_value":
        return value.int_value
    if kind == "double_value":
        return value.double_value
    return None  # arrays, maps, bytes and empty values name nothing


def to_string(value: Scalar) -> str | None:
    """`coerce.string`; None for a rejected value."""
    if value is None:
        return None
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = _unquote(value.strip())
    else:
        text = repr(value)
    if text in REJECTED_STRINGS or text.startswith(SCRUBBED):
        return None
    return text


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


def to_tokens(value: Scalar) -> int | None:
    """`coerce.int`, for counts: a whole number of at most 2**53; None for a rejected value."""
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
        digits = text.lstrip("0") or "0"
        if len(digits) > len(str(TOKENS_MAX)):
            return None
        number = int(digits)
    return number if 0 <= number <= TOKENS_MAX else None


def to_nano_usd(value: Scalar) -> int | None:
    """US dollars, a number or a numeric string, to nano-dollars, half to even; None for a rejected value."""
    if value is None or isinstance(value, bool):
        return None
    text = to_string(value)
    if text is None or not DECIMAL_NUMBER.fullmatch(text):
        return None  # also 'inf' and 'nan'
    try:
        usd = Decimal(text)
    except InvalidOperation:
        return None
    if usd < 0 or usd > COST_USD_MAX:
        return None
    return round(Fraction(usd) * 10**9)  # exact, and round() of a fraction goes half to even


def first_string(attributes: Attributes, keys: Iterable[str]) -> str | None:
    """The first usable string of `keys`."""
    ranked = first_ranked_string(attributes, keys)
    return None if ranked is None else ranked[1]


def first_ranked_string(attributes: Attributes, keys: Iterable[str]) -> tuple[int, str] | None:
    """The first usable string of `keys` with its place in the list."""
    for rank, key in enumerate(keys):
        value = attributes.get(key)
        text = to_string(value)
        if text is None:
            continue
        if key in tables.ONLY_IF_STRING and not isinstance(value, str):
            continue
        if key in tables.ONLY_IF_NOT_NUMERIC and SIGNED_NUMBER.fullmatch(text):
            continue
        return rank, text
    return None


def is_claude_code_request(attributes: Attributes, span_name: str) -> bool:
    """The predicate `claude_code_llm_request`."""
    return (
        to_string(attributes.get("span.type")) in tables.CLAUDE_CODE_REQUEST_TYPES
        or span_name == tables.CLAUDE_CODE_REQUEST_NAME
    )


def first_tokens(attributes: Attributes, keys: Iterable[str], span_name: str) -> int | None:
    """The first usable token count of `keys`; zero is a usable count."""
    for key in keys:
        if key in tables.ONLY_IF_CLAUDE_CODE_REQUEST and not is_claude_code_request(attributes, span_name):
            continue
        tokens = to_tokens(attributes.get(key))
        if tokens is not None:
            return tokens
    return None


def stated_cost_nano_usd(attributes: Attributes) -> int | None:
    """The first usable cost; a sum is usable as soon as one of its parts is. Zero is a usable cost."""
    for keys in tables.COSTS:
        parts = [to_nano_usd(attributes.get(key)) for key in keys]
        stated = [part for part in parts if part is not None]
        if stated and sum(stated) <= COST_USD_MAX * 10**9:
            return sum(stated)
    return None


def provider_name(attributes: Attributes) -> str | None:
    """The first name that is a provider's and not a framework's, normalised."""
    for key in tables.PROVIDERS:
        text = to_string(attributes.get(key))
        if text is None or text.lower() in tables.NOT_A_PROVIDER:
            continue
        name = text.lower()
        if not name.startswith(tables.PROVIDERS_KEPT_WHOLE):
            name = name.split(".")[0]
        if name:
            return name
    return None


def span_kind(attributes: Attributes) -> str:
    """What the span is, by the first attribute that says it in words of its map."""
    for key, kinds in tables.SPAN_KINDS:
        text = to_string(attributes.get(key))
        if text is not None and text.lower() in kinds:
            return kinds[text.lower()]
    for keys, kind in tables.SPAN_KINDS_BY_PRESENCE:
        if first_string(attributes, keys) is not None:
            return kind
    return "other"
