"""Limits of attributes in rows for people: how many an owner keeps, and how long a value may be.

Named and counted as the SDKs' span limits. They hold for what is stored, never for what is computed: sessions, tokens
and costs come from attributes as they were sent, so no total depends on a limit. What remains of a span is a function
of the span alone: the first attributes in the order in which it bears them, and the first characters of a value, with a
mark behind them that says how long it was. Owners are spans, log records, resources, scopes, events and links.

Pure and vectorized; columns within the limits are handed back as they came.
Source: OpenTelemetry specification, "Attribute Limits", "Span Limits".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.decode.columns import Ints
from processor.decode.values import Attributes

MARK: Final = "…[cut, was "
MARK_END: Final = " characters]"
"""What stands behind the characters that are left of a value, with their number between."""

COUNT: Final = "attribute_count_limit"
LENGTH: Final = "attribute_value_length_limit"


@dataclass(frozen=True, slots=True)
class AttributeLimits:
    """How much of the attributes is stored in `otel_traces` and `otel_logs`. Sessions are made of all that was sent."""

    attribute_count_limit: int = field(
        default=0,
        metadata={
            "help": "Attributes kept of each span, log record, resource, scope, event and link, the first ones; the "
            "rest is added to its dropped attributes count. 0 keeps all.",
            "min": 0,
        },
    )
    attribute_value_length_limit: int = field(
        default=0,
        metadata={
            "help": "Characters kept of a value; a longer one ends in `…[cut, was N characters]`. 0 keeps all.",
            "min": 0,
        },
    )

    @property
    def is_set(self) -> bool:
        """Whether anything is limited."""
        return bool(self.attribute_count_limit or self.attribute_value_length_limit)


NO_LIMITS: Final = AttributeLimits()


@dataclass(frozen=True, slots=True)
class Limited:
    """Attributes within the limits, and how many each owner lost; None where nobody lost any."""

    attributes: Attributes
    dropped: Ints | None


def limited(attributes: Attributes, limits: AttributeLimits, cut: Counter[str]) -> Limited:
    """Keep what the limits allow, and add to `cut` how many attributes were left out, or shortened, by limit."""
    dropped = None
    if limits.attribute_count_limit:
        attributes, dropped = _first(attributes, limits.attribute_count_limit, cut)
    if limits.attribute_value_length_limit:
        attributes = _shortened(attributes, limits.attribute_value_length_limit, cut)
    return Limited(attributes, dropped)


def counted(column: Any, dropped: Ints | None) -> Any:
    """A column of dropped counts as sent, with what was dropped here. Shape: one entry an owner."""
    if dropped is None:
        return column
    most = np.iinfo(np.uint32).max
    return pa.array(np.minimum(column.to_numpy().astype(np.int64) + dropped, most), column.type)


def _first(attributes: Attributes, count: int, cut: Counter[str]) -> tuple[Attributes, Ints | None]:
    offsets = attributes.offsets.to_numpy().astype(np.int64)
    lengths = np.diff(offsets)
    if not len(lengths) or lengths.max() <= count:
        return attributes, None
    kept_lengths = np.minimum(lengths, count)
    dropped = lengths - kept_lengths
    place = np.arange(len(attributes.owner)) - offsets[:-1][attributes.owner]
    kept = np.flatnonzero(place < count)
    rows = pa.array(kept)
    cut[COUNT] += int(dropped.sum())
    new_offsets = np.zeros(len(offsets), np.int32)
    np.cumsum(kept_lengths, out=new_offsets[1:])
    of_kept = Attributes(
        attributes.owner[kept],
        pa.array(new_offsets),
        attributes.key.take(rows),
        attributes.text.take(rows),
        attributes.value.take(rows),
    )
    return of_kept, dropped


def _shortened(attributes: Attributes, length: int, cut: Counter[str]) -> Attributes:
    # Bytes first: they are known without reading the text.
    rows = np.flatnonzero(pc.greater(pc.binary_length(attributes.text), length).to_numpy(zero_copy_only=False))
    if not len(rows):
        return attributes
    texts = attributes.text.take(pa.array(rows))
    lengths = pc.utf8_length(texts)
    is_long = pc.greater(lengths, length)
    long = pc.sum(is_long).as_py() or 0
    if not long:
        return attributes
    cut[LENGTH] += long
    begin = pc.utf8_slice_codeunits(texts.filter(is_long), 0, length)
    was = pc.cast(lengths.filter(is_long), pa.string())
    shortened = pc.binary_join_element_wise(begin, MARK, was, MARK_END, "")
    mask = np.zeros(len(attributes.text), np.bool_)
    mask[rows[is_long.to_numpy(zero_copy_only=False)]] = True
    text = pc.replace_with_mask(attributes.text, pa.array(mask), shortened)
    return Attributes(attributes.owner, attributes.offsets, attributes.key, text, attributes.value)
