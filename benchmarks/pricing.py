"""pricing: model calls to nano-dollars, on one core, with every name known from before.

Measures `processor.pricing.Prices.price` over columns of calls whose names are remembered, as they are in a worker that
has run for a while. A fifth of the calls read from a cache. The figure is calls per second of *CPU time*, all threads
counted; the first pass, which looks every name up, is told apart.

Not measured: loading the table, reading the calls, what is stated.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import polars as pl
from genai_prices import data

from benchmarks.report import print_header, print_last_line, print_section, rounded
from processor.pricing import Calls, Prices

_SEED = 1
_START_NS = 1_763_640_000 * 10**9


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--calls", type=int, default=100_000, help="calls in one batch")
    parser.add_argument("--groups", type=int, default=30, help="distinct models among them")
    parser.add_argument("--repeats", type=int, default=50, help="measured runs")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    given = {"calls": options.calls, "groups": options.groups, "repeats": options.repeats}
    print_header("pricing", given)
    calls = _calls(options.calls, options.groups)
    prices = Prices()
    first_s = _cpu_s(prices, calls)
    cpu_s = [_cpu_s(prices, calls) for _ in range(options.repeats)]
    figures = {
        "calls_per_s": round(options.calls / statistics.median(cpu_s)),
        "calls_per_s_best": round(options.calls / min(cpu_s)),
        "first_pass_ms": rounded(first_s * 1000),
        "known_share": rounded(float(prices.price(calls).known.mean())),
    }
    print_section("figures", figures)
    print_last_line("pricing", figures, given)
    return 0


def _calls(count: int, groups: int) -> Calls:
    """Models of the table, drawn evenly over its providers' lists, in random order."""
    random = np.random.default_rng(_SEED)
    names = [(provider.id, model.id) for provider in data.providers for model in provider.models]
    chosen = [names[i] for i in random.choice(len(names), groups, replace=False)]
    which = random.integers(0, groups, count)
    size = random.integers(1, 20_000, count)
    read = np.where(random.random(count) < 0.2, size // 2, 0)
    none = np.zeros(count, np.int64)
    return Calls(
        provider=pl.Series([chosen[i][0] for i in which]),
        model=pl.Series([chosen[i][1] for i in which]),
        request_model=pl.Series([chosen[i][1] for i in which]),
        start_ns=_START_NS + random.integers(0, 86_400 * 10**9, count),
        input_tokens=size,
        output_tokens=random.integers(0, 4_000, count),
        cache_read_tokens=read,
        cache_write_tokens=none,
        cache_write_1h_tokens=none,
        reasoning_tokens=none,
    )


def _cpu_s(prices: Prices, calls: Calls) -> float:
    begin = time.process_time()
    prices.price(calls)
    return time.process_time() - begin
