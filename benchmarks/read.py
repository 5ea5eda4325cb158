"""read: what people ask of a store with many sessions, while spans come in.

Fills a store first (`benchmarks.read_fill`), or takes the one of an earlier run (`--keep`), starts the processor on it,
sends a steady load, and asks: the first page by each column in both directions, searches, one session with its
breakdown, its traces, statistics of all. One client, one question at a time. The server keeps totals of pages and
statistics for a while (`processor/api/kept.py`): `stats_first` is what the first one to ask waits for.

A kept store grows by what each run sends. Not measured: several who ask at once, a store that is not in the disk
cache, and traces with their spans (there are none in the store).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.drive import add_pace_options, drive, pace_of, settings_of
from benchmarks.failure import BenchmarkError
from benchmarks.load import Load, add_load_options, check_load, load_shape
from benchmarks.questions import SORT_KEYS, Questions
from benchmarks.report import Figure, percentile_ms, print_header, print_last_line, print_section

_RATE = 5_000.0
_FILLED = "filled"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    add_load_options(parser)
    add_pace_options(parser, _RATE)
    parser.add_argument("--stored-sessions", type=int, default=10_000_000, help="sessions in the store before the load")
    parser.add_argument("--traces-per-session", type=int, default=10, help="traces of each of them")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the filled store here, or use the one there")


def run(options: argparse.Namespace) -> int:
    """Fill, ask, print; 1 when totals are wrong."""
    shape, pace = load_shape(options, time.time_ns()), pace_of(options)
    check_load(shape)
    given: dict[str, Figure] = {
        **shape.described(),
        **pace.described(),
        "stored_sessions": options.stored_sessions,
        "stored_traces": options.stored_sessions * options.traces_per_session,
        "settings": " ".join(options.set),
    }
    print_header("read", given)
    questions = Questions(options.stored_sessions, pace.seconds)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otel-sessions-")))
        directory = options.keep.absolute() if options.keep else scratch
        _prepare(directory, options)
        result = drive(directory, Load(shape), pace, settings_of(options), questions.run)
    answered = questions.answered_s
    pages = [seconds for key in SORT_KEYS for seconds in answered[f"page_by_{key}"]]
    figures: dict[str, Figure] = {
        "page_p50_ms": percentile_ms(pages, 50),
        "page_p95_ms": percentile_ms(pages, 95),
        **{f"{name}_p50_ms": percentile_ms(seconds, 50) for name, seconds in answered.items()},
        **{f"{name}_p95_ms": percentile_ms(seconds, 95) for name, seconds in answered.items()},
        "questions": sum(map(len, answered.values())),
        **result.figures(),
    }
    print_section("figures", figures)
    if result.wrong:
        print(f"\nWRONG: {result.wrong}")
    print_last_line("read", figures, given)
    return 1 if result.wrong else 0


def _prepare(directory: Path, options: argparse.Namespace) -> None:
    """Fill the store, unless that is done already. Errors: `BenchmarkError`."""
    marker = directory / _FILLED
    wanted = f"{options.stored_sessions} sessions of {options.traces_per_session} traces"
    if marker.exists():
        if (found := marker.read_text()) != wanted:
            raise BenchmarkError(f"{directory} holds {found}, not {wanted}; choose another directory or delete it")
        print(f"\nusing the store in {directory}")
        return
    if directory.exists() and any(directory.iterdir()):
        raise BenchmarkError(f"{directory} is not empty and holds no finished store; delete it or choose another")
    directory.mkdir(parents=True, exist_ok=True)
    print("\nfilling", flush=True)
    command = [sys.executable, "-m", "benchmarks.read_fill", str(directory / "store")]
    command += ["--sessions", str(options.stored_sessions), "--traces-per-session", str(options.traces_per_session)]
    if subprocess.run(command, check=False).returncode != 0:
        raise BenchmarkError("the store could not be filled; see above")
    marker.write_text(wanted)
