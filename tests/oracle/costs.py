"""What a call costs: what its span states, else what a price list says, which is given.

Source: attributes.yaml, `cost`; processor/pricing/split.py, its rules in words. Units: nano-dollars; 0 is not stated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.oracle.spans import Row

Price = Callable[[Row], tuple[int, int, bool]]
"""Of a narrow row: what input and output cost, and whether that is known."""


def no_price(_: Row) -> tuple[int, int, bool]:
    """A price list with nothing on it."""
    return 0, 0, False


@dataclass(frozen=True)
class Cost:
    """The total is the sum of the other two."""

    input_nano_usd: int
    output_nano_usd: int
    unpriced: bool

    @property
    def total_nano_usd(self) -> int:
        return self.input_nano_usd + self.output_nano_usd


def cost_of(row: Row, price: Price) -> Cost:
    """The cost of a row that counts usage."""
    total, stated_input, stated_output = (
        row["cost_nano_usd"],
        row["input_cost_nano_usd"],
        row["output_cost_nano_usd"],
    )
    priced_input, priced_output, known = price(row)
    if total:
        input_cost = _input_share(row, total, stated_input, stated_output, priced_input, priced_output)
        return Cost(input_cost, total - input_cost, unpriced=False)
    if stated_input or stated_output:
        return Cost(stated_input or priced_input, stated_output or priced_output, unpriced=False)
    has_split_tokens = row["input_tokens"] + row["output_tokens"] > 0  # a mere total has no price
    return Cost(priced_input, priced_output, unpriced=not (known and has_split_tokens))


def _input_share(
    row: Row, total: int, stated_input: int, stated_output: int, priced_input: int, priced_output: int
) -> int:
    """Of a stated total, what input cost."""
    if stated_input and stated_output:
        if stated_input + stated_output <= total:
            return total - stated_output  # fees, searches and caches are input
        return total * stated_input // (stated_input + stated_output)
    if stated_input:
        return min(stated_input, total)
    if stated_output:
        return total - min(stated_output, total)
    if priced_input + priced_output:
        return total * priced_input // (priced_input + priced_output)
    tokens = row["input_tokens"] + row["output_tokens"]
    return total * row["input_tokens"] // tokens if tokens else total
