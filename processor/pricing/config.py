"""The user's own prices, as configuration writes them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from processor.errors import ConfigError

PRICES_MAX: Final = 1000
_USD_MAX: Final = Decimal(1_000_000)
_DIGITS_MAX: Final = 18  # behind the point


def _usd(about: str) -> dict[str, Any]:
    return {"help": about, "min": 0, "max": int(_USD_MAX)}


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """What a model costs, ahead of what genai-prices says: US dollars per million tokens.

    Numbers are exact as they are written (`0.1` is a tenth); a numeric string says the same. A price that is left out
    is that of the tokens it is part of: cached tokens cost what input costs, those cached for an hour what cached ones
    do, reasoning what output does. Input or output left out is not charged for.
    Errors: `ConfigError` for a name or a price that can't be one.
    """

    model: str = field(metadata={"help": "Name of the model as spans give it, in any case; `*` at its end: any rest."})
    provider: str = field(default="", metadata={"help": "Provider that the price is for; empty is any."})
    input_mtok: Decimal | None = field(default=None, metadata=_usd("Input, dollars per million tokens."))
    output_mtok: Decimal | None = field(default=None, metadata=_usd("Output, dollars per million tokens."))
    cache_read_mtok: Decimal | None = field(default=None, metadata=_usd("Input read from a cache; left out, as input."))
    cache_write_mtok: Decimal | None = field(
        default=None, metadata=_usd("Input written to a cache; left out, as input.")
    )
    cache_write_1h_mtok: Decimal | None = field(
        default=None, metadata=_usd("Input written to a cache for an hour; left out, as any written to it.")
    )
    output_reasoning_mtok: Decimal | None = field(default=None, metadata=_usd("Reasoning; left out, as output."))
    requests_kcount: Decimal | None = field(
        default=None, metadata=_usd("Requests, dollars per thousand; left out, nothing.")
    )

    def __post_init__(self) -> None:
        name = self.model.strip()
        if not name or "*" in name[:-1]:
            raise ConfigError(f"model: {self.model!r} is no name of a model; a `*` may stand at its end, for any rest")
        for item in fields(self):
            if item.name not in ("model", "provider"):
                object.__setattr__(self, item.name, _price(item.name, getattr(self, item.name)))
        if self.input_mtok is self.output_mtok is self.requests_kcount is None:
            raise ConfigError("no price; name input_mtok, output_mtok or both, 0 for what is free")

    def matches(self, model: str) -> bool:
        """Whether this is the price of a model of that name."""
        name, asked = self.model.strip().lower(), model.strip().lower()
        return asked.startswith(name[:-1]) if name.endswith("*") else asked == name

    def prices(self) -> dict[str, Decimal]:
        """The prices that are stated, by the names that genai-prices has for them."""
        every = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: price for name, price in every.items() if isinstance(price, Decimal)}


@dataclass(frozen=True, slots=True)
class PricingConfig:
    """What tokens cost."""

    prices: tuple[PriceOverride, ...] = field(
        default=(),
        metadata={
            "help": "Your own prices, ahead of those that are built in; the first that fits a call counts. Each names "
            "a `model` (`my-model`, `my-*`), perhaps a `provider`, and US dollars per million tokens: `input_mtok`, "
            "`output_mtok`, `cache_read_mtok`, `cache_write_mtok`, `cache_write_1h_mtok`, `output_reasoning_mtok`; "
            f"`requests_kcount` per thousand requests. At most {PRICES_MAX}. What is stored keeps its cost until "
            "`otel-sessions reprice`."
        },
    )

    def __post_init__(self) -> None:
        if len(self.prices) > PRICES_MAX:
            raise ConfigError(f"prices: {len(self.prices)} of them; at most {PRICES_MAX}")


def _price(name: str, value: object) -> Decimal | None:
    if value is None:
        return None
    try:
        # A float stands for the number that was written: its shortest decimal is meant, not its binary value.
        price = Decimal("nan") if isinstance(value, bool) else Decimal(str(value).strip())
    except InvalidOperation:
        price = Decimal("nan")
    if not price.is_finite() or not 0 <= price <= _USD_MAX:
        raise ConfigError(f"{name}: {value!r} is no price; write US dollars, 0 to {_USD_MAX}")
    exponent = price.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _DIGITS_MAX:
        raise ConfigError(f"{name}: {value!r} has more than {_DIGITS_MAX} digits behind the point")
    return price
