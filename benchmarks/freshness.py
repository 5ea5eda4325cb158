"""freshness: from export to visible in the sessions API, while a steady load is running.

Measures probes, sessions of one trace sent at random moments beside the load: the time from the call of the exporter
until `GET /v1/sessions/{id}` shows all of their spans. Polling costs the server some CPU; the queries are counted.

Not measured: freshness under more load than `--rate`, of sessions with many traces (they are rolled up less often by
design), or behind Kafka.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.drive import add_pace_options, drive, pace_of, settings_of
from benchmarks.load import Load, add_load_options, check_load, load_shape
from benchmarks.probes import Probes
from benchmarks.report import Figure, percentile_ms, print_header, print_last_line, print_section

_RATE = 30_000.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    add_load_options(parser)
    add_pace_options(parser, _RATE)
    parser.add_argument("--probes-per-s", type=float, default=8.0, help="probes a second")
    parser.add_argument("--poll-ms", type=float, default=10.0, help="pause between two queries for a probe")


def run(options: argparse.Namespace) -> int:
    """Measure and print; 1 when the totals are wrong or a probe never became visible."""
    shape, pace = load_shape(options, time.time_ns()), pace_of(options)
    check_load(shape)
    load = Load(shape)
    given: dict[str, Figure] = {
        **shape.described(),
        "bytes_per_span": round(load.span_bytes, 1),
        **pace.described(),
        "probes_per_s": options.probes_per_s,
        "poll_ms": options.poll_ms,
        "settings": " ".join(options.set),
    }
    print_header("freshness", given)
    probes = Probes(load, options.probes_per_s, pace.seconds, options.poll_ms / 1000)
    with tempfile.TemporaryDirectory(prefix="otel-sessions-") as directory:
        result = drive(Path(directory), load, pace, settings_of(options), probes.run)
        figures: dict[str, Figure] = {
            "freshness_p50_ms": percentile_ms(probes.visible_s, 50),
            "freshness_p95_ms": percentile_ms(probes.visible_s, 95),
            "freshness_p99_ms": percentile_ms(probes.visible_s, 99),
            "freshness_max_ms": percentile_ms(probes.visible_s, 100),
            "probes": len(probes.visible_s),
            "probes_lost": len(probes.lost),
            "probe_acknowledged_p50_ms": percentile_ms(probes.acknowledged_s, 50),
            "queries": len(probes.query_s),
            "query_p50_ms": percentile_ms(probes.query_s, 50),
            "query_p99_ms": percentile_ms(probes.query_s, 99),
            **result.figures(),
        }
    print_section("figures", figures)
    if result.wrong:
        print(f"\nWRONG: {result.wrong}")
    if probes.lost:
        print(f"\nWRONG: never visible: {', '.join(probes.lost[:10])}")
    print_last_line("freshness", figures, given)
    return 1 if result.wrong or probes.lost else 0
