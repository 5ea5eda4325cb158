"""soak: a steady load for a long time, and whether memory stays where it is.

Measures the memory of the whole process tree (what its processes share counts once) every few seconds, and how fast it
grows after a warm-up, by least squares, in MiB per ten minutes; beside it what `embedded` measures. Afterwards the
store's totals must equal what was acknowledged: exit status 1 if they don't, or if memory grows faster than allowed.

Without `--rate` it first finds out, on a store of its own, what the server takes at most, and sends 60 % of that.
With `--session-length` sessions end and others begin, as they do: else all of them grow, and so does the time that each
takes to be rolled up again. Not measured: Kafka, a server of ClickHouse.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.drive import Pace, add_pace_options, drive, settings_of
from benchmarks.load import Load, add_load_options, check_load, load_shape
from benchmarks.report import Figure, mib, print_header, print_last_line, print_section, rounded
from benchmarks.sender import Sender
from benchmarks.server import Server

_SHARE: Final = 0.6
_MINUTE_S: Final = 60.0
_SAMPLE_S: Final = 1.0


@dataclass(slots=True)
class Memory:
    """Samples of one server: seconds since the load began, and resident bytes."""

    seconds: float
    at_s: list[float] = field(default_factory=list)
    rss_bytes: list[int] = field(default_factory=list)

    async def watch(self, server: Server, _sender: Sender) -> None:
        """Sample while the load runs."""
        began = time.perf_counter()
        while (now_s := time.perf_counter() - began) < self.seconds:
            if server.rss_bytes:  # not known in the first second
                self.at_s.append(now_s)
                self.rss_bytes.append(server.rss_bytes)
            await asyncio.sleep(min(_SAMPLE_S, self.seconds / 20))

    def figures(self, warm_up_s: float) -> dict[str, Figure]:
        """What they say about the time after the warm-up."""
        warm = [(at_s, size) for at_s, size in zip(self.at_s, self.rss_bytes, strict=True) if at_s >= warm_up_s]
        sizes = [size for _, size in warm] or [0]
        return {
            "rss_growth_mib_per_10_min": rounded(growth_mib_per_10_min(warm)),
            "rss_growth_standard_error": rounded(standard_error(warm)),
            "rss_samples": len(warm),
            "rss_mib_first": mib(sizes[0]),
            "rss_mib_last": mib(sizes[-1]),
            "rss_mib_median": mib(int(np.median(sizes))),
        }


def growth_mib_per_10_min(samples: list[tuple[float, int]]) -> float:
    """The slope of the straight line through (seconds, bytes) that fits best; 0.0 for fewer than two samples."""
    if len(samples) < 2:
        return 0.0
    at_s, size = np.array(samples, np.float64).T
    slope, _ = np.polyfit(at_s, size, 1)
    return float(slope) * 10 * _MINUTE_S / 2**20


def standard_error(samples: list[tuple[float, int]]) -> float:
    """How far that slope may be off by chance. By the means of minutes, as samples beside each other are alike."""
    if not samples:
        return 0.0
    at_s, size = np.array(samples, np.float64).T
    minute = (at_s // _MINUTE_S).astype(np.int64)
    means = [(at_s[minute == number].mean(), size[minute == number].mean()) for number in np.unique(minute)]
    if len(means) < 4:
        return 0.0
    of_minutes = np.array(means).T
    _, covariance = np.polyfit(of_minutes[0], of_minutes[1], 1, cov=True)
    return float(np.sqrt(covariance[0, 0])) * 10 * _MINUTE_S / 2**20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    add_load_options(parser)
    add_pace_options(parser)
    parser.set_defaults(seconds=0.0)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long to send; --seconds comes first")
    parser.add_argument("--warm-up-minutes", type=float, default=0.0, help="not counted; 0 is a third of the time")
    parser.add_argument(
        "--measure-seconds",
        type=float,
        default=300.0,
        help="how long to look for the most it takes; a minute, before merges come to large parts, tells too much",
    )
    parser.add_argument(
        "--growth-mib-max", type=float, default=0.0, help="per ten minutes; more is status 1, 0 allows any"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print; 1 when the totals are wrong or memory grows too fast."""
    seconds = options.seconds or options.minutes * _MINUTE_S
    shape, settings = load_shape(options, time.time_ns()), settings_of(options)
    check_load(shape)
    pace = Pace(seconds, options.rate, options.in_flight, options.channels)
    warm_up_s = options.warm_up_minutes * _MINUTE_S or seconds / 3
    load = Load(shape)
    given: dict[str, Figure] = {
        **shape.described(),
        "bytes_per_span": round(load.span_bytes, 1),
        **pace.described(),
        "warm_up_s": rounded(warm_up_s),
        "settings": " ".join(options.set),
    }
    print_header("soak", given)
    if not pace.rate:
        most = _most(replace(pace, seconds=options.measure_seconds), Load(shape), settings)
        pace = replace(pace, rate=round(_SHARE * most))
        given |= {"spans_per_s_at_most": round(most), "rate": pace.rate}
        print_section("rate", {"spans_per_s_at_most": round(most), "rate": pace.rate})
    memory = Memory(seconds)
    with tempfile.TemporaryDirectory(prefix="otel-sessions-") as directory:
        result = drive(Path(directory), load, pace, settings, memory.watch)
        figures = {**memory.figures(warm_up_s), **result.figures()}
    print_section("figures", figures)
    growth = float(figures["rss_growth_mib_per_10_min"])
    grows = bool(options.growth_mib_max) and growth > options.growth_mib_max
    if result.wrong:
        print(f"\nWRONG: {result.wrong}")
    if grows:
        print(f"\nWRONG: memory grows by {growth} MiB in ten minutes, allowed are {options.growth_mib_max}")
    print_last_line("soak", figures, given)
    return 1 if result.wrong or grows else 0


def _most(pace: Pace, load: Load, settings: dict[str, Any]) -> float:
    """Spans a second that a fresh server takes and rolls up."""
    with tempfile.TemporaryDirectory(prefix="otel-sessions-") as directory:
        result = drive(Path(directory), load, pace, settings)
        return result.sent.spans / result.current_s
