"""A user's own prices in YAML: exact as written, and refused where they can't be meant."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
import yaml

from processor.config.fields import build
from processor.errors import ConfigError
from processor.pricing import PriceOverride, PricingConfig


def read(text: str, **environment: str) -> PricingConfig:
    """The section, as it stands in a file below `processors: sessions:`."""
    return build(PricingConfig, yaml.safe_load(text), "processors.sessions", environment)


def refusal(text: str) -> str:
    """What a user is told of a section that can't be."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


def test_nothing_said_is_no_prices() -> None:
    """The default is the built-in table alone."""
    assert read("{}") == PricingConfig()
    assert PricingConfig().prices == ()


def test_a_list_of_prices_is_read_in_its_order() -> None:
    """The first that fits counts, so the order is kept."""
    config = read(
        "prices: [{model: my-model, input_mtok: 2.5, output_mtok: 10}, {model: 'my-*', provider: azure, input_mtok: 0}]"
    )
    assert config.prices == (
        PriceOverride("my-model", input_mtok=Decimal("2.5"), output_mtok=Decimal(10)),
        PriceOverride("my-*", "azure", input_mtok=Decimal(0)),
    )


def test_a_price_is_the_decimal_that_was_written() -> None:
    """A double would be another number: 0.1 is a tenth."""
    (price,) = read("prices: [{model: m, input_mtok: 0.1, output_mtok: '0.0000000000000001'}]").prices
    assert price.input_mtok == Decimal("0.1")
    assert price.output_mtok == Decimal("1e-16")


def test_a_price_may_stand_in_the_environment() -> None:
    """As any number of a configuration."""
    (price,) = read("prices: [{model: m, input_mtok: '${env:PRICE}'}]", PRICE="1.25").prices
    assert price.input_mtok == Decimal("1.25")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("m", ": 'm' is not allowed here; expected a mapping"),
        ("{input_mtok: 1}", ".model: is missing"),
        ("{model: m}", ": no price; name input_mtok"),
        ("{model: '', input_mtok: 1}", ": model: '' is no name"),
        ("{model: a*b, input_mtok: 1}", ": model: 'a*b' is no name"),
        ("{model: m, input_mtok: cheap}", ".input_mtok: 'cheap' is not allowed here; expected a number"),
        ("{model: m, input_mtok: true}", ".input_mtok: True is not allowed here; expected a number"),
        ("{model: m, input_mtok: .nan}", ".input_mtok: nan is not allowed here; expected a number"),
        ("{model: m, input_mtok: [1]}", ".input_mtok: a list is not allowed here; expected a number"),
        ("{model: m, input_mtok: -1}", ".input_mtok: -1 is out of range; allowed is at least 0 and at most 1000000"),
        ("{model: m, input_mtok: 1000001}", ".input_mtok: 1000001 is out of range"),
        ("{model: m, input_mtok: '1e-19'}", ": input_mtok: Decimal('1E-19') has more than 18 digits"),
        ("{model: m, input: 1}", ".input: unknown key; did you mean 'input_mtok'?"),
    ],
)
def test_what_is_no_price_is_refused_with_its_place(item: str, message: str) -> None:
    """The path leads to the item of the list and its key."""
    assert refusal(f"prices: [{{model: fine, input_mtok: 1}}, {item}]").startswith(
        f"processors.sessions.prices[1]{message}"
    )
    assert refusal("prices: {model: m}").startswith("processors.sessions.prices: a mapping is not allowed here")


def test_prices_are_bounded() -> None:
    """Each call's names are held against all of them."""
    text = yaml.safe_dump({"prices": [{"model": f"m{i}", "input_mtok": 1} for i in range(1001)]})
    assert refusal(text) == "processors.sessions: prices: 1001 of them; at most 1000"


@pytest.mark.parametrize("price", ["2.50", " 2.5 ", 2.5, Decimal("2.5")])
def test_a_price_is_the_same_number_however_it_is_given(price: object) -> None:
    """In Python too: a numeric string, a float and a Decimal."""
    assert PriceOverride("m", input_mtok=price).input_mtok == Decimal("2.5")  # type: ignore[arg-type]


@pytest.mark.parametrize("price", ["", "x", True, "NaN", "inf", -1, "-0.1", object()])
def test_what_is_no_number_is_refused_in_python_too(price: object) -> None:
    """A price that can't be one never reaches a calculation."""
    with pytest.raises(ConfigError, match=r"^input_mtok: "):
        PriceOverride("m", input_mtok=price)  # type: ignore[arg-type]


def test_a_section_inherits_the_list() -> None:
    """`sessions: prices:` is the worker's configuration with this one as a base."""

    @dataclass(frozen=True, slots=True)
    class Sessions(PricingConfig):
        """A component with prices."""

        workers: int = 1

    built = build(Sessions, {"workers": 2, "prices": [{"model": "m", "input_mtok": 1}]}, "", {})
    assert built == Sessions((PriceOverride("m", input_mtok=Decimal(1)),), 2)
