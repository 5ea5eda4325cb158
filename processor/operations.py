"""What is done to a whole store: audit, rebuild, backup. In the process that has it open, or in one of its own.

An operation takes plain arguments and gives plain events: it does not matter to a command which process does it.
`{"difference"}`, `{"progress"}`, and `{"done"}` at the end; or `{"error"}`, from the other process.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

from processor.clock import now_ns
from processor.config import Config
from processor.control.client import ask
from processor.control.server import Event, Operation
from processor.errors import ConfigError, Retryable
from processor.pricing.prices import Prices
from processor.store.auditing import AuditStore, Scope
from processor.store.backup import Backup, restore
from processor.store.connection import StoreConfig, connect
from processor.store.data_directory import DataDirectory, InUse
from processor.store.rebuilding import Progress, RebuildStore
from processor.worker.audit.run import Audit, AuditPlan
from processor.worker.config import WorkerConfig
from processor.worker.rebuild import Rebuild

AUDIT, REBUILD, BACKUP = "audit", "rebuild", "backup"
PATIENCE_S: Final = 70.0  # of an audit beside workers on Kafka: a large session's row may be a minute behind
_LOOKS_S: Final = 0.5  # between two looks where the store says what is rolled up
_LOOKS_MAX: Final = 240
_PATIENT_LOOKS_MAX: Final = 4

T = TypeVar("T")


class _GivenUp(Exception):
    """Nobody waits for the operation any more."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Those of one configuration. `live` where others may write to the store meanwhile; `held_up` keeps writers of this
    process from it while it lasts.
    """

    config: Config
    live: bool = True
    held_up: Callable[[], AbstractContextManager[None]] = field(default=contextlib.nullcontext)

    def by_name(self) -> dict[str, Operation]:
        """All of them."""
        return {AUDIT: self.audit, REBUILD: self.rebuild, BACKUP: self.backup}

    def audit(self, arguments: dict[str, Any], given_up: threading.Event) -> Iterator[Event]:
        """Arguments: `sample`, `seed`, and those of a scope. Errors: those of the store; `ConfigError`."""
        exporter = exporter_of(self.config)
        has_checkpoint = self.config.kafka_receiver is None
        patience_s = arguments.get("patience_s") or (_LOOKS_S if has_checkpoint else PATIENCE_S)
        looks_max = _LOOKS_MAX if has_checkpoint else _PATIENT_LOOKS_MAX
        plan = AuditPlan(
            int(arguments["sample"]), int(arguments["seed"]), _scope(arguments), float(patience_s), looks_max
        )
        with contextlib.closing(AuditStore(exporter)) as store, contextlib.suppress(_GivenUp):
            audit = Audit(
                store,
                self._prices(),
                exporter.ttl,
                has_checkpoint=has_checkpoint,
                now_ns=now_ns(),
                wait=(lambda seconds: _wait(given_up, seconds)) if self.live else None,
            )
            for difference in audit.run(plan):
                yield {"difference": difference._asdict()}
            yield {"done": asdict(audit.done)}

    def rebuild(self, arguments: dict[str, Any], given_up: threading.Event) -> Iterator[Event]:
        """Arguments: those of a scope. Errors: those of the store."""
        exporter = exporter_of(self.config)

        def run(tell: Callable[[Progress], None]) -> Progress:
            with contextlib.closing(RebuildStore(exporter)) as store:
                return Rebuild(store, self._prices(), exporter.ttl.rollups_days > 0, tell).run(_scope(arguments))

        yield from _told(run, asdict, given_up)

    def backup(self, arguments: dict[str, Any], given_up: threading.Event) -> Iterator[Event]:
        """Arguments: `path`, an absolute one. Errors: `ConfigError`, those of the store."""
        path = Path(arguments["path"])

        def run(tell: Callable[[int], None]) -> dict[str, Any]:
            with contextlib.closing(Backup(exporter_of(self.config))) as backup:
                with self.held_up():
                    taken_at = datetime.now(UTC).isoformat(timespec="milliseconds")
                    backup.mark()
                manifest = backup.copy(path, version("otel-sessions"), taken_at, tell)
            tables = {name: {"rows": table.rows, "bytes": table.bytes} for name, table in manifest.tables.items()}
            return {"rows": manifest.rows, "bytes": manifest.bytes, "taken_at": taken_at, "tables": tables}

        yield from _told(run, lambda copied: {"bytes": copied}, given_up)

    def _prices(self) -> Prices:
        return Prices((self.config.sessions or WorkerConfig()).pricing.prices)


def run_operation(config: Config, name: str, arguments: dict[str, Any]) -> Iterator[Event]:
    """The events of an operation, by whoever may do it: on a server's store this process, beside any workers; on an
    embedded one the process that has it open, or this one where none has.

    Errors: `ConfigError` where no store is defined, or it is not there yet; those of the operation.
    """
    # What the driver would say on stderr stands in the one sentence that the user gets.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    exporter = exporter_of(config)
    never = threading.Event()
    if exporter.directory is None:
        yield from Operations(config).by_name()[name](arguments, never)
        return
    if not exporter.directory.is_dir():
        # To open it would be to create it.
        raise ConfigError(f"exporters.clickhouse.dsn: there is no directory {exporter.directory} yet")
    directory = DataDirectory(exporter)
    try:
        directory.claim()
    except InUse:
        for event in ask(exporter.directory, name, arguments):
            if "error" in event:
                raise ConfigError(event["error"]) from None
            yield event
            if "done" in event:
                return
        raise Retryable("the process ended before the operation was done; run it again") from None
    try:
        with connect(exporter):  # held to the end: chDB shuts down with its last handle, and is slow to come back
            yield from Operations(config, live=False).by_name()[name](arguments, never)
    finally:
        directory.release()


def restore_backup(config: Config, path: Path, progress: Callable[[int], None]) -> dict[str, Any]:
    """Make the store that a configuration names of a backup. Errors: those of `store.backup.restore`."""
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    manifest = restore(path, exporter_of(config), progress)
    return {"rows": manifest.rows, "bytes": manifest.bytes, "taken_at": manifest.taken_at}


def exporter_of(config: Config) -> StoreConfig:
    """Where the store is. Errors: `ConfigError` where nothing says it."""
    exporter = config.exporters.clickhouse
    if exporter is None:
        raise ConfigError("exporters.clickhouse is not defined; this needs to know whose tables")
    return exporter


def _scope(arguments: dict[str, Any]) -> Scope:
    return Scope(arguments.get("since_ns"), arguments.get("until_ns"), arguments.get("tenant") or "")


def _wait(given_up: threading.Event, seconds: float) -> None:
    if given_up.wait(seconds):
        raise _GivenUp


def _told(
    run: Callable[[Callable[[T], None]], Any], shown: Callable[[T], Event], given_up: threading.Event
) -> Iterator[Event]:
    """The events of what tells how far it is by a call: it runs in a thread of its own, and ends when nobody waits."""
    events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()

    def tell(progress: T) -> None:
        if given_up.is_set():
            raise _GivenUp
        events.put({"progress": shown(progress)})

    def work() -> None:
        try:
            done = run(tell)
            events.put({"done": done if isinstance(done, dict) else asdict(done)})
        except BaseException as error:
            events.put(error)

    thread = threading.Thread(target=work, name="operation")
    thread.start()
    try:
        while True:
            event = events.get()
            if isinstance(event, _GivenUp):
                return
            if isinstance(event, BaseException):
                raise event
            yield event
            if "done" in event:
                return
    finally:
        given_up.set()
        thread.join()
