"""Connections to the store: a server over HTTP, or chDB in this process, through one client library.

Must never put a password into a message. The driver's errors become ours here.
Source: clickhouse-connect; ADR 0011 for clusters.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

from processor.errors import ConfigError, Permanent, Retryable
from processor.store.ddl import Target
from processor.store.dsn import option_names, server_options, without_password
from processor.store.retention import RetentionConfig

CHDB: Final = "chdb://"
_ENGINE: Final = Path(__file__).with_name("embedded.xml")
# A literal list of `clickhouse.KEYS_MAX` keys is longer than ClickHouse's default query size.
_SESSION: Final = {"max_query_size": 64 * 1024 * 1024}
# Where the process may set priorities (CAP_SYS_NICE); elsewhere the engine lets it be.
_BEHIND: Final = {"os_threads_nice_value_query": 10}
# What makes a row readable by the next statement, through whichever server of a cluster: ADR 0011.
_CLUSTER_SESSION: Final = {
    "distributed_foreground_insert": 1,
    "insert_quorum": "auto",
    "load_balancing": "in_order",
    "prefer_localhost_replica": 0,
}
# What no retry mends, by ClickHouse's `ErrorCodes.cpp`.
_PERMANENT_CODES: Final = frozenset(
    {
        16,  # NO_SUCH_COLUMN_IN_TABLE
        36,  # BAD_ARGUMENTS
        42,  # NUMBER_OF_ARGUMENTS_DOESNT_MATCH
        43,  # ILLEGAL_TYPE_OF_ARGUMENT
        44,  # ILLEGAL_COLUMN
        46,  # UNKNOWN_FUNCTION
        47,  # UNKNOWN_IDENTIFIER
        53,  # TYPE_MISMATCH
        60,  # UNKNOWN_TABLE
        62,  # SYNTAX_ERROR
        81,  # UNKNOWN_DATABASE
        192,  # UNKNOWN_USER
        193,  # WRONG_PASSWORD
        194,  # REQUIRED_PASSWORD
        386,  # NO_COMMON_TYPE
        497,  # ACCESS_DENIED
        516,  # AUTHENTICATION_FAILED
    }
)


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where the tables are."""

    dsn: str = field(
        default="chdb://./data/store",
        metadata={"help": "chdb://PATH for the embedded store, or http(s)://user:password@host:port for a server."},
    )
    database: str = field(default="otel", metadata={"help": "Database of the tables; created when missing."})
    cluster: str = field(
        default="",
        metadata={"help": "Cluster of servers to spread the tables over; '' is one server, without replicas."},
    )
    migrate: bool = field(
        default=True,
        metadata={"help": "Create missing tables at start; false only checks, see `otel-sessions schema`."},
    )

    ttl: RetentionConfig = field(
        default_factory=RetentionConfig,
        metadata={"help": "How long rows are kept; applied where tables are migrated, see `otel-sessions schema`."},
    )

    @property
    def directory(self) -> Path | None:
        """Where an embedded store keeps its tables, as an absolute path; None for a server."""
        return Path(self.dsn.removeprefix(CHDB)).absolute() if self.dsn.startswith(CHDB) else None

    @property
    def target(self) -> Target:
        """Whose tables. Errors: `ConfigError` for names that can't be, and for a cluster in this process."""
        return Target(self.database, self.cluster, embedded=self.directory is not None)


def connect(config: StoreConfig, *, behind: bool = False) -> Any:
    """A client of the store. chDB allows many in one process, all of one path; calls on one client are serialized.

    `behind`: what it asks of this process's engine gets the processor's time that others leave.
    Errors: `ConfigError` for a configuration that can't be, a path that can't be used and a server that refuses;
    `Retryable` for one that does not answer.
    """
    target = config.target
    if config.directory is not None:
        return _connect_embedded(config.directory, _SESSION | (_BEHIND if behind else {}))
    settings = _SESSION | (_CLUSTER_SESSION if target.cluster else {})
    try:
        return clickhouse_connect.get_client(**server_options(config.dsn, config.database), settings=settings)
    except ClickHouseError as error:
        server = f"ClickHouse at {without_password(config.dsn)}"
        if _is_permanent(error):
            raise ConfigError(f"exporters.clickhouse.dsn: {server} refuses: {_first_line(error)}") from error
        raise Retryable(f"{server} does not answer: {_first_line(error)}") from error
    except (TypeError, ValueError):
        # Not from the error, which may quote a value.
        names = ", ".join(option_names(config.dsn)) or "none"
        raise ConfigError(
            f"exporters.clickhouse.dsn: clickhouse-connect does not take its options as they are ({names})"
        ) from None


@contextlib.contextmanager
def driver_errors_translated() -> Iterator[None]:
    """Makes `Permanent` or `Retryable` of what the driver raises inside."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        ours = Permanent if _is_permanent(error) else Retryable
        raise ours(f"ClickHouse: {_first_line(error)}") from error


def _connect_embedded(directory: Path, settings: dict[str, int]) -> Any:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"exporters.clickhouse.dsn: can't create {directory}: {error.strerror}") from error
    if not os.access(directory, os.W_OK):
        raise ConfigError(f"exporters.clickhouse.dsn: {directory} is not writable; choose another directory")
    dsn = f"{CHDB}{directory}"
    try:
        return clickhouse_connect.get_client(dsn=dsn, settings=settings, chdb_options={"config-file": str(_ENGINE)})
    except ClickHouseError as error:
        raise ConfigError(f"exporters.clickhouse.dsn: can't open {dsn}: {_first_line(error)}") from error


def _is_permanent(error: ClickHouseError | OSError) -> bool:
    return getattr(error, "code", None) in _PERMANENT_CODES


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:500]
