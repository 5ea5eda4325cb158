"""Whatever the table holds, a column of calls costs exactly what the library says of each; and costs always add up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from genai_prices import data
from genai_prices.types import (
    ClauseAnd,
    ClauseOr,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.pricing import Costs, Priced, PriceOverride, Prices, Stated, split
from processor.pricing.calls import COST_NANO_USD_MAX
from processor.pricing.tariff import Tariff
from tests.pricing import Call, columns, costs, expected, nano_usd

PRICES = Prices()
COUNTED = {"input_mtok", "output_mtok", "requests_kcount"}


def prices_of(model: ModelInfo) -> list[ModelPrice]:
    """Every set of prices that a model ever has."""
    return [model.prices] if isinstance(model.prices, ModelPrice) else [price.prices for price in model.prices]


def _words(match: object) -> list[str]:
    """The texts that a pattern of model names is made of."""
    texts, clauses = [], [match]
    while clauses:
        clause = clauses.pop()
        if isinstance(clause, ClauseOr | ClauseAnd):
            clauses += vars(clause)["or_" if isinstance(clause, ClauseOr) else "and_"]
        else:
            texts += vars(clause).values()
    return texts


def name_of(provider: Provider, model: ModelInfo) -> str | None:
    """A name by which the library finds just this entry: its id, which doesn't always do, or a text of its pattern."""
    names = [model.id, *_words(model.match)]
    return next((name for name in names if provider.find_model(name, all_providers=data.providers) is model), None)


MODELS = [(provider, model) for provider in data.providers for model in provider.models]
NAMES = [(provider.id, name) for provider, model in MODELS if (name := name_of(provider, model)) is not None]


def _starts() -> list[datetime]:
    """Around every moment at which some price of the table changes, and now."""
    days, hours = {date(2026, 11, 20)}, {timedelta(hours=12)}
    for _, model in MODELS:
        for price in [] if isinstance(model.prices, ModelPrice) else model.prices:
            if isinstance(price.constraint, StartDateConstraint):
                days.add(price.constraint.start_date)
            elif isinstance(price.constraint, TimeOfDateConstraint):
                times = (price.constraint.start_time, price.constraint.end_time)
                hours.update(timedelta(hours=time.hour, minutes=time.minute) for time in times)
    moments = {datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days}
    moments |= {datetime(2026, 11, 20, tzinfo=UTC) + hour for hour in hours}
    return sorted(moments | {moment - timedelta(microseconds=1) for moment in moments})


STARTS = _starts()
TIERS = sorted(
    {
        tier.start
        for provider in data.providers
        for model in provider.models
        for prices in prices_of(model)
        for price in vars(prices).values()
        if isinstance(price, TieredPrices)
        for tier in price.tiers
    }
)
EDGES = sorted({tier + around for tier in TIERS for around in (-1, 0, 1)})
COUNTS = st.integers(0, 3_000_000) | st.sampled_from(EDGES) | st.integers(0, 100) | st.integers(0, 2**53)


@st.composite
def usages(draw: st.DrawFn, names: tuple[str, str]) -> Call:
    """A call whose counts fit each other, as after normalization, with some tokens."""
    whole = draw(COUNTS)
    read = draw(st.integers(0, whole))
    write = draw(st.integers(0, whole - read))
    output = draw(COUNTS)
    return Call(
        *names,
        start=draw(st.sampled_from(STARTS)),
        input=whole,
        output=output if whole else max(output, 1),
        read=read,
        write=write,
        write_1h=draw(st.integers(0, write)),
        reasoning=draw(st.integers(0, output)),
    )


@given(st.lists(st.sampled_from(NAMES).flatmap(usages), min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_calls_cost_what_the_library_says(calls: list[Call]) -> None:
    """Any models in one column, at any time, with any counts up to the largest that normalization lets through."""
    wanted = [tuple(min(side, COST_NANO_USD_MAX) for side in expected(call)) for call in calls]
    assert costs(PRICES.price(columns(calls))) == wanted


@pytest.mark.parametrize("provider", data.providers, ids=lambda provider: provider.id)
def test_every_model_of_the_table_costs_what_the_library_says(provider: Provider) -> None:
    """Each with plain and cached usage, below and above its tiers, before and after each of its changes."""
    for model in provider.models:
        starts = STARTS if isinstance(model.prices, list) else STARTS[-1:]
        edges = {tier.start for prices in prices_of(model) for tier in _tiers(prices)}
        sizes = {1003, *edges, *(edge + 1 for edge in edges)}
        calls = [
            Call(start=start, input=size, output=501, read=size // 3, write=size // 5, write_1h=size // 7, reasoning=77)
            for start in starts
            for size in sizes
        ]
        calls += [Call(input=7), Call(output=7), Call(start=STARTS[0], input=7, output=7)]
        tariff, batch = Tariff.of_model(model), columns(calls)
        buckets, which = batch.buckets(), tariff.rate_at(batch.start_ns)
        for i, call in enumerate(calls):
            rate = tariff.rates[which[i]]
            found = (0, 0) if rate is None else tuple(int(cost[0]) for cost in rate.costs(buckets[:, i : i + 1]))
            assert found == nano_usd(model.calc_price(call.usage(), provider, genai_request_timestamp=call.start))


def _tiers(prices: ModelPrice) -> list[Tier]:
    return [tier for price in vars(prices).values() if isinstance(price, TieredPrices) for tier in price.tiers]


def test_every_name_of_the_table_is_found_where_the_library_finds_it() -> None:
    """Nearly every entry is reached by some name; its price is known, and the library's."""
    calls = [Call(provider, name, input=1003, output=501) for provider, name in NAMES]
    priced = PRICES.price(columns(calls))
    assert costs(priced) == [expected(call) for call in calls]
    assert len(NAMES) > 0.97 * len(MODELS)


def test_a_model_is_known_that_has_a_price_for_tokens() -> None:
    """Free ones, for which the table has no price at all, included; priced by the second or character only, not."""
    named = {(provider.id, name): model for provider, model in MODELS if (name := name_of(provider, model)) is not None}
    wanted = []
    for model in named.values():
        stated = [{key for key, price in vars(prices).items() if price is not None} for prices in prices_of(model)]
        wanted.append(all(not keys or keys & COUNTED for keys in stated))
    known = PRICES.price(columns([Call(*names, input=1) for names in named])).known.tolist()
    assert known == [bool(want) for want in wanted]
    assert not all(known)


@given(
    calls=st.lists(
        st.builds(
            Call,
            model=st.sampled_from(["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "no-such-model", ""]),
            request_model=st.sampled_from(["gpt-4o", "no-such-model", ""]),
            **dict.fromkeys(
                ("input", "output", "read", "write", "write_1h", "reasoning"), st.integers(-(2**63), 2**63 - 1)
            ),
        ),
        max_size=5,
    )
)
@settings(deadline=None)
def test_impossible_counts_are_cut_to_fit(calls: list[Call]) -> None:
    """Never an error, never a negative cost; whatever is beyond the whole does not count."""
    whole = [max(call.input, 0) for call in calls]
    read = [min(max(call.read, 0), most) for call, most in zip(calls, whole, strict=True)]
    write = [min(max(call.write, 0), most - part) for call, most, part in zip(calls, whole, read, strict=True)]
    fitting = [
        Call(
            model=call.model, request_model=call.request_model, input=whole[i], read=read[i], write=write[i],
            write_1h=min(max(call.write_1h, 0), write[i]), output=max(call.output, 0),
            reasoning=min(max(call.reasoning, 0), max(call.output, 0)),
        )
        for i, call in enumerate(calls)
    ]  # fmt: skip
    priced = PRICES.price(columns(calls))
    assert costs(priced) == costs(PRICES.price(columns(fitting)))
    assert all(0 <= cost <= COST_NANO_USD_MAX for pair in costs(priced) for cost in pair)


PER_MTOK = st.decimals(0, 100, allow_nan=False, places=12) | st.decimals(0, 1000, allow_nan=False, places=6)


@given(
    price=st.tuples(PER_MTOK, PER_MTOK, PER_MTOK, st.none() | PER_MTOK, st.none() | PER_MTOK),
    calls=st.lists(usages(("", "mine")), min_size=1, max_size=10),
)
@settings(deadline=None)
def test_own_prices_are_exact_to_the_last_digit(price: tuple, calls: list[Call]) -> None:  # type: ignore[type-arg]
    """Prices of more digits than pico-dollars have, and counts whose product 64 bits can't hold."""
    own = PriceOverride("mine", "", *price)
    fresh, out = Fraction(price[0]), Fraction(price[1])
    read = Fraction(price[2])
    write = fresh if price[3] is None else Fraction(price[3])
    write_1h = write if price[4] is None else Fraction(price[4])
    wanted = []
    for call in calls:
        charged = (call.input - call.read - call.write) * fresh + call.read * read
        charged += (call.write - call.write_1h) * write + call.write_1h * write_1h
        wanted.append(
            (min(round(charged * 1000), COST_NANO_USD_MAX), min(round(call.output * out * 1000), COST_NANO_USD_MAX))
        )
    assert costs(Prices([own]).price(columns(calls))) == wanted


NANOS = st.just(0) | st.integers(0, 10**8) | st.integers(0, COST_NANO_USD_MAX)
SIDES = st.tuples(st.just(0) | st.integers(0, 9 * 10**18), NANOS, NANOS, NANOS, NANOS, st.booleans(), COUNTS, COUNTS)


@given(st.lists(SIDES, min_size=1, max_size=8))
def test_costs_always_add_up(rows: list[tuple[int, ...]]) -> None:
    """The cost is its two sides; a stated total is kept to the nano-dollar; a ratio is that of exact numbers."""
    total, said_in, said_out, priced_in, priced_out, known, tokens_in, tokens_out = map(
        np.array, zip(*rows, strict=True)
    )
    result = split(
        Stated(total.astype(np.int64), said_in.astype(np.int64), said_out.astype(np.int64)),
        Priced(priced_in.astype(np.int64), priced_out.astype(np.int64), known.astype(np.bool_)),
        tokens_in.astype(np.int64),
        tokens_out.astype(np.int64),
    )
    for i, row in enumerate(rows):
        assert _row(result, i) == _by_hand(*row)


def _row(result: Costs, i: int) -> tuple[int, int, int, bool]:
    columns = (result.cost_nano_usd, result.input_cost_nano_usd, result.output_cost_nano_usd)
    cost, input_cost, output_cost = (int(column[i]) for column in columns)
    return cost, input_cost, output_cost, bool(result.unpriced[i])


def _by_hand(
    total: int,
    said_in: int,
    said_out: int,
    priced_in: int,
    priced_out: int,
    known: int,
    tokens_in: int,
    tokens_out: int,
) -> tuple[int, int, int, bool]:
    """The rules of `split` for one call, as they are written."""
    if not known:
        priced_in = priced_out = 0
    if not total:
        input_cost, output_cost = said_in or priced_in, said_out or priced_out
        unpriced = not (said_in or said_out or known) and bool(tokens_in or tokens_out)
        return input_cost + output_cost, input_cost, output_cost, unpriced
    if said_in and said_out:
        fits = said_in + said_out <= total
        input_cost = total - said_out if fits else total * said_in // (said_in + said_out)
    elif said_in:
        input_cost = min(said_in, total)
    elif said_out:
        input_cost = total - min(said_out, total)
    else:
        weights = (priced_in, priced_out) if priced_in or priced_out else (tokens_in, tokens_out)
        input_cost = total * weights[0] // sum(weights) if any(weights) else total
    return total, input_cost, total - input_cost, False


def test_moments_at_which_prices_change_are_tried() -> None:
    """The table has days, hours and tiers, and the strategies stand on both sides of each."""
    assert len(STARTS) > 50
    assert all(earlier < later for earlier, later in pairwise(STARTS))
    assert len(TIERS) > 5
