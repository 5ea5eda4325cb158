"""Model calls as columns, and what genai-prices itself says that one costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import genai_prices
import numpy as np
import polars as pl
from genai_prices.types import PriceCalculation

from processor.pricing import Calls, Priced

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Call:
    """One model call. The numbers need not fit each other."""

    provider: str = "openai"
    model: str = "gpt-4o"
    request_model: str = ""
    start: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)
    input: int = 0
    output: int = 0
    read: int = 0
    write: int = 0
    write_1h: int = 0
    reasoning: int = 0

    @property
    def start_ns(self) -> int:
        """Whole microseconds, exactly."""
        return (self.start - EPOCH) // timedelta(microseconds=1) * 1000

    def usage(self) -> genai_prices.Usage:
        """As the library takes it."""
        return genai_prices.Usage(
            input_tokens=self.input,
            output_tokens=self.output,
            cache_read_tokens=self.read,
            cache_write_tokens=self.write,
            cache_write_1h_tokens=self.write_1h,
            output_reasoning_tokens=self.reasoning,
        )


def columns(calls: Sequence[Call]) -> Calls:
    """The calls as the product takes them."""

    def counts(name: str) -> np.ndarray:
        return np.array([getattr(call, name) for call in calls], np.int64)

    def texts(name: str) -> pl.Series:
        return pl.Series([getattr(call, name) for call in calls], dtype=pl.String)

    return Calls(
        provider=texts("provider"),
        model=texts("model"),
        request_model=texts("request_model"),
        start_ns=counts("start_ns"),
        input_tokens=counts("input"),
        output_tokens=counts("output"),
        cache_read_tokens=counts("read"),
        cache_write_tokens=counts("write"),
        cache_write_1h_tokens=counts("write_1h"),
        reasoning_tokens=counts("reasoning"),
    )


def nano_usd(price: PriceCalculation) -> tuple[int, int]:
    """Input and output in nano-dollars, each rounded once, half to even.

    What the library charges to neither side, a request, the input side bears.
    """
    sides = (price.total_price - price.output_price, price.output_price)
    input_cost, output_cost = (round(Fraction(side) * 10**9) for side in sides)
    return input_cost, output_cost


def expected(call: Call) -> tuple[int, int]:
    """What the library says that a call costs. Errors: `LookupError` where it doesn't know the model."""
    return nano_usd(
        genai_prices.calc_price(
            call.usage(), call.model, provider_id=call.provider or None, genai_request_timestamp=call.start
        )
    )


def costs(priced: Priced) -> list[tuple[int, int]]:
    """Input and output cost of each call."""
    pairs = zip(priced.input_cost_nano_usd.tolist(), priced.output_cost_nano_usd.tolist(), strict=True)
    return [(input_cost, output_cost) for input_cost, output_cost in pairs]
