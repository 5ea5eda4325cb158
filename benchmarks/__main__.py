"""`python -m benchmarks [NAME] [options]`: without a name, the list.

Exit status: 0, 1 when a benchmark's own check failed or it could not run, 2 when it was called wrongly, 130 and 143
when it was interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from benchmarks import decode, embedded, freshness, normalize, preloaded, pricing, read, receiver, soak, worker
from benchmarks.failure import BenchmarkError

_BENCHMARKS = {
    "decode": decode,
    "normalize": normalize,
    "embedded": embedded,
    "freshness": freshness,
    "preloaded": preloaded,
    "pricing": pricing,
    "read": read,
    "receiver": receiver,
    "soak": soak,
    "worker": worker,
}


def main() -> int:
    """Run one benchmark, or list them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Benchmarks of otel-sessions.")
    commands = parser.add_subparsers(metavar="NAME", dest="name")
    summaries = {}
    for name, module in _BENCHMARKS.items():
        text = module.__doc__ or ""
        summaries[name] = text.split("\n", 1)[0].partition(": ")[2]
        command = commands.add_parser(
            name, help=summaries[name], description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_options(command)
    options = parser.parse_args()
    if options.name is None:
        for name, summary in summaries.items():
            print(f"{name:10} {summary}")
        return 0
    signal.signal(signal.SIGTERM, _leave)  # else `finally` would not run, and a server would stay behind
    try:
        status: int = _BENCHMARKS[options.name].run(options)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main())
