"""The processor as users run it: `otel-sessions run` in a process of its own, watched from outside.

Started with a configuration and a data directory that belong to the benchmark, stopped by its process id on every way
out. Its CPU time and memory are read from the operating system, not from its own metrics.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import yaml

from benchmarks.failure import BenchmarkError

HOST = "127.0.0.1"
_START_S_MAX = 600.0  # a preloaded store has to be read
_STOP_S_MAX = 300.0  # stopping rolls up what is left
_SAMPLE_S = 1.0  # the kernel walks all pages for it
_COMPONENTS = ("grpc", "http", "api", "metrics", "health")


class Server:
    """A running processor. A context manager: started on entry, gone after exit.

    `settings` overrides the configuration, by dotted path: `processors.sessions.rollups.interval_s`.
    """

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:
        self._directory = directory
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._watched: psutil.Process | None = None
        self._watching = threading.Event()
        self._watcher: threading.Thread | None = None
        self._log = directory / "server.log"
        self.ports = dict.fromkeys(_COMPONENTS, 0)
        self.start_s = 0.0
        self.stop_s = 0.0
        self.rss_bytes = 0
        self.rss_bytes_max = 0

    @property
    def store(self) -> Path:
        """The directory of the embedded store."""
        return self._directory / "store"

    def __enter__(self) -> Self:
        command = Path(sys.executable).with_name("otel-sessions")
        if not command.exists():
            raise BenchmarkError(f"{command.name} is not installed beside this Python; run `make install`")
        self.ports = dict(zip(_COMPONENTS, _free_ports(len(_COMPONENTS)), strict=True))
        config = self._directory / "config.yaml"
        config.write_text(yaml.safe_dump(_config(self.ports, self.store, self._settings)))
        started = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [command, "run", "--config", config],
                cwd=self._directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on, once
            )
        try:
            self._watch(psutil.Process(self._process.pid))
            self._wait_until_ready(started + _START_S_MAX)
        except BaseException:
            self.stop(kill=True)
            raise
        self.start_s = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop(kill=kind is not None)

    def stop(self, kill: bool = False) -> None:
        """End the process, in order unless `kill`. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        started = time.perf_counter()
        try:
            if not kill:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_S_MAX)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            self._watching.set()
            if self._watcher:
                self._watcher.join()
        self.stop_s = time.perf_counter() - started
        if not kill and process.returncode != 0:
            raise BenchmarkError(f"the server ended with status {process.returncode}: {self.log_tail()}")

    def check(self) -> None:
        """Errors: `BenchmarkError` with the end of its log when the server is gone."""
        if self._process is None or self._process.poll() is not None:
            raise BenchmarkError(f"the server is gone: {self.log_tail()}")

    def cpu_s(self) -> float:
        """CPU time so far, user and system, all threads, the processes that the server started included."""
        self.check()
        times = [member.cpu_times() for member in self._family()]
        return float(sum(time.user + time.system for time in times))

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

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(["", *lines[-12:]])

    def complaints(self) -> int:
        """How many warnings and errors the server wrote."""
        text = self._log.read_text(errors="replace")
        return text.count('"level": "warning"') + text.count('"level": "error"')

    def _watch(self, watched: psutil.Process) -> None:
        self._watched = watched

        def sample() -> None:
            while not self._watching.wait(_SAMPLE_S):
                try:
                    self.rss_bytes = sum(_resident(member) for member in self._family())
                except psutil.Error:
                    return
                self.rss_bytes_max = max(self.rss_bytes_max, self.rss_bytes)

        self._watcher = threading.Thread(target=sample, name="watch server", daemon=True)
        self._watcher.start()

    def _family(self) -> list[psutil.Process]:
        """The server and the processes that it started."""
        if self._watched is None:
            return []
        return [self._watched, *self._watched.children(recursive=True)]

    def _wait_until_ready(self, deadline: float) -> None:
        while True:
            self.check()
            with contextlib.suppress(OSError, http.client.HTTPException):
                if get(self.ports["health"], "/ready")[0] == 200:
                    return
            if time.perf_counter() > deadline:
                raise BenchmarkError(f"the server is not ready after {_START_S_MAX:.0f} s: {self.log_tail()}")
            time.sleep(0.02)


def get(port: int, path: str, timeout_s: float = 30.0) -> tuple[int, bytes]:
    """One GET on the server's host: status and body."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _resident(member: psutil.Process) -> int:
    """Resident bytes of one process of several; where the system tells (Linux), a page that they share counts once."""
    memory = member.memory_full_info()
    return int(getattr(memory, "pss", memory.rss))


def _free_ports(count: int) -> list[int]:
    """Ports that are free now. All are held until the last is chosen, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def _config(ports: dict[str, int], store: Path, settings: dict[str, Any]) -> dict[str, Any]:
    at = {name: f"{HOST}:{port}" for name, port in ports.items()}
    config: dict[str, Any] = {
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": at["grpc"]}, "http": {"endpoint": at["http"]}}},
        },
        "processors": {"sessions": {}},
        "exporters": {"clickhouse": {"dsn": f"chdb://{store}"}},
        "extensions": {"health_check": {"endpoint": at["health"]}, "sessions_api": {"endpoint": at["api"]}},
        "service": {"telemetry": {"metrics": {"address": at["metrics"]}, "logs": {"encoding": "json"}}},
    }
    for path, value in settings.items():
        *parents, last = path.split(".")
        section = config
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return config
