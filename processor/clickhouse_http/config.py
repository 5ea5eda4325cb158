"""Options of the ClickHouse HTTP interface."""

from __future__ import annotations

from dataclasses import dataclass, field

from processor.auth.config import AuthConfig
from processor.endpoint import default_endpoint
from processor.errors import ConfigError
from processor.tls.config import TlsConfig


@dataclass(frozen=True, slots=True)
class ClickHouseHttpConfig:
    """Where SQL is answered over HTTP, read-only, as a ClickHouse server does. Embedded store only."""

    endpoint: str = field(
        default_factory=lambda: default_endpoint(8123),
        metadata={"help": "host:port of the ClickHouse HTTP interface; port 0 takes any free port."},
    )
    concurrent_queries_max: int = field(
        default=4, metadata={"help": "Queries that run at a time, each on a store handle.", "min": 1, "max": 64}
    )
    waiting_queries_max: int = field(
        default=32,
        metadata={
            "help": "Queries that may wait for their turn; more are refused with error 202. 0 lets none wait.",
            "min": 0,
            "max": 10_000,
        },
    )
    max_execution_time_s: int = field(
        default=60,
        metadata={"help": "Seconds a query may take, sending included; then error 159.", "min": 1, "max": 86_400},
    )
    max_result_rows: int = field(
        default=0, metadata={"help": "Rows of one result; more is error 396. 0 is no limit.", "min": 0}
    )
    max_result_bytes: int = field(
        default=0,
        metadata={"help": "Bytes of one result before compression; more is error 396. 0 is no limit.", "min": 0},
    )
    buffered_result_bytes_max: int = field(
        default=134_217_728,
        metadata={
            "help": (
                "The same for results that a client wants held back until the query is over (wait_end_of_query): they "
                "are held in memory."
            ),
            "min": 65_536,
        },
    )
    query_memory_bytes_max: int = field(
        default=1_073_741_824,
        metadata={"help": "Memory one query may take in the engine; more is error 241.", "min": 1_048_576},
    )
    max_request_body_size_mib: int = field(
        default=8,
        metadata={
            "help": "Largest body of a request in MiB, also after decompression; larger is 413.",
            "min": 1,
            "max": 1024,
        },
    )
    read_timeout_s: float = field(
        default=30.0, metadata={"help": "Seconds a client has to send its request; then error 209.", "min": 1}
    )
    send_timeout_s: float = field(
        default=30.0,
        metadata={"help": "Seconds a client may stop reading before its query is ended.", "min": 1},
    )
    tls: TlsConfig | None = None
    auth: AuthConfig | None = None

    def __post_init__(self) -> None:
        if self.max_result_bytes and self.buffered_result_bytes_max > self.max_result_bytes:
            raise ConfigError("buffered_result_bytes_max: must not be above max_result_bytes")

    @property
    def request_bytes_max(self) -> int:
        """`max_request_body_size_mib` in bytes."""
        return self.max_request_body_size_mib * 1024 * 1024
