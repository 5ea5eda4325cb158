"""embedded: gRPC in to rows in chDB and rollups current, the whole service in a process of its own.

Measures spans acknowledged a second (acknowledged means stored), the same until every span is in its session's row,
the server's CPU time and memory as the operating system counts them, and the latency of requests. Afterwards the
store's totals must equal what was acknowledged: exit status 1 if they don't.

The load comes from this process on the same machine and takes its share of the cores; its CPU time is told separately.
Not measured: TLS, compression, a network, a store that is not empty (`preloaded`), queries (`freshness`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.drive import add_pace_options, drive, pace_of, settings_of
from benchmarks.load import Load, add_load_options, check_load, load_shape
from benchmarks.report import print_header, print_last_line, print_section


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    add_load_options(parser)
    add_pace_options(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and print; 1 when the totals are wrong."""
    shape, pace = load_shape(options, time.time_ns()), pace_of(options)
    check_load(shape)
    load = Load(shape)
    given = {
        **shape.described(),
        "bytes_per_span": round(load.span_bytes, 1),
        **pace.described(),
        "settings": " ".join(options.set),
    }
    print_header("embedded", given)
    with tempfile.TemporaryDirectory(prefix="otel-sessions-") as directory:
        result = drive(Path(directory), load, pace, settings_of(options))
        figures = result.figures()
    print_section("figures", figures)
    if result.wrong:
        print(f"\nWRONG: {result.wrong}")
    print_last_line("embedded", figures, given)
    return 1 if result.wrong else 0
