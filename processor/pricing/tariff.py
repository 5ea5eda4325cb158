"""What a model costs when: its rates, and the days and hours they go for.

Source: genai_prices 0.2, `types.ModelInfo.get_prices`: of the rates whose condition holds at the start of a call the
last counts, and the first where none holds. Days and hours are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

import numpy as np
from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TimeOfDateConstraint

from processor.decode.columns import Bools, Ints
from processor.pricing.config import PriceOverride
from processor.pricing.rate import Rate

_DAY_NS: Final = 86_400 * 10**9
_EPOCH: Final = date(1970, 1, 1)

Condition = StartDateConstraint | TimeOfDateConstraint | None


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates and their conditions; a rate is None where tokens have no price."""

    rates: tuple[Rate | None, ...]
    conditions: tuple[Condition, ...]

    @classmethod
    def of_model(cls, model: ModelInfo) -> Tariff:
        """What the library's table says of a model. Variants that a request would have to ask for don't take part."""
        if isinstance(model.prices, ModelPrice):
            return cls((Rate.of(vars(model.prices)),), (None,))
        rates = tuple(Rate.of(vars(price.prices)) for price in model.prices)
        return cls(rates, tuple(price.constraint for price in model.prices))

    @classmethod
    def of_override(cls, override: PriceOverride) -> Tariff:
        """What a user says: at all times."""
        return cls((Rate.of(override.prices()),), (None,))

    @property
    def is_known(self) -> bool:
        """Whether tokens have a price at any time."""
        return any(rate is not None for rate in self.rates)

    def rate_at(self, start_ns: Ints) -> Ints:
        """Which of the rates goes for a call that started then; one entry a call."""
        which = np.zeros(len(start_ns), np.int64)
        for i, condition in enumerate(self.conditions):
            which[_holds(condition, start_ns)] = i
        return which


def _holds(condition: Condition, start_ns: Ints) -> Bools:
    if condition is None:
        return np.ones(len(start_ns), np.bool_)
    if isinstance(condition, StartDateConstraint):
        return np.floor_divide(start_ns, _DAY_NS) >= (condition.start_date - _EPOCH).days
    now = np.mod(start_ns, _DAY_NS)
    begin, end = _ns_of_day(condition.start_time), _ns_of_day(condition.end_time)
    if end < begin:  # over midnight
        return (now >= begin) | (now < end)
    return (now >= begin) & (now < end)


def _ns_of_day(moment: time) -> int:
    if moment.tzinfo is not None:
        moment = datetime.combine(_EPOCH, moment).astimezone(UTC).time()
    seconds = (moment.hour * 60 + moment.minute) * 60 + moment.second
    return (seconds * 10**6 + moment.microsecond) * 1000
