"""The real `otel-sessions` command, as a child process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil

COMMAND = str(Path(sys.executable).parent / "otel-sessions")
TIMEOUT_S = 120

ANY_PORTS = """
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}, http: {endpoint: "127.0.0.1:0"}}}}
exporters: {clickhouse: {dsn: "chdb://${env:TEST_DATA}"}}
extensions: {health_check: {endpoint: "127.0.0.1:0"}, sessions_api: {endpoint: "127.0.0.1:0"}}
service: {telemetry: {metrics: {address: "127.0.0.1:0"}, logs: {encoding: json}}}
"""


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; what it does with a terminal's width is up to COLUMNS."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "OTEL_SESSIONS_URL")}
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=inherited | environment,
        check=False,
    )


class Running:
    """`otel-sessions run` on free ports, from the moment it says that it has started."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config.yaml"
        self.config.write_text(ANY_PORTS)
        self.data = folder / "data"
        self._process = subprocess.Popen(
            [COMMAND, "run", "--config", str(self.config)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TEST_DATA": str(self.data)},
        )
        self.lines: list[dict[str, Any]] = []
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(json.loads(line))
            if self.lines[-1]["event"] == "started":
                return
        raise AssertionError(f"ended with {self._process.wait()}: {self.lines}")

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
        """Send a signal and wait; gives the exit code and what was logged since the start, nothing after SIGKILL."""
        self._process.send_signal(number)
        _, rest = self._process.communicate(timeout=TIMEOUT_S)
        if number == signal.SIGKILL:
            rest = ""  # of its own it can say nothing; Python's resource tracker says that it tidied up
        return self._process.returncode, [json.loads(line) for line in rest.splitlines()]

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
