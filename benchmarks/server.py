"""The processor as users run it: `otel-sessions run` in a process of its own.

Its configuration and data directory belong to the benchmark.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from benchmarks.failure import BenchmarkError
from benchmarks.process import HOST, Process, free_ports, get

_COMPONENTS = ("grpc", "http", "api", "metrics", "health")


class Processor(Process):
    """One process with any configuration; `ports` are those of `health` and `metrics` in it."""

    def __init__(
        self,
        name: str,
        directory: Path,
        config: dict[str, Any],
        ports: dict[str, int],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        command = Path(sys.executable).with_name("otel-sessions")
        if not command.exists():
            raise BenchmarkError(f"{command.name} is not installed beside this Python; run `make install`")
        self.ports = ports
        file = directory / f"{name}.yaml"
        file.write_text(yaml.safe_dump(config))
        super().__init__(name, directory, [command, "run", "--config", file], environment)

    def wait_until_ready(self) -> None:
        """Until `/ready` says so. Errors: `BenchmarkError`."""
        self.wait_until(lambda: get(self.ports["health"], "/ready")[0] == 200)

    def metrics(self) -> dict[str, float]:
        """The sum over labels of every sample of `/metrics`, by name."""
        self.check()
        status, body = get(self.ports["metrics"], "/metrics")
        if status != 200:
            raise BenchmarkError(f"/metrics answers {status}")
        sums: dict[str, float] = {}
        for line in body.decode().splitlines():
            if line and not line.startswith("#"):
                sample, _, value = line.rpartition(" ")
                name = sample.partition("{")[0]
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums


class Server(Processor):
    """The whole processor on an embedded store. A context manager: ready on entry, gone after exit.

    `settings` overrides the configuration, by dotted path: `processors.sessions.rollups.interval_s`.
    """

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:
        self.store = directory / "store"
        """The directory of the embedded store."""
        ports = dict(zip(_COMPONENTS, free_ports(len(_COMPONENTS)), strict=True))
        config = _config(ports, self.store)
        apply_settings(config, settings)
        super().__init__("server", directory, config, ports)

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop(kill=True)
            raise
        return self


def apply_settings(config: dict[str, Any], settings: dict[str, Any]) -> None:
    """Set values of a configuration by dotted path."""
    for path, value in settings.items():
        *parents, last = path.split(".")
        section = config
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value


def _config(ports: dict[str, int], store: Path) -> dict[str, Any]:
    at = {name: f"{HOST}:{port}" for name, port in ports.items()}
    return {
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": at["grpc"]}, "http": {"endpoint": at["http"]}}},
        },
        "processors": {"sessions": {}},
        "exporters": {"clickhouse": {"dsn": f"chdb://{store}"}},
        "extensions": {"health_check": {"endpoint": at["health"]}, "sessions_api": {"endpoint": at["api"]}},
        "service": {"telemetry": {"metrics": {"address": at["metrics"]}, "logs": {"encoding": "json"}}},
    }
