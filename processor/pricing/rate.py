"""What tokens cost by one set of prices, exactly: whole numbers all the way, rounded once, half to even.

Prices become pico-dollars a token: a price of up to six decimals per million tokens is a whole number of them, and
then a column of calls is a few multiplications. The rest is done in Python's exact numbers, once a distinct call:
prices with more decimals (OpenRouter lists some), where such tokens occur, and counts so large that 64 bits might not
hold the cost.

Source: genai_prices 0.2, `types.ModelPrice.calc_price`: a token is charged at the most special price that covers it, a
tier's price goes for all tokens of a call whose *input* exceeds its start. It charges a request to neither side, only
to the total; here the input side bears it, so that both sides make the total. A call without any token is not charged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np

from processor.decode.columns import Bools, Ints
from processor.pricing.calls import COST_NANO_USD_MAX, INPUT_BUCKETS, OUTPUT_BUCKETS

_INT64_MAX: Final = 2**63 - 1
_PICO_PER_USD: Final = 10**12
_PICO_PER_NANO: Final = 1000
_MTOK: Final = 10**6
_KCOUNT: Final = 10**3

# For each bucket of `Calls.buckets`, the prices that cover it, the most special one first.
_COVERING: Final = (
    ("input_mtok",),
    ("cache_read_mtok", "input_mtok"),
    ("cache_write_mtok", "input_mtok"),
    ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    ("output_mtok",),
    ("output_reasoning_mtok", "output_mtok"),
)
_REQUESTS: Final = "requests_kcount"
_KEYS: Final = frozenset(key for keys in _COVERING for key in keys)
_CHARGED: Final = frozenset({"input_mtok", "output_mtok", _REQUESTS})


@dataclass(frozen=True, slots=True)
class Rate:
    """Prices of tokens. Rows of the tables are tiers, the base first; columns are the buckets of `Calls.buckets`."""

    starts: Ints  # a tier goes for calls with more input tokens than this; sorted, one fewer than there are rows
    pico_usd: tuple[tuple[Fraction, ...], ...]  # a token
    fee_pico_usd: Fraction  # a request
    whole: Ints  # `pico_usd` where it is a whole number that fits, else 0
    is_whole: Bools
    tokens_max: int  # up to so many tokens on a side, 64 bits hold what `whole` prices make of them

    @classmethod
    def of(cls, prices: Mapping[str, Any]) -> Rate | None:
        """From prices by the library's names, each a Decimal or the library's tiered price; None where they price
        nothing that is counted here (characters, seconds of audio). No price at all is the table's way to say free.
        """
        stated = {key: price for key, price in prices.items() if price is not None}
        if stated and not stated.keys() & _CHARGED:
            return None
        starts = sorted({tier.start for key in stated.keys() & _KEYS for tier in _tiers(stated[key])})
        inputs = [0, *(start + 1 for start in starts)]
        pico = tuple(tuple(_bucket(stated, keys, tokens) for keys in _COVERING) for tokens in inputs)
        fee = _price_at(stated.get(_REQUESTS), 0) * _PICO_PER_USD / _KCOUNT
        is_whole = np.array([[_fits(price) for price in row] for row in pico])
        whole = np.array([[int(price) if _fits(price) else 0 for price in row] for row in pico], np.int64)
        # A fee that is no whole number is never met by 64 bits: every call goes the exact way.
        limit = (_INT64_MAX - int(fee)) // max(1, int(whole.max())) if _fits(fee) else -1
        return cls(np.array(starts, np.int64), pico, fee, whole, is_whole, limit)

    def costs(self, buckets: Ints) -> tuple[Ints, Ints]:
        """Nano-dollars of input and of output, one entry a call.

        Shape: `buckets` as of `Calls.buckets`. Costs above `COST_NANO_USD_MAX` stay there.
        """
        total_in, total_out = buckets[INPUT_BUCKETS].sum(axis=0), buckets[OUTPUT_BUCKETS].sum(axis=0)
        if len(self.starts):
            tier = np.searchsorted(self.starts, total_in, "left")
            price, is_whole = self.whole[tier].T, self.is_whole[tier].T
        else:
            tier = np.zeros(len(total_in), np.int64)
            price, is_whole = self.whole[0][:, None], self.is_whole[0][:, None]
        pico = price * buckets  # wraps only where `doubtful` below
        fee = np.where(total_in + total_out > 0, int(self.fee_pico_usd), 0)
        input_cost = _nano(pico[INPUT_BUCKETS].sum(axis=0) + fee)
        output_cost = _nano(pico[OUTPUT_BUCKETS].sum(axis=0))
        doubtful = (total_in > self.tokens_max) | (total_out > self.tokens_max)
        if not self.is_whole.all():
            doubtful |= ((buckets > 0) & ~is_whole).any(axis=0)
        rows = np.flatnonzero(doubtful)
        if len(rows):
            keys = np.concatenate([buckets[:, rows], tier[None, rows]]).T
            calls, which = np.unique(keys, axis=0, return_inverse=True)
            exact = np.array([self._exact(*map(int, call)) for call in calls], np.int64)[which.reshape(-1)]
            input_cost[rows], output_cost[rows] = exact[:, 0], exact[:, 1]
        return np.minimum(input_cost, COST_NANO_USD_MAX), np.minimum(output_cost, COST_NANO_USD_MAX)

    def _exact(self, *call: int) -> tuple[int, int]:
        """One call: its buckets and its tier. The slow way, which is right for any number."""
        *buckets, tier = call
        parts = [price * tokens for price, tokens in zip(self.pico_usd[tier], buckets, strict=True)]
        fee = self.fee_pico_usd if any(buckets) else Fraction(0)
        sides = (sum(parts[INPUT_BUCKETS], fee), sum(parts[OUTPUT_BUCKETS], Fraction(0)))
        # round() of a fraction is half to even.
        input_cost, output_cost = (min(round(side / _PICO_PER_NANO), COST_NANO_USD_MAX) for side in sides)
        return input_cost, output_cost


def _nano(pico: Ints) -> Ints:
    """Pico-dollars to nano-dollars, half to even."""
    nano, rest = np.divmod(pico, _PICO_PER_NANO)
    half = _PICO_PER_NANO // 2
    nano += (rest > half) | ((rest == half) & (nano % 2 == 1))
    return nano


def _tiers(price: Any) -> list[Any]:
    return [] if isinstance(price, Decimal) else price.tiers


def _price_at(price: Any, input_tokens: int) -> Fraction:
    """Dollars per unit for a call of that much input."""
    if price is None:
        return Fraction(0)
    if isinstance(price, Decimal):
        return Fraction(price)
    met = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return Fraction(met[-1] if met else price.base)


def _bucket(prices: Mapping[str, Any], keys: tuple[str, ...], input_tokens: int) -> Fraction:
    """Pico-dollars a token by the most special price there is."""
    price = next((prices[key] for key in keys if key in prices), None)
    return _price_at(price, input_tokens) * _PICO_PER_USD / _MTOK


def _fits(pico_usd: Fraction) -> bool:
    return pico_usd.denominator == 1 and pico_usd <= _INT64_MAX
