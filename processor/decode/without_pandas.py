"""Keeps pandas out: 0.3 s of start and 40 MiB of each process, for nothing.

pyarrow looks at its first array, and then never again, whether pandas is installed (chDB brings it), and loads it to
tell Series from lists. It is hidden for the moment of that look alone; whoever imports pandas himself gets it.
Source: pyarrow, `pandas-shim.pxi`.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

import pyarrow as pa


class _Hidden:
    """An importer that knows of pandas, and that it is not there."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)
        return None


def make_first_array() -> None:
    """Have pyarrow look. Where it has looked before, nothing happens."""
    sys.meta_path.insert(0, _Hidden)
    try:
        pa.array(())
    finally:
        sys.meta_path.remove(_Hidden)
