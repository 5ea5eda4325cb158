"""normalize: decoded spans to narrow rows on one core, for the load and for what published SDKs really send.

Three inputs, each in batches of the size the worker polls: the load of the other benchmarks; the exports of 32 set-ups
in tests/data/captures, repeated (model calls with whole prompts, JSON inside of attributes, tags, metadata); and
the load again with thousands of rules that no span uses. The figures are spans per second of *CPU time*, all threads
counted.

Not measured: decoding protobuf (`decode`), the wide table, roll-ups (prices are looked up there: `pricing`).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from benchmarks.failure import BenchmarkError
from benchmarks.load import Load, add_load_options, check_load, load_shape
from benchmarks.report import print_header, print_last_line, print_section, rounded
from processor.conventions.rules import ConventionsConfig
from processor.decode.otlp import DecodedSpans
from processor.receiver.otlp_json import serialized_request
from processor.signals import Signal
from processor.worker import WorkerConfig
from processor.worker.batch import BatchMaker

CAPTURES = Path(__file__).parents[1] / "tests" / "data" / "captures"
_LISTS = ("session_id", "session_name", "user_id", "thread_id", "environment", "tags", "metadata_prefixes")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    add_load_options(parser)
    parser.add_argument("--repeats", type=int, default=15, help="measured runs over each input")
    parser.add_argument("--unused-rules", type=int, default=7_000, help="keys that no span has, over all lists")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    shape = load_shape(options, time.time_ns())
    check_load(shape)
    bytes_max = WorkerConfig().poll_bytes_max
    load = Load(shape)
    plain, many = BatchMaker(), BatchMaker(conventions=_unused(options.unused_rules))
    ours = _decoded(plain, _filled([load.next(time.time_ns()).payload for _ in range(40)], bytes_max))
    captured = _decoded(plain, _filled(_captures(), bytes_max))
    given = {
        **shape.described(),
        "batch_bytes_max": bytes_max,
        "captures": len(list(CAPTURES.glob("*/expected.json"))),
        "unused_rules": options.unused_rules,
        "spans": len(ours),
        "captured_spans": len(captured),
        "captured_attributes_per_span": round(len(captured.attributes.key) / len(captured), 1),
        "repeats": options.repeats,
    }
    print_header("normalize", given)
    usual = _cpu_s(plain, ours, options.repeats)
    with_unused = _cpu_s(many, ours, options.repeats)
    real = _cpu_s(plain, captured, options.repeats)
    figures = {
        "spans_per_s": round(len(ours) / usual),
        "spans_per_s_captured": round(len(captured) / real),
        "spans_per_s_unused_rules": round(len(ours) / with_unused),
        "cpu_us_per_span": rounded(usual / len(ours) * 1e6),
        "cpu_us_per_span_captured": rounded(real / len(captured) * 1e6),
        "unused_rules_ratio": rounded(with_unused / usual),
    }
    print_section("figures", figures)
    print_last_line("normalize", figures, given)
    return 0


def _unused(rules: int) -> ConventionsConfig:
    keys = tuple(f"nobody.has.this.{number}" for number in range(rules // len(_LISTS)))
    return ConventionsConfig(**dict.fromkeys(_LISTS, keys))


def _captures() -> list[bytes]:
    files = sorted(CAPTURES.glob("*/*.traces.*"))
    if not files:
        raise BenchmarkError(f"normalize: no captures in {CAPTURES.name}")
    return [_binary(file) for file in files]


def _binary(file: Path) -> bytes:
    body = file.read_bytes()
    return serialized_request(body, Signal.TRACES) if file.suffix == ".json" else body


def _filled(payloads: Sequence[bytes], bytes_max: int) -> list[bytes]:
    """The payloads over and over, up to a batch."""
    times = max(1, bytes_max // sum(map(len, payloads)))
    return [payload for _ in range(times) for payload in payloads]


def _decoded(maker: BatchMaker, payloads: Sequence[bytes]) -> DecodedSpans:
    return maker.decoder.decode(payloads, time.time_ns()).spans


def _cpu_s(maker: BatchMaker, spans: DecodedSpans, repeats: int) -> float:
    tenants = pa.array(["default"] * (int(spans.record.max()) + 1), pa.string())
    maker.normalizer.normalize(spans, tenants)
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        maker.normalizer.normalize(spans, tenants)
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)
