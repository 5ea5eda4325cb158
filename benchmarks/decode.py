"""decode: bytes to the rows of both span tables, on one core, without a store.

Measures `processor.worker.batch.BatchMaker` as the worker calls it: decode, normalize, and the wide table's rows, over
batches of the size the worker polls. The figure is spans per second of *CPU time*, all threads counted, so it is what
one core does, also on a machine that is doing something else.

Not measured: gRPC, the store, rollups, reading the log.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import pyarrow as pa

from benchmarks.load import Load, add_load_options, check_load, load_shape
from benchmarks.report import mib, print_header, print_last_line, print_section, rounded
from processor.decode.wide import otel_traces
from processor.log.base import Record
from processor.model import DEFAULT_TENANT
from processor.worker import WorkerConfig
from processor.worker.batch import BatchMaker

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
_BATCHES = 4  # different ones, so that no cache knows the next


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    add_load_options(parser)
    parser.add_argument("--repeats", type=int, default=15, help="measured runs over all batches")
    parser.add_argument("--warm-up", type=int, default=2, help="runs before them")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    shape = load_shape(options, time.time_ns())
    check_load(shape)
    load = Load(shape)
    bytes_max = WorkerConfig().poll_bytes_max
    batches = [_batch(load, bytes_max) for _ in range(_BATCHES)]
    maker = BatchMaker()
    spans = sum(len(maker.make(batch, time.time_ns()).narrow) for batch in batches)
    given = {
        **shape.described(),
        "bytes_per_span": round(load.span_bytes, 1),
        "batch_bytes_max": bytes_max,
        "batches": _BATCHES,
        "spans": spans,
        "repeats": options.repeats,
    }
    print_header("decode", given)

    def whole(batch: Sequence[Record]) -> None:
        maker.make(batch, time.time_ns())

    for _ in range(options.warm_up):
        _cpu_s(whole, batches)
    wall_s = time.perf_counter()
    cpu_s = [_cpu_s(whole, batches) for _ in range(options.repeats)]
    wall_s = (time.perf_counter() - wall_s) / options.repeats
    best, median = min(cpu_s), statistics.median(cpu_s)
    figures = {
        "spans_per_s": round(spans / median),
        "spans_per_s_best": round(spans / best),
        "spans_per_s_wall": round(spans / wall_s),
        "cpu_s_per_million_spans": rounded(median / spans * 1e6),
        "rss_mib_max": mib(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES),
    }
    steps = _steps(maker, batches, options.repeats)
    print_section("figures", figures)
    print_section(
        "CPU microseconds a span, median",
        {name: rounded(seconds / spans * 1e6) for name, seconds in steps.items()},
    )
    print_last_line("decode", figures, given)
    return 0


def _batch(load: Load, bytes_max: int) -> list[Record]:
    records: list[Record] = []
    size = 0
    while True:
        payload = load.next(time.time_ns()).payload
        size += len(payload)
        if records and size > bytes_max:
            return records
        records.append(Record(DEFAULT_TENANT, payload))


def _cpu_s(work: Callable[[Sequence[Record]], None], batches: Sequence[Sequence[Record]]) -> float:
    started = time.process_time()
    for batch in batches:
        work(batch)
    return time.process_time() - started


def _steps(maker: BatchMaker, batches: Sequence[Sequence[Record]], repeats: int) -> dict[str, float]:
    """CPU seconds of each step over all batches, median of the repeats."""
    seconds: dict[str, list[float]] = {"decode": [], "normalize": [], "wide": []}
    for _ in range(repeats):
        marks = dict.fromkeys(seconds, 0.0)
        for batch in batches:
            at = time.process_time()
            decoded = maker.decoder.decode([record.value for record in batch], time.time_ns()).spans
            tenants = pa.array([record.tenant for record in batch], pa.string())
            marks["decode"] += (after_decode := time.process_time()) - at
            rows = maker.normalizer.normalize(decoded, tenants).rows
            marks["normalize"] += (after_normalize := time.process_time()) - after_decode
            otel_traces(decoded, tenants, rows["service"].to_arrow(), rows["session_id"].to_arrow())
            marks["wide"] += time.process_time() - after_normalize
        for name, spent in marks.items():
            seconds[name].append(spent)
    return {name: statistics.median(spent) for name, spent in seconds.items()}
