"""One target under libFuzzer, in a process of its own: `process.py TARGET libFuzzer's own arguments`.

A script and no module: libFuzzer starts it again when it merges.
"""

from __future__ import annotations

import os
import random
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

os.environ |= {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}  # inputs are small: threads only wait for each other

import atheris

with atheris.instrument_imports(
    include=["processor.decode", "processor.conventions", "processor.receiver", "processor.config", "yaml"],
    enable_loader_override=False,
):
    from tests.fuzz.targets import TARGETS
    from tests.fuzz.wire import mutate


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    target = sys.argv.pop(1)
    sys.argv[0] = shlex.join([sys.executable, __file__, target])  # as what it starts itself again

    def by_field_or_by_byte(data: bytes, size_max: int, seed: int) -> bytes:
        if random.Random(seed).random() < 0.75:
            return mutate(data, size_max, seed)
        return bytes(atheris.Mutate(data, size_max))

    if target in ("traces", "logs", "metrics"):
        atheris.Setup(sys.argv, TARGETS[target], custom_mutator=by_field_or_by_byte)
    else:
        atheris.Setup(sys.argv, TARGETS[target])
    atheris.Fuzz()


main()
