"""Options of the REST API."""

from __future__ import annotations

from dataclasses import dataclass, field

from processor.auth.config import AuthConfig
from processor.endpoint import default_endpoint
from processor.tls.config import TlsConfig


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """Where sessions are read."""

    endpoint: str = field(
        default_factory=lambda: default_endpoint(3000),
        metadata={"help": "host:port of the REST API; port 0 takes any free port."},
    )
    concurrent_queries_max: int = field(
        default=4,
        metadata={"help": "Queries that run at a time, each on a store handle of its own.", "min": 1, "max": 64},
    )
    waiting_queries_max: int = field(
        default=64,
        metadata={
            "help": "Requests that may wait for a handle; more are answered with 503. 0 lets none wait.",
            "min": 0,
            "max": 10_000,
        },
    )
    export_timeout_s: int = field(
        default=3_600,
        metadata={"help": "Seconds a file may take to be read from the store.", "min": 1, "max": 86_400},
    )
    query_timeout_s: int = field(
        default=30, metadata={"help": "Seconds a query may take before it is ended with 503.", "min": 1, "max": 3600}
    )
    tls: TlsConfig | None = None
    auth: AuthConfig | None = None
