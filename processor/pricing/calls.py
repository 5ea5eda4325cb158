"""Columns of model calls, and of what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from processor.decode.columns import Bools, Ints

COST_NANO_USD_MAX: Final = 4_500_000_000 * 1_000_000_000
"""Most that one side of a call costs: above it a cost stays there, so that input and output together fit in 64 bits."""

# Rows of `Calls.buckets`: every token stands in one of them, so that each has one price.
FRESH, CACHE_READ, CACHE_WRITE, CACHE_WRITE_1H, OUTPUT, REASONING = range(6)
INPUT_BUCKETS: Final = slice(FRESH, OUTPUT)
OUTPUT_BUCKETS: Final = slice(OUTPUT, REASONING + 1)


@dataclass(frozen=True, slots=True)
class Calls:
    """Model calls, one entry a call in every column.

    Strings are Polars series or Arrow arrays, '' or null for unknown; numbers are int64. `input_tokens` include those
    read from and written to a cache, `cache_write_tokens` those written for an hour, `output_tokens` reasoning.
    """

    provider: Any
    model: Any
    request_model: Any
    start_ns: Ints
    input_tokens: Ints
    output_tokens: Ints
    cache_read_tokens: Ints
    cache_write_tokens: Ints
    cache_write_1h_tokens: Ints
    reasoning_tokens: Ints

    def buckets(self) -> Ints:
        """The tokens of each call by what they are: one row a bucket, no token in two of them.

        Negative counts are none, and a part is never larger than its whole: reads come first, writes take what is left.
        """
        whole = np.maximum(self.input_tokens, 0)
        read = np.clip(self.cache_read_tokens, 0, whole)
        write = np.clip(self.cache_write_tokens, 0, whole - read)
        write_1h = np.clip(self.cache_write_1h_tokens, 0, write)
        output = np.maximum(self.output_tokens, 0)
        reasoning = np.clip(self.reasoning_tokens, 0, output)
        return np.stack([whole - read - write, read, write - write_1h, write_1h, output - reasoning, reasoning])


@dataclass(frozen=True, slots=True)
class Priced:
    """What calls cost by the price table, one entry a call; 0 where that is not known."""

    input_cost_nano_usd: Ints
    output_cost_nano_usd: Ints
    known: Bools  # there is a price; it may be zero, for a model that is free
