"""Columns of model calls to what they cost.

A call's tariff depends on three names alone, which few distinct calls have: it is looked up once for each combination
and remembered, and the calls of one combination are priced together. Its start decides between the rates of the tariff,
for each call by itself, so that neither day nor hour is part of what is remembered.

Order: the first of the user's prices that fits the model of the response, else of the request; then genai-prices by the
model of the response, then by that of the request (attributes.yaml, `model_pricing_fallback`). `lookup` says how.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from processor.decode.columns import Ints
from processor.pricing.calls import Calls, Priced
from processor.pricing.config import PriceOverride
from processor.pricing.providers import genai_prices_id

if TYPE_CHECKING:
    from processor.pricing.tariff import Tariff

CACHE_ENTRIES_MAX: Final = 1 << 14
"""Combinations of names whose tariff is remembered; beyond, the one least lately asked for is forgotten."""


class Prices:
    """The price table in use. Never touches the network; safe to share between threads."""

    def __init__(self, overrides: Sequence[PriceOverride] = ()) -> None:
        """Load the table of the installed library, which takes a moment the first time in a process."""
        from processor.pricing.lookup import VERSION  # noqa: PLC0415 (0.2 s, which a process without prices saves)

        self._overrides = tuple(overrides)
        self._tariff = lru_cache(maxsize=CACHE_ENTRIES_MAX)(self._find)
        own = hashlib.sha256(repr([_identity(override) for override in self._overrides]).encode()).hexdigest()[:12]
        self.revision: str = f"genai-prices {VERSION}" + (f", own prices {own}" if self._overrides else "")
        """The same for the same prices: version of the library, and a hash of the user's own."""

    def price(self, calls: Calls) -> Priced:
        """What each call costs; one entry a call, in their order.

        Errors: none; counts that contradict each other are cut to fit, and what has no price is not `known`.
        """
        count = len(calls.start_ns)
        priced = Priced(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.bool_))
        if not count:
            return priced
        buckets = calls.buckets()
        for names, rows in _groups(calls):
            tariff = self._tariff(*names)
            if tariff is None:
                continue
            which = tariff.rate_at(calls.start_ns[rows]) if len(tariff.rates) > 1 else None
            for i, rate in enumerate(tariff.rates):
                at = rows if which is None else rows[which == i]
                if rate is None or not len(at):
                    continue
                input_cost, output_cost = rate.costs(buckets[:, at])
                priced.input_cost_nano_usd[at] = input_cost
                priced.output_cost_nano_usd[at] = output_cost
                priced.known[at] = True
        return priced

    def _find(self, provider: str, model: str, request_model: str) -> Tariff | None:
        from processor.pricing.lookup import find_model  # noqa: PLC0415 (loaded by the constructor)
        from processor.pricing.tariff import Tariff  # noqa: PLC0415

        names = [name for name in dict.fromkeys((model, request_model)) if name.strip()]
        for name in names:
            for override in self._overrides:
                if override.matches(name) and _is_for(override, provider):
                    return Tariff.of_override(override)
        for name in names:
            found = find_model(provider, name)
            if found is not None and (tariff := Tariff.of_model(found)).is_known:
                return tariff
        return None


def _is_for(override: PriceOverride, provider: str) -> bool:
    wanted = genai_prices_id(override.provider)
    return not wanted or wanted == genai_prices_id(provider)


def _identity(override: PriceOverride) -> tuple[object, ...]:
    """What of it prices depend on: `2.5` and `2.50` are one price."""
    prices = sorted((name, str(price.normalize())) for name, price in override.prices().items())
    return (override.model.strip().lower(), genai_prices_id(override.provider), prices)


def _groups(calls: Calls) -> list[tuple[Any, Ints]]:
    """Provider, model and request model, and the rows of the calls that name them."""
    columns = {"provider": calls.provider, "model": calls.model, "request_model": calls.request_model}
    names = pl.DataFrame([pl.Series(name, values).cast(pl.String).fill_null("") for name, values in columns.items()])
    groups = names.with_row_index("row").group_by(*columns).agg("row")
    rows = (group.to_numpy().astype(np.int64) for group in groups["row"])
    return list(zip(groups.select(*columns).rows(), rows, strict=True))
