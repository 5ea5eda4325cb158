"""Attribute values to what a convention means by them: text, a count, money. Column in, column and validity out.

Emitters write one number as int, double, `"7"` or `"\\"7\\""`; a value that can't be read is treated as absent, so that
the next key of the precedence list gets its turn. Vectorized; only values in JSON quotes are looked at one by one.

Source: attributes.yaml, `coerce`; costs are nano-dollars, rounded half to even on the decimal value that was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.columns import Bools, Ints, to_bools

TOKENS_MAX: Final = 2**53  # the largest count a double carries exactly
COST_NANO_USD_MAX: Final = 9_000_000_000 * 1_000_000_000
_WORDS_FOR_NOTHING: Final = pa.array(["", "null", "None", "undefined", "nan"])
_SCRUBBED: Final = "[Scrubbed due to"  # logfire's replacement: as an id it would merge all sessions
_DIGITS_MAX: Final = 16
_DAY_NS: Final = 86_400 * 10**9

NUMBER_FIELDS: Final = ("string_value", "int_value", "double_value")
"""The fields of an attribute value that a number may stand in."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Text values; `valid` is false where there is nothing usable."""

    value: Any  # pa.StringArray
    valid: Bools


@dataclass(frozen=True, slots=True)
class Counts:
    """Non-negative integers; `valid` is false where there is none."""

    value: Ints
    valid: Bools


def texts(text: Any) -> Texts:
    """Strings, numbers and booleans, as `Attributes.text` has them, trimmed."""
    trimmed = _unquoted(pc.utf8_trim_whitespace(text))
    nothing = pc.or_(pc.is_in(trimmed, _WORDS_FOR_NOTHING), pc.starts_with(trimmed, _SCRUBBED))
    return Texts(trimmed, ~to_bools(nothing))


def nested(value: Any) -> Bools | None:
    """Which values are arrays, lists or bytes: no text for a convention. None where none is."""
    found = None
    for name in ("array_value", "kvlist_value", "bytes_value"):
        column = value.field(name)
        if column.null_count < len(column):
            here = to_bools(column.is_valid())
            found = here if found is None else found | here
    return found


def _unquoted(text: Any) -> Any:
    """JSON-unquote once (MLflow, Langfuse SDK v5 metadata)."""
    quoted = np.flatnonzero(to_bools(pc.and_(pc.starts_with(text, '"'), pc.ends_with(text, '"'))))
    if not len(quoted):
        return text
    plain = text.to_pylist()
    for i in quoted:
        plain[i] = unquote(plain[i])
    return pa.array(plain, pa.string())


def unquote(text: str) -> str:
    """The string that a JSON string says; the text itself where it is no JSON string."""
    try:
        plain = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return plain if isinstance(plain, str) else text


def counts(value: Any) -> Counts:
    """Token counts from ints, whole doubles and decimal strings. Booleans, negatives and NaN are no counts.

    Shape: a struct of `NUMBER_FIELDS`, or of some of them.
    """
    number = np.full(len(value), -1, np.int64)
    ints = _stated(value, "int_value")
    if ints is not None:
        known = to_bools(ints.is_valid())
        number[known] = pc.fill_null(ints, -1).to_numpy()[known]
    doubles = _stated(value, "double_value")
    if doubles is not None:
        floats = pc.fill_null(doubles, -1.0).to_numpy()
        whole = np.isfinite(floats) & (floats == np.trunc(floats)) & (np.abs(floats) <= TOKENS_MAX)
        known = to_bools(doubles.is_valid()) & whole
        number[known] = floats[known].astype(np.int64)
    strings = _stated(value, "string_value")
    if strings is not None:
        digits = _unquoted(pc.utf8_trim_whitespace(pc.fill_null(strings, "")))
        # A JSON number that was written as 11.0 arrives as that text.
        digits = pc.replace_substring_regex(digits, r"\A([0-9]+)\.0+\z", r"\1")
        decimal = pc.match_substring_regex(digits, rf"\A[0-9]{{1,{_DIGITS_MAX}}}\z")
        known = to_bools(decimal)
        number[known] = pc.cast(digits.filter(pa.array(known)), pa.int64()).to_numpy()
    valid = (number >= 0) & (number <= TOKENS_MAX)
    return Counts(np.where(valid, number, 0), valid)


def nano_usd(value: Any) -> Counts:
    """US dollars from numbers and numeric strings to nano-dollars. Negative, NaN and absurd costs are no costs.

    Shape: a struct of `NUMBER_FIELDS`, or of some of them.
    """
    number = np.full(len(value), -1, np.int64)
    ints = _stated(value, "int_value")
    if ints is not None:
        dollars = pc.fill_null(ints, -1).to_numpy()
        known = to_bools(ints.is_valid()) & (dollars >= 0) & (dollars <= COST_NANO_USD_MAX // 10**9)
        number[known] = dollars[known] * 10**9
    doubles = _stated(value, "double_value")
    if doubles is not None:
        floats = pc.fill_null(doubles, -1.0).to_numpy()
        known = to_bools(doubles.is_valid()) & (floats >= 0) & (floats <= COST_NANO_USD_MAX / 1e9)
        number[known] = _rounded(floats[known])
    strings = _stated(value, "string_value")
    if strings is not None:
        for i in np.flatnonzero(to_bools(strings.is_valid())):
            number[i] = _nano_usd_of_text(unquote(strings[int(i)].as_py().strip()))
    valid = (number >= 0) & (number <= COST_NANO_USD_MAX)
    return Counts(np.where(valid, number, 0), valid)


def durations_ns(value: Any, ns_per_unit: int) -> Counts:
    """Spans of time, in units of so many nanoseconds, to nanoseconds. Negative, NaN and more than a day are none.

    Shape: a struct of `NUMBER_FIELDS`, or of some of them.
    """
    amount = np.full(len(value), -1.0)
    for name in NUMBER_FIELDS:
        column = _stated(value, name)
        if column is None:
            continue
        if name == "string_value":
            column = _unquoted(pc.utf8_trim_whitespace(column))
            decimal = pc.match_substring_regex(column, r"\A[0-9]{1,18}(\.[0-9]{1,18})?\z")
            column = pc.cast(pc.if_else(decimal, column, None), pa.float64())
        floats = pc.fill_null(pc.cast(column, pa.float64(), safe=False), -1.0).to_numpy(zero_copy_only=False)
        known = to_bools(column.is_valid()) & np.isfinite(floats)
        amount[known] = floats[known]
    ns = np.rint(np.clip(amount, -1.0, _DAY_NS / ns_per_unit * 2) * ns_per_unit).astype(np.int64)
    valid = (amount >= 0) & (ns <= _DAY_NS)
    return Counts(np.where(valid, ns, 0), valid)


def _stated(value: Any, name: str) -> Any:
    """The field of a struct, if it has it and any row states it; else None."""
    if value.type.get_field_index(name) < 0:
        return None
    column = value.field(name)
    return column if column.null_count < len(column) else None


def _rounded(dollars: Any) -> Ints:
    """Doubles to nano-dollars. Where the product may lie on the wrong side of a half, the decimal value decides."""
    product = dollars * 1e9
    nanos: Ints = np.rint(product).astype(np.int64)
    doubtful = np.abs(np.abs(product - np.trunc(product)) - 0.5) <= np.maximum(product, 1.0) * 2.0**-50
    doubtful |= product >= 2.0**50
    for i in np.flatnonzero(doubtful):
        nanos[i] = _nano_usd_of_text(repr(float(dollars[i])))
    return nanos


def _nano_usd_of_text(text: str) -> int:
    """-1 for what is no cost."""
    if len(text) > 64 or "_" in text:
        return -1
    try:
        dollars = Decimal(text)
    except InvalidOperation:
        return -1
    if not dollars.is_finite() or dollars < 0 or dollars > COST_NANO_USD_MAX // 10**9:
        return -1
    return int((dollars * 10**9).quantize(Decimal(1), ROUND_HALF_EVEN))
