"""`otel-sessions run` as a child process, on the embedded default: no configuration file, data under its directory.

With free ports instead of the default ones it gets a configuration that says only that. Stopped by its process id.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx
import psutil
from failure import DemoError

HOST = "127.0.0.1"
COMMAND = Path(sys.executable).with_name("otel-sessions")
DEFAULT_PORTS = {
    "grpc": 4317,
    "http": 4318,
    "sessions_api": 3000,
    "clickhouse_http": 8123,
    "metrics": 8888,
    "health_check": 13133,
}
STORE = Path("data/store")  # below the directory; where the embedded default keeps its tables

_START_S_MAX = 60
_STOP_S_MAX = 30
_FREE_PORTS = """
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}, http: {endpoint: "127.0.0.1:0"}}}}
extensions: {health_check: {endpoint: "127.0.0.1:0"}, sessions_api: {endpoint: "127.0.0.1:0"},
  clickhouse_http: {endpoint: "127.0.0.1:0"}}
service: {telemetry: {metrics: {address: "127.0.0.1:0"}, logs: {encoding: json}}}
"""


class Processor:
    """A running processor: ready on entry, gone after exit. Its directory is wiped before it starts."""

    def __init__(self, directory: Path, *, free_ports: bool) -> None:
        self._directory = directory
        self._free_ports = free_ports
        self._log = directory / "processor.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = DEFAULT_PORTS

    def url(self, component: str) -> str:
        """Where a component of `DEFAULT_PORTS` listens."""
        return f"http://{HOST}:{self._ports[component]}"

    def wait(self) -> None:
        """Until it ends. Errors: `DemoError`, because nobody asked it to."""
        assert self._process is not None
        status = self._process.wait()
        raise DemoError(f"the processor ended with status {status}:\n{self._log_tail()}")

    def stop(self) -> None:
        """End it in order, by force if that takes too long. Safe to call twice.

        Errors: `DemoError` when it does not end with status 0.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S_MAX)
        finally:
            if process.poll() is None:  # too slow, or a second Ctrl-C
                process.kill()
                process.wait()
        if process.returncode != 0:
            raise DemoError(f"the processor ended with status {process.returncode}:\n{self._log_tail()}")

    def __enter__(self) -> Self:
        if not self._free_ports:
            _check_default_ports()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        command = [str(COMMAND), "run"]
        if self._free_ports:
            config = self._directory / "free-ports.yaml"
            config.write_text(_FREE_PORTS)
            command += ["--config", str(config)]
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops its children in order.
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                command, cwd=self._directory, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        deadline_s = time.monotonic() + _START_S_MAX
        while not self._is_ready():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise DemoError(f"the processor did not start:\n{self._log_tail()}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        if self._free_ports:
            started = [line for line in self._log.read_text().splitlines() if '"started"' in line]
            if not started:
                return False
            said = json.loads(started[0])
            self._ports = {name: said[f"{name}_port"] for name in DEFAULT_PORTS}
        try:
            return httpx.get(f"{self.url('health_check')}/ready").is_success
        except httpx.TransportError:
            return False

    def _log_tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])


def _check_default_ports() -> None:
    taken = [port for port in DEFAULT_PORTS.values() if not _is_free(port)]
    if taken:
        lines = [f"  port {port} is taken by {_holder(port)}" for port in taken]
        raise DemoError(
            "\n".join(["the processor can't listen where exporters look for it:", *lines])
            + "\nStop what uses them, or run 'make demo DEMO_EXIT=1', which takes any free ports and ends by itself."
        )


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def _holder(port: int) -> str:
    # Other users' processes can't be looked at, on some systems none.
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "another process"
