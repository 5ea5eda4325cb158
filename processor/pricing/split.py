"""The costs that count: what the emitter states, else what the price table says. Pure, exact, vectorized.

Source: attributes.yaml, `cost`: a stated total goes before the sum of stated parts, and what is stated before what is
priced; 0 is not stated. Of a call, in this order:

1. *A total is stated*: that is the cost, whatever the parts say (a total after a discount is what was paid). Its parts:
   - both stated: the stated ones; what the total has beyond them is input (fees, searches, caches); parts that exceed
     the total are cut in their ratio;
   - one stated: that one, at most the total; the other side has the rest;
   - none stated: in the ratio of the priced parts; without a price, or at price zero, in the ratio of the tokens;
     without tokens, all input.
   A ratio gives the input side the whole nano-dollars of its share, rounded down, and the output side the rest.
2. *Parts are stated, but no total*: they, and for a part that isn't stated the priced one, if known, else nothing.
3. *Nothing is stated*: the priced parts. Without a price nothing, and a call with tokens is `unpriced`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processor.decode.columns import Bools, Ints
from processor.pricing.calls import COST_NANO_USD_MAX, Priced

_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Stated:
    """What emitters say that calls cost, in nano-dollars, one entry a call; 0 where they don't."""

    cost_nano_usd: Ints
    input_cost_nano_usd: Ints
    output_cost_nano_usd: Ints


@dataclass(frozen=True, slots=True)
class Costs:
    """What calls cost, in nano-dollars, one entry a call; the first is always the sum of the other two."""

    cost_nano_usd: Ints
    input_cost_nano_usd: Ints
    output_cost_nano_usd: Ints
    unpriced: Bools  # tokens whose cost nobody knows


def split(stated: Stated, priced: Priced, input_tokens: Ints, output_tokens: Ints) -> Costs:
    """Weigh what is stated against what is priced; one entry a call.

    Errors: none; negative costs and counts are none.
    """
    total = np.maximum(stated.cost_nano_usd, 0)
    said_in = np.clip(stated.input_cost_nano_usd, 0, COST_NANO_USD_MAX)
    said_out = np.clip(stated.output_cost_nano_usd, 0, COST_NANO_USD_MAX)
    tokens_in, tokens_out = np.maximum(input_tokens, 0), np.maximum(output_tokens, 0)
    priced_in = np.where(priced.known, priced.input_cost_nano_usd, 0)
    priced_out = np.where(priced.known, priced.output_cost_nano_usd, 0)
    has_total, has_in, has_out = total > 0, said_in > 0, said_out > 0

    # Without a total: each part by itself.
    input_cost = np.where(has_in, said_in, priced_in)
    output_cost = np.where(has_out, said_out, priced_out)

    # With one: the input side, and the rest is output.
    has_price = (priced_in > 0) | (priced_out > 0)
    weight_in = np.where(has_price, priced_in, tokens_in)
    weight_out = np.where(has_price, priced_out, tokens_out)
    both = has_in & has_out
    weight_in, weight_out = np.where(both, said_in, weight_in), np.where(both, said_out, weight_out)
    share = np.where(has_in, np.minimum(said_in, total), np.maximum(total - said_out, 0))
    by_ratio = has_total & np.where(both, said_out > total - np.minimum(said_in, total), ~has_in & ~has_out)
    share = np.where(both, np.maximum(total - said_out, 0), share)
    rows = np.flatnonzero(by_ratio)
    share[rows] = _share(total[rows], weight_in[rows], weight_out[rows])
    input_cost = np.where(has_total, share, input_cost)
    output_cost = np.where(has_total, total - share, output_cost)

    has_tokens = (tokens_in > 0) | (tokens_out > 0)
    unpriced = ~has_total & ~has_in & ~has_out & ~priced.known & has_tokens
    return Costs(input_cost + output_cost, input_cost, output_cost, unpriced)


def _share(total: Ints, weight: Ints, other: Ints) -> Ints:
    """`total * weight / (weight + other)` rounded down, all of it where both weights are 0."""
    # Halves of the largest number can be added; products only up to what their other factor leaves.
    fits = (weight <= _INT64_MAX // 2) & (other <= _INT64_MAX // 2) & (weight <= _INT64_MAX // np.maximum(total, 1))
    whole = np.where(fits, weight + other, 1)
    share = np.where(whole > 0, np.where(fits, total * weight, 0) // np.maximum(whole, 1), total)
    for i in np.flatnonzero(~fits):
        share[i] = int(total[i]) * int(weight[i]) // (int(weight[i]) + int(other[i]))
    return share
