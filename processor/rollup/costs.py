"""What the spans that count cost: as stated, else by their price. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from processor.decode.columns import Bools, Ints
from processor.model import COSTS
from processor.pricing.calls import Calls
from processor.pricing.prices import Prices
from processor.pricing.split import Stated, split


@dataclass(frozen=True, slots=True)
class Costs:
    """One entry a span; zero for spans that don't count. Units: nano-dollars."""

    amounts: dict[str, Ints]  # by the names of `model.COSTS`
    unpriced: Bools  # neither stated nor to be priced: unknown, not free


def costs(spans: pl.DataFrame, used: Bools, prices: Prices) -> Costs:
    """Shape: `spans` as `model.SESSION_SPANS`, `used` one entry a span."""
    rows = np.flatnonzero(used)
    counted = spans.select(*_NAMES, *_NUMBERS, *COSTS, "total_tokens")[rows]
    number = {name: counted[name].to_numpy() for name in (*COSTS, *_NUMBERS)}
    names: list[Any] = [counted[name] for name in _NAMES]
    calls = Calls(*names, *(number[name] for name in _NUMBERS))
    stated = Stated(*(number[name] for name in COSTS))
    found = split(stated, prices.price(calls), calls.input_tokens, calls.output_tokens)
    # Tokens of which nobody says whether they went in or came out have no price.
    undivided = (calls.input_tokens == 0) & (calls.output_tokens == 0) & (counted["total_tokens"].to_numpy() > 0)
    unpriced = found.unpriced | (undivided & (found.cost_nano_usd == 0))
    return Costs({name: _at(rows, getattr(found, name), len(spans)) for name in COSTS}, _at(rows, unpriced, len(spans)))


# In the order of the fields of `Calls`.
_NAMES: Final = ("provider", "model", "request_model")
_NUMBERS: Final = (
    "start_ns",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)


def _at(rows: Ints, values: Any, size: int) -> Any:
    spread = np.zeros(size, values.dtype)
    spread[rows] = values
    return spread
