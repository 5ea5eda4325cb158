"""Keep freed memory for reuse, and parallel work at the size of the machine.

Four allocators live in this process (Python and numpy, Arrow, Polars, chDB), each made to hand memory back to the
system early. A pipeline that needs the same buffers for its next batch then pays for fresh pages each time (figures in
ADR 0005). Must run before the libraries it speaks to are imported.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from typing import Final

_MIB: Final = 1024 * 1024
_M_TRIM_THRESHOLD: Final = -1  # malloc.h
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_ENVIRONMENT: Final = {
    # Frames here are small; a second thread costs more in waiting than it saves.
    "POLARS_MAX_THREADS": "1",
    "_RJEM_MALLOC_CONF": "oversize_threshold:0,narenas:1,dirty_decay_ms:2000,muzzy_decay_ms:0",  # Polars
    "JE_MALLOC_CONF": "oversize_threshold:0,narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0",  # chDB
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


def tune_allocators() -> None:
    """Set what is not set; whoever runs the process may say otherwise in the environment."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    if not hasattr(libc, "mallopt"):
        return  # not glibc
    libc.mallopt(_M_ARENA_MAX, 2)
    libc.mallopt(_M_MMAP_THRESHOLD, 64 * _MIB)
    libc.mallopt(_M_TRIM_THRESHOLD, 128 * _MIB)
