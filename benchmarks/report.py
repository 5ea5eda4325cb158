"""What every benchmark prints: machine, versions and input first, figures next, one JSON object as the last line."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import orjson
import psutil

Figure = str | int | float | bool
Figures = Mapping[str, Figure]

_PACKAGES = ("polars", "pyarrow", "chdb", "chdb-core", "clickhouse-connect", "ptars", "protobuf", "grpcio", "numpy")
_MIB = 1024 * 1024


def machine() -> dict[str, Figure]:
    """CPU model, usable cores, memory, kernel, and how busy the machine is before the benchmark starts."""
    return {
        "cpu": _cpu_model(),
        "cores": _usable_cores(),
        "memory_mib": psutil.virtual_memory().total // _MIB,
        "system": f"{platform.system()} {platform.release()}",
        "load_average_1m": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, Figure]:
    """Python and the packages that the figures depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def print_header(benchmark: str, given: Figures) -> None:
    """Say what is about to be measured, and where."""
    print(f"benchmark {benchmark}")
    for title, figures in (("machine", machine()), ("versions", versions()), ("input", given)):
        print_section(title, figures)


def print_section(title: str, figures: Figures) -> None:
    """One indented block."""
    print(f"\n{title}")
    width = max(map(len, figures), default=0)
    for name, figure in figures.items():
        print(f"  {name:{width}}  {_readable(figure)}", flush=True)


def print_last_line(benchmark: str, figures: Figures, given: Figures) -> None:
    """The JSON object, input, machine and versions included, so that the line alone can be kept."""
    line = {"benchmark": benchmark, **figures, "input": given, "machine": machine(), "versions": versions()}
    print(f"\n{orjson.dumps(line).decode()}", flush=True)


def percentile_ms(seconds: list[float], percent: float) -> float:
    """A percentile of durations in milliseconds, 0.0 of none."""
    return round(float(np.percentile(seconds, percent)) * 1000, 1) if seconds else 0.0


def mib(size_bytes: int) -> int:
    """Bytes as whole MiB."""
    return round(size_bytes / _MIB)


def rounded(figure: float, digits: int = 3) -> float:
    """A figure with as many digits as it deserves."""
    return round(figure, digits) if abs(figure) < 1000 else round(figure)


def _readable(figure: Figure) -> str:
    if isinstance(figure, bool) or not isinstance(figure, int | float):
        return str(figure)
    return f"{figure:,}"


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
