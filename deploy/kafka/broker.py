"""One Apache Kafka broker in KRaft mode on loopback: a process that can be stopped, killed, frozen and started again.

It keeps its directory and ports over restarts. It never outlives this process (`keeper.py`), and is started from
Kafka's published Maven artifacts (`distribution.py`). Meant for tests, benchmarks and trying things out: one node,
every internal topic with one replica, the heap bounded.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from deploy.kafka.answer import answers
from deploy.kafka.distribution import HERE, fetch
from deploy.kafka.failure import BrokerError
from deploy.kafka.security import Security

HOST: Final = "127.0.0.1"
PLAINTEXT: Final = "PLAINTEXT"
_CONTROLLER: Final = "CONTROLLER"
_CLUSTER_ID: Final = "b3RlbC1zZXNzaW9ucy1rYQ"  # base64 of 16 bytes, as Kafka wants it

_START_S_MAX: Final = 120.0
_STOP_S_MAX: Final = 60.0
_PAUSE_S_MAX: Final = 30.0
_PROBE_S: Final = 0.1
_PAUSE_PROBE_S: Final = 0.01
_LOG_LINES: Final = 20

_PROPERTIES: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": _CONTROLLER,
    "inter.broker.listener.name": PLAINTEXT,
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A killed broker may register again once its session is over.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",  # for whoever wants to see soon that a member has died
    # A misspelt topic should be an error, and ours are created by whoever uses them.
    "auto.create.topics.enable": "false",
    # Fewer threads than a server's defaults: it shares a small machine with what it is there for.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
}


class Broker:
    """A broker that keeps its data in `directory`. A context manager: answering on entry, gone after exit.

    `properties` go to `server.properties` over ours; `security` adds listeners with TLS and SASL; `port` is that of the
    plain listener, 0 any.
    Errors: `Unavailable` when Java or Maven is missing, `BrokerError` with the end of its log for anything else.
    """

    def __init__(
        self,
        directory: Path,
        properties: Mapping[str, str] | None = None,
        security: Security | None = None,
        heap_mib: int = 512,
        port: int = 0,
    ) -> None:
        self._directory = directory
        self._extra = dict(properties or {})
        self.security = security
        self._heap_mib = heap_mib
        self._keeper: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._log = directory / "kafka.log"
        names = (PLAINTEXT, _CONTROLLER, *(security.listeners if security else ()))
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        if port:
            self._ports[PLAINTEXT] = port

    @property
    def bootstrap(self) -> str:
        """host:port of the plain listener."""
        return self.address(PLAINTEXT)

    @property
    def pid(self) -> int:
        """Process id of the JVM, 0 when it does not run."""
        return self._pid if self._keeper is not None and self._keeper.poll() is None else 0

    def address(self, listener: str) -> str:
        """host:port of a listener by its protocol's name, as `SASL_SSL`."""
        return f"{HOST}:{self._ports[listener]}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()

    def start(self) -> None:
        """Run on the data that is there, or on fresh storage, and wait until metadata requests are answered."""
        if self.pid:
            return
        libraries = fetch()
        properties = self._directory / "server.properties"
        if not properties.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            properties.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
            self._format(libraries, properties)
        with self._log.open("ab") as log:
            self._keeper = subprocess.Popen(  # noqa: S603 (our own command)
                [sys.executable, HERE / "keeper.py", *self._java(libraries, "kafka.Kafka"), properties],
                cwd=self._directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self._keeper.stdout is not None
        self._pid = int(self._keeper.stdout.readline() or 0)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in order (SIGTERM), by force if that takes too long. Safe to call twice and when it is paused."""
        self._signal(signal.SIGTERM)
        self.resume()
        self._end(_STOP_S_MAX)

    def kill(self) -> None:
        """kill -9: no flush, no farewell to clients. Safe to call twice."""
        self._signal(signal.SIGKILL)
        self._end(_STOP_S_MAX)

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered. Every thread stands still when this returns."""
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + _PAUSE_S_MAX
        while self.pid and not _stands_still(self.pid):  # threads that run take the signal one by one
            if time.monotonic() > deadline:
                raise BrokerError(f"the broker still runs {_PAUSE_S_MAX:.0f} s after SIGSTOP (process {self.pid})")
            time.sleep(_PAUSE_PROBE_S)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def log_tail(self) -> str:
        """The last lines that the broker wrote."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-_LOG_LINES:])

    def _signal(self, number: signal.Signals) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _end(self, seconds: float) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                keeper.wait(seconds)
        finally:
            keeper.stdin.close()  # lets go of the leash
            keeper.wait()
            keeper.stdout.close()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_S_MAX
        while not answers(HOST, self._ports[PLAINTEXT]):
            if not self.pid:
                raise BrokerError(f"the broker ended while it started:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"the broker does not answer after {_START_S_MAX:.0f} s:\n{self.log_tail()}")
            time.sleep(_PROBE_S)  # from outside there is nothing to wait on

    def _format(self, libraries: Path, properties: Path) -> None:
        command = [*self._java(libraries, "kafka.tools.StorageTool"), "format"]
        command += ["--cluster-id", _CLUSTER_ID, "--config", str(properties)]
        command += self.security.format_options() if self.security else []
        said = f"it takes more than {_START_S_MAX:.0f} s"
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(  # noqa: S603 (our own command)
                command, cwd=self._directory, capture_output=True, text=True, timeout=_START_S_MAX, check=False
            )
            if done.returncode == 0:
                return
            said = done.stdout + done.stderr
        properties.unlink()  # that they are there says that the storage is
        raise BrokerError(f"the storage can't be formatted: {said}")

    def _java(self, libraries: Path, main: str) -> list[str]:
        return [
            "java",
            f"-Xmx{self._heap_mib}m",
            "-XX:+UseSerialGC",  # one thread: cores are few, and pauses of this heap are short
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}",
            "-cp",
            f"{libraries}/*",
            main,
        ]

    def _properties(self) -> dict[str, str]:
        security = self.security
        protocols = {name: name for name in self._ports} | {_CONTROLLER: PLAINTEXT}
        listeners = [f"{name}://{HOST}:{port}" for name, port in self._ports.items()]
        return {
            **_PROPERTIES,
            "controller.quorum.voters": f"1@{HOST}:{self._ports[_CONTROLLER]}",
            "listeners": ",".join(listeners),
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
            "log.dirs": str(self._directory / "data"),
            **(security.properties() if security else {}),
            **self._extra,
        }


def _stands_still(pid: int) -> bool:
    """Whether every thread has taken the signal to stop; the state follows the last bracket (proc_pid_stat(5))."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends runs no more
        for thread in Path(f"/proc/{pid}/task").iterdir():
            if (thread / "stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
                return False
        return True
    return False


def is_free(port: int) -> bool:
    """Whether a broker could listen there."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_ports(count: int) -> list[int]:
    """Ports that are free now. All are held until the last is chosen, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
