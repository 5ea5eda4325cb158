"""The real `otel-sessions` command, as a child process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

COMMAND = str(Path(sys.executable).parent / "otel-sessions")
TIMEOUT_S = 120
_TIDIES_UP = "resource_tracker"
_LOOK_S = 0.02

ANY_PORTS = """
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}, http: {endpoint: "127.0.0.1:0"}}}}
exporters: {clickhouse: {dsn: "chdb://${env:TEST_DATA}"}}
extensions: {health_check: {endpoint: "127.0.0.1:0"}, sessions_api: {endpoint: "127.0.0.1:0"}}
service: {telemetry: {metrics: {address: "127.0.0.1:0"}, logs: {encoding: json}}}
"""


def own_environment() -> dict[str, str]:
    """The environment without what would change how the command reads and writes."""
    changing = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "OTEL_SESSIONS_URL", "OTEL_SESSIONS_TOKEN")
    return {name: value for name, value in os.environ.items() if name not in changing}


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; what it does with a terminal's width is up to COLUMNS."""
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=own_environment() | environment,
        check=False,
    )


class Running:
    """`otel-sessions run` on free ports, from the moment it says that it has started.

    Without `wait` it is not waited for. What it logs goes to a file, so that nobody has to read along.
    """

    def __init__(
        self, folder: Path, config: str = ANY_PORTS, *arguments: str, wait: bool = True, **environment: str
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.config = folder / "config.yaml"
        self.config.write_text(config)
        self.data = folder / "data"
        self._log = folder / f"log-{time.monotonic_ns()}.jsonl"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [COMMAND, "run", "--config", str(self.config), *arguments],
                stderr=log,
                env=os.environ | {"TEST_DATA": str(self.data)} | environment,
            )
        self.lines: list[dict[str, Any]] = []
        if wait:
            self.wait_until_started()

    def wait_until_started(self) -> None:
        """Until it says so. Errors: `AssertionError` when it ends instead."""
        while not (started := [line for line in self.logged() if line["event"] == "started"]):
            assert self._process.poll() is None, f"ended with {self._process.returncode}: {self._log.read_text()}"
            time.sleep(_LOOK_S)
        self.lines = self.logged()[: self.logged().index(started[0]) + 1]

    def logged(self) -> list[dict[str, Any]]:
        """All complete lines so far, but for what Python's resource tracker says when it tidies up after a signal."""
        lines = self._log.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines if _TIDIES_UP not in line]

    def url(self, component: str) -> str:
        """Where a component listens."""
        return f"http://127.0.0.1:{self.lines[-1][f'{component}_port']}"

    def export(self, *spans: dict[str, Any]) -> None:
        """Send spans by OTLP/HTTP, JSON."""
        body = {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}
        response = httpx.post(f"{self.url('http')}/v1/traces", json=body, timeout=TIMEOUT_S)
        assert response.status_code == 200, response.text

    def children(self) -> list[psutil.Process]:
        """The processes that it has started."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, list[dict[str, Any]]]:
        """Send a signal and wait; gives the exit code and what was logged since the start."""
        self.signal(number)
        self._process.wait(TIMEOUT_S)
        return self._process.returncode, self.logged()[len(self.lines) :]

    def wait_until_ended(self) -> None:
        """Until it has."""
        self._process.wait(TIMEOUT_S)

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
