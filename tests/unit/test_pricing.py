"""Which price a call has, what it makes of the call's tokens, and what counts beside what the emitter states."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from genai_prices import data

from processor.pricing import Calls, PriceOverride, Prices, Stated, split
from processor.pricing.lookup import find_model
from processor.pricing.providers import ALSO, MAKERS, SELF_HOSTED, STANDS_FOR_OTHERS, TO_GENAI_PRICES
from tests.pricing import Call, columns, costs

RULES = yaml.safe_load((Path(__file__).parents[1] / "data" / "attributes.yaml").read_text())
PROVIDERS = {provider.id for provider in data.providers}
PRICES = Prices()
SONNET_4 = "anthropic.claude-sonnet-4-20250514-v1:0"  # as Bedrock writes it
SONNET_4_5 = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def cost(call: Call, *overrides: PriceOverride) -> tuple[int, int] | None:
    """Input and output in nano-dollars; None where it has no price."""
    priced = (Prices(overrides) if overrides else PRICES).price(columns([call]))
    return costs(priced)[0] if priced.known[0] else None


def entry(provider: str, model: str) -> tuple[str, str] | None:
    """Whose entry of the table is found, and its id."""
    found = find_model(provider, model)
    owners = (table.id for table in data.providers if any(model is found for model in table.models))
    return (next(owners), found.id) if found is not None else None


def test_providers_are_mapped_as_researched() -> None:
    """The rules' own mapping, and additions that don't contradict it; every target is in the table."""
    assert RULES["provider"]["to_genai_prices"] == TO_GENAI_PRICES
    assert not TO_GENAI_PRICES.keys() & ALSO.keys()
    assert {*TO_GENAI_PRICES.values(), *ALSO.values(), *MAKERS, *STANDS_FOR_OTHERS} <= PROVIDERS
    assert not SELF_HOSTED & (PROVIDERS | TO_GENAI_PRICES.keys() | ALSO.keys())


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("openai", "gpt-4o", ("openai", "gpt-4o")),
        (" OpenAI", "GPT-4o ", ("openai", "gpt-4o")),
        ("openai", "gpt-4o-2024-08-06", ("openai", "gpt-4o")),
        ("openai", "gpt-5.2-20251211", ("openai", "gpt-5.2")),
        ("azure", "gpt-4o", ("openai", "gpt-4o")),
        ("azure.ai.openai", "gpt-4o-2024-08-06", ("openai", "gpt-4o")),
        ("azure", "my-deployment", None),
        ("vertex_ai", "claude-sonnet-4@20250514", ("google", "claude-4-sonnet")),
        ("gcp.gemini", "models/gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("aws.bedrock", f"us.{SONNET_4}", ("aws", f"regional.{SONNET_4}")),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:profile/us.amazon.nova-lite-v1:0", ("aws", "amazon.nova-lite-v1:0")),
        ("aws", "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("openrouter", "openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        ("groq", "llama-3.3-70b-versatile", ("groq", "llama-3.3-70b-versatile")),
        ("xai", "grok-3", ("x-ai", "grok-3")),
    ],
)  # fmt: skip
def test_a_provider_is_asked_for_its_own_models(provider: str, model: str, found: tuple[str, str] | None) -> None:
    """By its telemetry name, with the spellings of the model that its users write."""
    assert entry(provider, model) == found


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("", "gpt-4o", ("openai", "gpt-4o")),
        ("", "text-embedding-3-small", ("openai", "text-embedding-3-small")),
        ("", "openai/gpt-4o", ("openai", "gpt-4o")),
        ("", "anthropic/claude-sonnet-4.5", ("anthropic", "claude-sonnet-4-5")),
        ("", "vertex_ai/claude-sonnet-4@20250514", ("google", "claude-4-sonnet")),
        ("", f"bedrock/converse/{SONNET_4}", ("aws", f"regional.{SONNET_4}")),
        ("", f"us.{SONNET_4_5}", ("aws", f"regional.{SONNET_4_5}")),
        ("", "openrouter/openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        ("", "qwen/qwen3-32b", ("openrouter", "qwen/qwen3-32b")),
        ("some-gateway", "gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("litellm", "gemini/gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("openai", "deepseek-chat", ("deepseek", "deepseek-chat")),
        ("openai", "openai/gpt-4o", ("openai", "gpt-4o")),
        ("anthropic", f"us.{SONNET_4_5}", ("aws", f"regional.{SONNET_4_5}")),
        ("", "no-such-model", None),
        ("", "", None),
        ("openai", " ", None),
    ],
)  # fmt: skip
def test_a_name_alone_finds_its_model(provider: str, model: str, found: tuple[str, str] | None) -> None:
    """Where the provider is not named, not known, or only the protocol that was spoken."""
    assert entry(provider, model) == found


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("ollama", "deepseek-r1:8b"),
        ("", "ollama/deepseek-r1"),
        ("vllm", "gpt-4o"),
        ("groq", "gpt-4o"),
        ("", "x/y:free"),
    ],
)
def test_a_price_is_never_borrowed_from_who_does_not_charge_it(provider: str, model: str) -> None:
    """One's own server, a host with prices of its own, a free variant that isn't listed."""
    assert entry(provider, model) is None


def test_a_free_variant_is_free() -> None:
    """`:free` is an entry of its own, known to cost nothing, whether the provider is named or not."""
    for provider in ("openrouter", ""):
        assert cost(Call(provider, "deepseek/deepseek-chat-v3-0324:free", input=1000, output=1000)) == (0, 0)


def test_without_a_price_for_tokens_nothing_is_known() -> None:
    """A model that is paid by the character is not free."""
    assert find_model("openai", "tts-1") is not None
    assert cost(Call("openai", "tts-1", input=1000)) is None


def test_the_request_names_the_model_where_the_response_does_not() -> None:
    """attributes.yaml, `model_pricing_fallback`."""
    assert cost(Call(model="gpt-4o-proxied", request_model="gpt-4o", input=1000, output=100)) == (2_500_000, 1_000_000)
    assert cost(Call(model="", request_model="gpt-4o", input=1000)) == (2_500_000, 0)
    assert cost(Call(model="gpt-4o", request_model="gpt-4o-mini", input=1000)) == (2_500_000, 0)
    assert cost(Call(model="gpt-4o-proxied", request_model="also-unknown", input=1000)) is None


def test_cached_tokens_have_their_own_price() -> None:
    """Part of the input, and charged once: 200 fresh, 500 read, 200 written, 100 written for an hour."""
    call = Call("anthropic", "claude-sonnet-4-5", input=1000, read=500, write=300, write_1h=100, output=10, reasoning=5)
    assert cost(call) == (200 * 3000 + 500 * 300 + 200 * 3750 + 100 * 6000, 10 * 15_000)


def test_a_tier_begins_above_its_start_and_covers_every_token() -> None:
    """A token more doubles the price of all of them, of those that are answered too."""
    below = Call("anthropic", "claude-sonnet-4-5", input=200_000, output=1, start=datetime(2025, 10, 20, tzinfo=UTC))
    above = Call("anthropic", "claude-sonnet-4-5", input=200_001, output=1, start=below.start)
    assert cost(below) == (200_000 * 3000, 15_000)
    assert cost(above) == (200_001 * 6000, 22_500)


def test_an_hour_with_a_price_of_its_own_ends_to_the_nanosecond() -> None:
    """DeepSeek's day price from 00:30 to 16:30 UTC, in one batch with the night's."""
    start = datetime(2025, 8, 1, 16, 29, 59, 999_999, tzinfo=UTC)
    calls = columns([Call("deepseek", "deepseek-chat", input=10**6, start=start)] * 3)
    calls.start_ns[1:] += [999, 1000]
    day, last, night = (pair[0] for pair in costs(PRICES.price(calls)))
    assert day == last == 270_000_000
    assert night == 135_000_000


def test_a_request_has_its_price_on_the_input_side() -> None:
    """The library adds it to the total alone; here the two sides make the total. No tokens, no request."""
    assert cost(Call("perplexity", "sonar", input=1000, output=100)) == (1000 * 1000 + 12_000_000, 100 * 1000)
    assert cost(Call("perplexity", "sonar")) == (0, 0)


@pytest.mark.parametrize(("tokens", "nanos"), [(1, 0), (3, 2), (5, 2), (7, 4), (2, 1)])
def test_halves_are_rounded_to_even(tokens: int, nanos: int) -> None:
    """Half a nano-dollar a token."""
    own = PriceOverride("m", input_mtok=Decimal("0.0005"), output_mtok=Decimal("0.0005"))
    assert cost(Call(model="m", input=tokens, output=tokens), own) == (nanos, nanos)


def test_parts_larger_than_their_whole_are_cut() -> None:
    """Impossible after normalization, and no error: never more tokens than were counted."""
    read_all = Call("anthropic", "claude-sonnet-4-5", input=100, read=100)
    assert cost(Call("anthropic", "claude-sonnet-4-5", input=100, read=300, write=50, write_1h=70)) == cost(read_all)
    assert cost(Call(input=-5, output=-5, reasoning=3)) == (0, 0)


def test_own_prices_go_before_the_library() -> None:
    """For a known model as for an unknown one; the name of the request counts as well."""
    own = PriceOverride("GPT-4o", input_mtok=Decimal(1), output_mtok=Decimal(2))
    assert cost(Call(input=1000, output=1000), own) == (1_000_000, 2_000_000)
    assert cost(Call(model="gpt-4o-mini", request_model="gpt-4o", input=1000), own) == (1_000_000, 0)
    assert cost(Call(model="gpt-4o-2024-08-06", input=1000), own) == (2_500_000, 0)


def test_the_first_own_price_that_fits_counts() -> None:
    """Prefixes and exact names, in the order they are written; the response's model before the request's."""
    exact, prefix = PriceOverride("my-m", input_mtok=Decimal(1)), PriceOverride("my-*", input_mtok=Decimal(2))
    assert cost(Call(model="my-m", input=1000), exact, prefix) == (1_000_000, 0)
    assert cost(Call(model="my-m", input=1000), prefix, exact) == (2_000_000, 0)
    assert cost(Call(model="my-other", request_model="my-m", input=1000), exact, prefix) == (2_000_000, 0)
    assert cost(Call(model="your-m", input=1000), exact, prefix) is None


def test_an_own_price_may_be_for_one_provider() -> None:
    """By any of its names."""
    own = PriceOverride("*", "bedrock", input_mtok=Decimal(1))
    assert cost(Call("aws.bedrock", "x", input=1000), own) == (1_000_000, 0)
    assert cost(Call("", "x", input=1000), own) is None
    assert cost(Call("ollama", "llama3.2", input=9), PriceOverride("llama*", "ollama", input_mtok=Decimal(0))) == (0, 0)


def test_own_prices_left_out_are_those_of_the_whole() -> None:
    """As the library does where a table has no price for cached tokens."""
    call = Call(model="m", input=1000, read=300, write=400, write_1h=100, output=100, reasoning=50)
    plain = PriceOverride("m", input_mtok=Decimal(1), output_mtok=Decimal(10))
    assert cost(call, plain) == (1_000_000, 1_000_000)
    cached = PriceOverride("m", "", Decimal(1), Decimal(10), Decimal("0.1"), Decimal(2))
    assert cost(call, cached) == (300_000 + 30_000 + 800_000, 1_000_000)
    reasoned = PriceOverride(
        "m", output_mtok=Decimal(10), output_reasoning_mtok=Decimal(20), requests_kcount=Decimal(1)
    )
    assert cost(call, reasoned) == (1_000_000, 50 * 10_000 + 50 * 20_000)


def test_columns_may_be_arrow_and_hold_nulls() -> None:
    """A null is a name that isn't known; no calls are no costs."""
    ones = np.full(2, 1000)
    none = np.zeros(2, np.int64)
    names = pa.array(["openai", None]), pa.array(["gpt-4o", None]), pa.chunked_array([[None, None]], pa.string())
    priced = PRICES.price(Calls(*names, none, ones, ones, none, none, none, none))
    assert priced.known.tolist() == [True, False]
    assert costs(priced) == [(2_500_000, 10_000_000), (0, 0)]
    assert costs(PRICES.price(columns([]))) == []


def test_the_revision_is_that_of_the_prices() -> None:
    """The same prices however they are written, another for every price and order."""
    one, two = PriceOverride("m", input_mtok=Decimal("2.5")), PriceOverride("m", input_mtok=Decimal(3))
    same = PriceOverride("M", input_mtok="2.50")  # type: ignore[arg-type]
    assert Prices([one]).revision == Prices([same]).revision
    assert len({PRICES.revision, *(Prices(own).revision for own in ([one], [two], [one, two], [two, one]))}) == 5
    assert PRICES.revision == f"genai-prices {sys.modules['genai_prices'].__version__}"


def test_names_without_end_take_memory_with_an_end() -> None:
    """The library's own caches, which have no bound, are left alone."""
    snapshot = sys.modules["genai_prices.data_snapshot"].get_snapshot()
    before = len(snapshot._provider_misses), len(snapshot._lookup_cache), len(snapshot._provider_cache)
    priced = PRICES.price(columns([Call("", f"nonsense-{i}", input=1) for i in range(100)]))
    assert not priced.known.any()
    assert (len(snapshot._provider_misses), len(snapshot._lookup_cache), len(snapshot._provider_cache)) == before


def test_prices_are_never_fetched() -> None:
    """No socket is opened and no thread started, neither by loading the table nor by pricing."""
    threads = threading.active_count()
    script = (
        "import sys\n"
        "from processor.pricing import PriceOverride, PricingConfig, Prices\n"
        "assert 'genai_prices' not in sys.modules, 'configuration alone loads no table'\n"
        "sys.addaudithook(lambda event, _: event.startswith('socket.') and sys.exit(event))\n"
        "import threading\n"
        "from tests.pricing import Call, columns\n"
        "calls = columns([Call(input=1), Call('', 'nonsense', input=1)])\n"
        "assert Prices().price(calls).known.tolist() == [True, False]\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
    Prices([PriceOverride("m", input_mtok=Decimal(1))])
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("stated", "tokens", "counts"),
    [
        ((0, 0, 0), (1000, 100), (3_500_000, 2_500_000, 1_000_000)),  # nothing stated: priced
        ((0, 7, 9), (1000, 100), (16, 7, 9)),  # both parts stated
        ((0, 7, 0), (1000, 100), (1_000_007, 7, 1_000_000)),  # one part: the other is priced
        ((70, 0, 0), (1000, 100), (70, 50, 20)),  # a total: in the ratio of prices
        ((69, 0, 0), (1000, 100), (69, 49, 20)),  # input rounded down
        ((70, 0, 0), (0, 0), (70, 70, 0)),  # neither tokens nor prices to go by
        ((100, 30, 50), (1000, 100), (100, 50, 50)),  # the rest is input
        ((100, 30, 0), (1000, 100), (100, 30, 70)),  # the rest is the side that isn't stated
        ((100, 0, 30), (1000, 100), (100, 70, 30)),
        ((100, 300, 100), (1000, 100), (100, 75, 25)),  # parts that exceed the total are cut
        ((100, 300, 0), (1000, 100), (100, 100, 0)),
        ((100, 0, 300), (1000, 100), (100, 0, 100)),
    ],
)
def test_what_is_stated_goes_before_what_is_priced(
    stated: tuple[int, int, int], tokens: tuple[int, int], counts: tuple[int, int, int]
) -> None:
    """A stated total is the cost, and its parts make it up."""
    assert _split(stated, tokens, "gpt-4o") == (*counts, False)


def test_without_a_price_tokens_weigh() -> None:
    """And what nobody knows is unpriced, unless there is nothing to price."""
    assert _split((100, 0, 0), (300, 100), "nonsense") == (100, 75, 25, False)
    assert _split((0, 5, 0), (300, 100), "nonsense") == (5, 5, 0, False)
    assert _split((0, 0, 0), (300, 0), "nonsense") == (0, 0, 0, True)
    assert _split((0, 0, 0), (0, 0), "nonsense") == (0, 0, 0, False)


def test_a_free_model_is_priced() -> None:
    """Nothing is a cost; a stated total that it has all the same goes by tokens."""
    assert _split((0, 0, 0), (300, 100), "gemma-3") == (0, 0, 0, False)
    assert _split((100, 0, 0), (300, 100), "gemma-3") == (100, 75, 25, False)


def _split(stated: tuple[int, int, int], tokens: tuple[int, int], model: str) -> tuple[int, int, int, bool]:
    call = Call("google" if model == "gemma-3" else "openai", model, input=tokens[0], output=tokens[1])
    calls = columns([call])
    found = split(
        Stated(*(np.array([part]) for part in stated)), PRICES.price(calls), calls.input_tokens, calls.output_tokens
    )
    parts = (found.cost_nano_usd, found.input_cost_nano_usd, found.output_cost_nano_usd)
    cost_, input_, output_ = (int(part[0]) for part in parts)
    return cost_, input_, output_, bool(found.unpriced[0])
