"""What a model call costs, from its tokens: the user's own prices, then those of genai-prices. Pure.

`config` is what a user writes, `providers` and `lookup` find a model in the library's table, `tariff` is what it
charges when, `rate` turns tokens into money, `prices` does so for whole columns, `split` weighs what emitters state
against it.

Loading the library's table takes a fifth of a second, so only `Prices()` does it: reading a configuration doesn't.
"""

from processor.pricing.calls import Calls, Priced
from processor.pricing.config import PriceOverride, PricingConfig
from processor.pricing.prices import Prices
from processor.pricing.split import Costs, Stated, split

__all__ = ["Calls", "Costs", "PriceOverride", "Priced", "Prices", "PricingConfig", "Stated", "split"]
