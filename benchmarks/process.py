"""A command in a process of its own, watched from outside: CPU time and memory as the operating system counts them.

It never outlives this process, however that ends (`deploy/kafka/keeper.py`), and is stopped on every way out.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from benchmarks.failure import BenchmarkError
from deploy.kafka.distribution import HERE as KAFKA

HOST: Final = "127.0.0.1"
_KEEPER: Final = KAFKA / "keeper.py"
_START_S_MAX: Final = 600.0  # a preloaded store has to be read
_STOP_S_MAX: Final = 300.0  # stopping rolls up what is left
_SAMPLE_S: Final = 1.0  # the kernel walks all pages for it
_LOG_LINES: Final = 12


class Process:
    """A context manager: started on entry, gone after exit. `name` is what messages call it."""

    def __init__(
        self, name: str, directory: Path, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._directory = directory
        self._command = command
        self._environment = dict(environment or {})
        self._log = directory / f"{name}.log"
        self._keeper: subprocess.Popen[bytes] | None = None
        self._watched: psutil.Process | None = None
        self._started = 0.0
        self._gone = threading.Event()
        self._watcher = threading.Thread(target=self._sample, name=f"watch {name}", daemon=True)
        self.start_s = 0.0
        self.stop_s = 0.0
        self.rss_bytes = 0
        self.rss_bytes_max = 0

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        with self._log.open("wb") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, _KEEPER, *self._command],
                cwd=self._directory,
                env=os.environ | self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to pass on, once
            )
        assert self._keeper.stdout is not None
        try:
            self._watched = psutil.Process(int(self._keeper.stdout.readline()))
        except (ValueError, psutil.Error) as error:
            self.stop(kill=True)
            raise BenchmarkError(f"the {self.name} does not start: {self.log_tail()}") from error
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop(kill=kind is not None)

    def stop(self, kill: bool = False) -> None:
        """End the process, in order unless `kill`. Safe to call twice.

        Errors: `BenchmarkError` when it ends with another status than 0, and was not killed.
        """
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        started = time.perf_counter()
        try:
            if not kill and self._watched is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    self._watched.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    keeper.wait(_STOP_S_MAX)
        finally:
            keeper.stdin.close()  # lets go of the leash
            keeper.wait()
            keeper.stdout.close()
            self._gone.set()
            if self._watcher.is_alive():
                self._watcher.join()
        self.stop_s = time.perf_counter() - started
        if not kill and keeper.returncode != 0:
            raise BenchmarkError(f"the {self.name} ended with status {keeper.returncode}: {self.log_tail()}")

    def check(self) -> None:
        """Errors: `BenchmarkError` with the end of its log when it is gone."""
        if self._keeper is None or self._keeper.poll() is not None:
            raise BenchmarkError(f"the {self.name} is gone: {self.log_tail()}")

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Until it does; a refused connection is no answer yet.

        Errors: `BenchmarkError` when it ends instead, or takes too long.
        """
        while True:
            self.check()
            with contextlib.suppress(OSError, http.client.HTTPException):
                if answers():
                    self.start_s = time.perf_counter() - self._started
                    return
            if time.perf_counter() > self._started + _START_S_MAX:
                raise BenchmarkError(f"the {self.name} is not ready after {_START_S_MAX:.0f} s: {self.log_tail()}")
            time.sleep(0.02)

    def cpu_s(self) -> float:
        """CPU time so far, user and system, all threads, the processes that it has started included."""
        self.check()
        return sum(map(_cpu_s, self._family()))

    def own_cpu_s(self) -> float:
        """The same without those processes."""
        self.check()
        return sum(map(_cpu_s, self._family()[:1]))

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(["", *lines[-_LOG_LINES:]])

    def complaints(self) -> int:
        """How many warnings and errors it wrote, where it writes JSON lines."""
        text = self._log.read_text(errors="replace")
        return text.count('"level": "warning"') + text.count('"level": "error"')

    def _family(self) -> list[psutil.Process]:
        """The process and those that it has started."""
        return [self._watched, *self._watched.children(recursive=True)] if self._watched else []

    def _sample(self) -> None:
        while not self._gone.wait(_SAMPLE_S):
            try:
                self.rss_bytes = sum(_resident(member) for member in self._family())
            except psutil.Error:
                return
            self.rss_bytes_max = max(self.rss_bytes_max, self.rss_bytes)


def free_ports(count: int) -> list[int]:
    """Ports that are free now. All are held until the last is chosen, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def get(port: int, path: str, timeout_s: float = 30.0) -> tuple[int, bytes]:
    """One GET on this machine: status and body."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _cpu_s(member: psutil.Process) -> float:
    times = member.cpu_times()
    return float(times.user + times.system)


def _resident(member: psutil.Process) -> int:
    """Resident bytes of one process of several; where the system tells (Linux), a page that they share counts once."""
    memory = member.memory_full_info()
    return int(getattr(memory, "pss", memory.rss))
