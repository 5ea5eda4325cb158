"""OTLP attribute values as columns: text for people and maps, typed columns for the conventions.

Pure. Text follows the contrib exporter (`pcommon.Value.AsString`): numbers in shortest form, `true`/`false`, bytes in
base64, arrays and key-value lists as compact JSON. A nested value is parsed by protobuf, once for each distinct value
of a batch; everything else is vectorized. A nested value that is no protobuf raises `DecodeError`: the columnar parser
has not looked inside it.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

from processor.decode.columns import Ints, list_owners


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of many owners (spans, resources, scopes, events or links), flattened, owners in order.

    Shape: `owner`, `key`, `text`, `value` have one entry an attribute; `offsets` has one more entry than owners.
    """

    owner: Ints
    offsets: pa.Int32Array
    key: pa.StringArray
    text: pa.StringArray
    value: pa.StructArray

    @classmethod
    def of(cls, lists: pa.ListArray) -> Attributes:
        """Flatten a `list<KeyValue>` column, one list an owner."""
        owner, offsets = list_owners(lists)
        entries = lists.flatten()
        value = entries.field("value")
        return cls(owner, offsets, entries.field("key"), texts_of(value), value)

    def maps(self) -> pa.MapArray:
        """One `map<string, string>` an owner."""
        return pa.MapArray.from_arrays(self.offsets, self.key, self.text)


def texts_of(value: pa.StructArray) -> pa.StringArray:
    """The text of each value; '' for a value that is absent or empty."""
    candidates: list[Any] = [value.field("string_value")]
    for name in ("int_value", "bool_value"):
        column = value.field(name)
        if column.null_count < len(column):
            candidates.append(pc.cast(column, pa.string()))
    doubles = value.field("double_value")
    if doubles.null_count < len(doubles):
        candidates.append(_double_texts(doubles))
    for name, to_text in (
        ("array_value", _array_text),
        ("kvlist_value", _kvlist_text),
        ("bytes_value", _bytes_text),
    ):
        column = value.field(name)
        if column.null_count < len(column):
            encoded = pc.dictionary_encode(column)
            texts = pa.array([to_text(raw) for raw in encoded.dictionary.to_pylist()], pa.string())
            candidates.append(texts.take(encoded.indices))
    return pc.coalesce(*candidates, pa.scalar(""))


def _double_texts(doubles: pa.DoubleArray) -> pa.StringArray:
    """Shortest decimal form, with an exponent only below 1e-6 and from 1e21 on, as JSON of JavaScript and Go has it.

    Arrow writes an exponent from 1e10 on; those are written anew, once for each distinct value.
    """
    size = pc.abs(doubles)
    if not pc.any(pc.and_(pc.greater_equal(size, 1e10), pc.less(size, 1e21))).as_py():
        return pc.cast(doubles, pa.string())
    encoded = pc.dictionary_encode(doubles)
    texts = [
        format(Decimal(repr(number)), "f").removesuffix(".0") if 1e10 <= abs(number) < 1e21 else text
        for number, text in zip(
            encoded.dictionary.to_pylist(), pc.cast(encoded.dictionary, pa.string()).to_pylist(), strict=True
        )
    ]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _array_text(raw: bytes) -> str:
    return _json_text([_plain(item) for item in ArrayValue.FromString(raw).values])


def _kvlist_text(raw: bytes) -> str:
    return _json_text({item.key: _plain(item.value) for item in KeyValueList.FromString(raw).values})


def _bytes_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _json_text(plain: Any) -> str:
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: AnyValue) -> Any:
    """A nested value as JSON would have it; NaN and the infinities as strings, so that they survive.

    The depth is bounded by protobuf, which refuses messages nested deeper than 100.
    """
    match value.WhichOneof("value"):
        case "array_value":
            return [_plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return {item.key: _plain(item.value) for item in value.kvlist_value.values}
        case "bytes_value":
            return _bytes_text(value.bytes_value)
        case "double_value":
            return value.double_value if math.isfinite(value.double_value) else str(value.double_value)
        case None:
            return None
        case name:
            return getattr(value, name)
