"""The price table of the product, one call at a time, for the oracle, which has none of its own."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa

from processor.pricing.calls import Calls
from processor.pricing.prices import Prices
from tests.oracle import Row

PRICES = Prices()


def price(row: Row) -> tuple[int, int, bool]:
    """Cost of input and output in nano-dollars, and whether they are known."""
    columns: dict[str, Any] = {
        field.name: pa.array([row[field.name]]) if isinstance(row[field.name], str) else np.array([row[field.name]])
        for field in fields(Calls)
    }
    priced = PRICES.price(Calls(**columns))
    return int(priced.input_cost_nano_usd[0]), int(priced.output_cost_nano_usd[0]), bool(priced.known[0])
