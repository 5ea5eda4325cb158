"""preloaded: the load of `embedded` against an empty store and against one that holds many spans already.

Fills a store first (`benchmarks.fill`), or takes the one of an earlier run (`--keep`). Then the same load goes to an
empty store and to the filled one; a part of its sessions exists there already (`--hit`). The ratio of the two ingest
speeds is the figure; start-up time, memory and rollup lag on the filled store are told beside it. Wrong totals, on
either store, are exit status 1.

A kept store grows by what each run sends. Not measured: a filled `otel_traces`; a store larger than the disk cache,
unless `--spans` makes it so; traces that go on from before the restart.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import orjson

from benchmarks.drive import Run, add_pace_options, drive, pace_of, settings_of
from benchmarks.failure import BenchmarkError
from benchmarks.load import Load, add_load_options, check_load, load_shape
from benchmarks.report import Figure, print_header, print_last_line, print_section, rounded

_MANIFEST = "preloaded.json"
_DISK_BYTES_PER_SPAN = 250  # filled and once more while merging


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    add_load_options(parser)
    add_pace_options(parser)
    parser.add_argument("--spans", type=int, default=100_000_000, help="spans in the store before the load")
    parser.add_argument("--stored-sessions", type=int, default=10_000, help="sessions that they belong to")
    parser.add_argument("--days", type=float, default=30.0, help="days over which they came in")
    parser.add_argument("--hit", type=float, default=50.0, metavar="PERCENT", help="sessions of the load among those")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the filled store here, or use the one there")


def run(options: argparse.Namespace) -> int:
    """Fill, measure twice, print; 1 when totals are wrong."""
    first_session = max(0, round(options.stored_sessions - options.sessions * options.hit / 100))
    shape, pace = load_shape(options, time.time_ns(), first_session), pace_of(options)
    check_load(shape)
    hit = min(max(options.stored_sessions - first_session, 0), options.sessions)
    given: dict[str, Figure] = {
        **shape.described(),
        **pace.described(),
        "spans_filled": options.spans,
        "stored_sessions": options.stored_sessions,
        "days": options.days,
        "sessions_hit": hit,
        "settings": " ".join(options.set),
    }
    print_header("preloaded", given)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otel-sessions-")))
        filled = options.keep.absolute() if options.keep else scratch / "filled"
        _prepare(filled, options)
        runs = {}
        for name, directory, seed in (("empty", scratch / "empty", shape.seed), ("filled", filled, shape.seed + 1)):
            directory.mkdir(exist_ok=True)
            runs[name] = drive(directory, Load(replace(shape, seed=seed)), pace, settings_of(options))
            print_section(f"{name} store", runs[name].figures())
    figures = _figures(runs["empty"], runs["filled"])
    print_section("figures", figures)
    wrong = {name: one.wrong for name, one in runs.items() if one.wrong}
    for name, what in wrong.items():
        print(f"\nWRONG on the {name} store: {what}")
    print_last_line("preloaded", figures, given)
    return 1 if wrong else 0


def _figures(empty: Run, filled: Run) -> dict[str, Figure]:
    on_empty = empty.figures()
    return {
        **filled.figures(),
        "spans_stored_before": filled.stored_before.spans,
        "sessions_stored_before": filled.stored_before.sessions,
        "store_mib_before": filled.stored_before.disk_mib,
        "spans_per_s_empty": on_empty["spans_per_s"],
        "spans_per_s_with_rollups_empty": on_empty["spans_per_s_with_rollups"],
        "cpu_s_per_million_spans_empty": on_empty["cpu_s_per_million_spans"],
        "rss_mib_max_empty": on_empty["rss_mib_max"],
        "server_start_s_empty": on_empty["server_start_s"],
        "ratio": rounded(filled.spans_per_s / empty.spans_per_s),
        "ratio_with_rollups": rounded(
            (filled.sent.spans / filled.current_s) / (empty.sent.spans / empty.current_s),
        ),
    }


def _prepare(directory: Path, options: argparse.Namespace) -> None:
    """Fill the store, unless it is there already.

    Errors: `BenchmarkError` when there is another one, or no room.
    """
    wanted = {"spans": options.spans, "sessions": options.stored_sessions, "days": options.days}
    manifest = directory / _MANIFEST
    if manifest.exists():
        found = orjson.loads(manifest.read_bytes())
        if found != wanted:
            raise BenchmarkError(f"{directory} holds {found}, not {wanted}; choose another directory or delete it")
        print(f"\nusing the store in {directory}")
        return
    if directory.exists() and any(directory.iterdir()):
        raise BenchmarkError(f"{directory} is not empty and holds no finished store; delete it or choose another")
    directory.mkdir(parents=True, exist_ok=True)
    needed, free = options.spans * _DISK_BYTES_PER_SPAN, shutil.disk_usage(directory).free
    if free < needed:
        raise BenchmarkError(f"{directory} has {free >> 20} MiB free, {needed >> 20} are needed; lower --spans")
    print("\nfilling")
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.fill", str(directory / "store")]
    for name, value in wanted.items():
        command += [f"--{name}", str(value)]
    if subprocess.run(command, check=False).returncode != 0:
        raise BenchmarkError("the store could not be filled; see above")
    print(f"  done in {time.perf_counter() - started:.0f} s")
    manifest.write_bytes(orjson.dumps(wanted))
