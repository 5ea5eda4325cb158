"""The whole configuration, assembled from the dataclasses that live beside the components.

The defaults are the embedded processor: one process, no servers beside it. A file says only what differs: a section
that is left out keeps its default, a section that is there says exactly what it says (`protocols: {http:}` is HTTP
alone). Shape and names: the Collector's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from processor.api.config import ApiConfig
from processor.auth.config import AuthConfig, BearerTokenAuthConfig, OidcConfig
from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.config.fields import nearest
from processor.config.pipeline import DEBUG, KAFKA, Pipeline, pipeline_of
from processor.debug.config import DebugExporterConfig
from processor.draining import DrainConfig
from processor.errors import ConfigError
from processor.log.kafka.config import KafkaExporterConfig, KafkaReceiverConfig
from processor.log.memory import MemoryLogConfig
from processor.receiver.otlp_grpc import OtlpGrpcConfig
from processor.receiver.otlp_http import OtlpHttpConfig
from processor.receiver.rate_limits import RateLimitsConfig
from processor.role import Role
from processor.store.connection import CHDB, StoreConfig
from processor.telemetry.health import HealthConfig
from processor.telemetry.logging import LogsConfig
from processor.telemetry.server import MetricsServerConfig
from processor.telemetry.traces import TracesConfig
from processor.tls.config import TlsConfig
from processor.worker import WorkerConfig

HEALTH_CHECK: Final = "health_check"
SESSIONS_API: Final = "sessions_api"
_AUTHENTICATORS: Final = ("bearertokenauth", "oidc")
_DSN_SCHEMES: Final = (CHDB, "http://", "https://")


@dataclass(frozen=True, slots=True)
class Protocols:
    """The wire protocols of the OTLP receiver; one that is left out does not listen."""

    grpc: OtlpGrpcConfig | None = None
    http: OtlpHttpConfig | None = None

    def __post_init__(self) -> None:
        if self.grpc is None and self.http is None:
            raise ConfigError("no protocol; name grpc, http or both")


@dataclass(frozen=True, slots=True)
class OtlpReceiverConfig:
    """Takes spans from any OTLP exporter."""

    protocols: Protocols = field(default_factory=lambda: Protocols(OtlpGrpcConfig(), OtlpHttpConfig()))
    limits: RateLimitsConfig = field(
        default_factory=RateLimitsConfig, metadata={"help": "How much a tenant may send; by default as much as comes."}
    )


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where spans come from."""

    otlp: OtlpReceiverConfig | None = None
    kafka: KafkaReceiverConfig | None = field(
        default=None,
        metadata={"help": "Spans from Kafka, for any number of workers; not there is none, empty is every default."},
    )


@dataclass(frozen=True, slots=True)
class Processors:
    """What turns spans into sessions."""

    sessions: WorkerConfig | None = None


@dataclass(frozen=True, slots=True)
class ClickHouseExporterConfig(StoreConfig):
    """Where spans and sessions are written, and how much may wait for it."""

    sending_queue: MemoryLogConfig = field(default_factory=MemoryLogConfig)

    def __post_init__(self) -> None:
        if not self.dsn.startswith(_DSN_SCHEMES):
            raise ConfigError(f"dsn: must begin with one of {', '.join(_DSN_SCHEMES)}")
        _ = self.target  # which refuses names that can't stand in SQL, and a cluster in this process


@dataclass(frozen=True, slots=True)
class Exporters:
    """Where rows go, or spans on their way to them."""

    clickhouse: ClickHouseExporterConfig | None = None
    kafka: KafkaExporterConfig | None = field(
        default=None,
        metadata={"help": "Spans to Kafka, for workers to take; not there is none, empty is every default."},
    )
    debug: DebugExporterConfig | None = field(
        default=None,
        metadata={
            "help": "Shows what goes through, in the log, where a pipeline names it; not there is none, empty is every "
            "default."
        },
    )


@dataclass(frozen=True, slots=True)
class Extensions:
    """What is served beside the pipeline."""

    health_check: HealthConfig | None = None
    sessions_api: ApiConfig | None = None
    clickhouse_http: ClickHouseHttpConfig | None = None
    bearertokenauth: BearerTokenAuthConfig | None = None
    oidc: OidcConfig | None = None


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the process says about itself."""

    metrics: MetricsServerConfig = field(default_factory=MetricsServerConfig)
    logs: LogsConfig = field(default_factory=LogsConfig)
    traces: TracesConfig | None = field(
        default=None, metadata={"help": "Spans about this process, to an OTLP endpoint; not there is none."}
    )


@dataclass(frozen=True, slots=True)
class Pipelines:
    """How spans go, and log records and metrics with them: each signal through logs of its own, the same way."""

    traces: Pipeline = field(default_factory=Pipeline)


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """How the components are connected and observed."""

    extensions: tuple[str, ...] | None = field(
        default=None, metadata={"help": "Extensions to serve; null serves every extension that is defined."}
    )
    telemetry: Telemetry = field(default_factory=Telemetry)
    drain: DrainConfig = field(default_factory=DrainConfig)
    pipelines: Pipelines = field(default_factory=Pipelines)


@dataclass(frozen=True, slots=True)
class Port:
    """One port that is served: where, by whom it may be used, and whether others can read along."""

    name: str
    section: str
    endpoint: str
    tls: TlsConfig | None
    auth: AuthConfig | None


@dataclass(frozen=True, slots=True)
class Config:
    """Everything. `Config()` is the embedded processor."""

    receivers: Receivers = field(default_factory=lambda: Receivers(OtlpReceiverConfig()))
    processors: Processors = field(default_factory=lambda: Processors(WorkerConfig()))
    exporters: Exporters = field(default_factory=lambda: Exporters(ClickHouseExporterConfig()))
    extensions: Extensions = field(
        default_factory=lambda: Extensions(HealthConfig(), ApiConfig(), ClickHouseHttpConfig())
    )
    service: ServiceConfig = field(default_factory=ServiceConfig)

    def __post_init__(self) -> None:
        pipeline = self.service.pipelines.traces
        path = "service.pipelines.traces"
        _check_names(pipeline.receivers, self.receivers, "receivers", f"{path}.receivers")
        _check_names(pipeline.processors, self.processors, "processors", f"{path}.processors")
        _check_names(pipeline.exporters, self.exporters, "exporters", f"{path}.exporters")
        pipeline.check(path)
        written, read = self.kafka_exporter, self.kafka_receiver
        if written is not None and read is not None:
            for option in ("topic", "logs_topic", "metrics_topic"):
                ours, theirs = getattr(written, option), getattr(read, option)
                if ours != theirs:
                    raise ConfigError(
                        f"exporters.kafka.{option}: {ours!r} is not {theirs!r}, which receivers.kafka reads: one "
                        "process writes to the topic that it reads"
                    )
        self._check_security()
        if self.service.extensions is not None:
            _check_names(self.service.extensions, self.extensions, "extensions", "service.extensions")
            if SESSIONS_API in self.service.extensions and self.exporters.clickhouse is None:
                raise ConfigError(
                    f"service.extensions: {SESSIONS_API} reads what exporters.clickhouse names, which is not there"
                )
        if pipeline.is_empty and self.sessions_api is None:
            raise ConfigError(f"{path}: empty, and no {SESSIONS_API} is served: there is nothing to do")

    def _check_security(self) -> None:
        for name in _AUTHENTICATORS:
            if (section := getattr(self.extensions, name)) is not None:
                section.check(f"extensions.{name}")
        for port in self.ports:
            if port.tls is not None:
                port.tls.check(f"{port.section}.tls")
            if port.auth is not None and getattr(self.extensions, port.auth.authenticator) is None:
                name = port.auth.authenticator
                raise ConfigError(f"{port.section}.auth.authenticator: {name!r} is not there; define extensions.{name}")

    @property
    def ports(self) -> tuple[Port, ...]:
        """Every port that this process serves, by the name that its log lines have."""
        found: list[Port] = []
        metrics = self.service.telemetry.metrics
        if metrics.address:
            found.append(Port("metrics", "service.telemetry.metrics", metrics.address, metrics.tls, None))
        if (health := self.health_check) is not None:
            found.append(Port(HEALTH_CHECK, "extensions.health_check", health.endpoint, health.tls, None))
        if (api := self.sessions_api) is not None:
            found.append(Port(SESSIONS_API, "extensions.sessions_api", api.endpoint, api.tls, api.auth))
        if (sql := self.clickhouse_http) is not None:
            found.append(Port("clickhouse_http", "extensions.clickhouse_http", sql.endpoint, sql.tls, sql.auth))
        if (otlp := self.otlp) is not None:
            for name in ("grpc", "http"):
                if (protocol := getattr(otlp.protocols, name)) is not None:
                    section = f"receivers.otlp.protocols.{name}"
                    found.append(Port(name, section, protocol.endpoint, protocol.tls, protocol.auth))
        return tuple(found)

    def as_role(self, role: Role) -> Config:
        """The same file, for a process that does that part of it.

        Errors: `ConfigError` for what the role needs and the file does not define.
        """
        has_kafka = self.receivers.kafka is not None and self.exporters.kafka is not None
        store = self.exporters.clickhouse
        if role is Role.API and store is not None and store.target.embedded:
            raise ConfigError(
                f"exporters.clickhouse.dsn: {store.dsn} is read by no other process than the one that writes to it; "
                "name a server for --role api"
            )
        extensions = self.service.extensions
        if role is Role.WORKER and store is not None and store.target.embedded:
            extensions = None  # no other process can read its files: it answers queries itself
        elif role in (Role.RECEIVER, Role.WORKER):
            extensions = self._served(HEALTH_CHECK)
        elif role is Role.API:
            extensions = self._served(HEALTH_CHECK, SESSIONS_API)
        shows = DEBUG in self.service.pipelines.traces.exporters
        pipelines = Pipelines(pipeline_of(role, has_kafka=has_kafka, shows=shows))
        try:
            return replace(self, service=replace(self.service, extensions=extensions, pipelines=pipelines))
        except ConfigError as error:
            raise ConfigError(f"--role {role}: {error}") from error

    def _served(self, *names: str) -> tuple[str, ...]:
        return tuple(name for name in names if name in _defined(self.extensions))

    @property
    def otlp(self) -> OtlpReceiverConfig | None:
        """The OTLP receiver, None where the pipeline does not begin with it."""
        return self.receivers.otlp if self.service.pipelines.traces.receives else None

    @property
    def kafka_exporter(self) -> KafkaExporterConfig | None:
        """Where the OTLP receiver writes to, None where that is memory."""
        return self.exporters.kafka if KAFKA in self.service.pipelines.traces.exporters else None

    @property
    def debug_exporter(self) -> DebugExporterConfig | None:
        """How requests are shown, None where they are not."""
        return self.exporters.debug if DEBUG in self.service.pipelines.traces.exporters else None

    @property
    def kafka_receiver(self) -> KafkaReceiverConfig | None:
        """Where the worker reads from, None where that is memory."""
        return self.receivers.kafka if KAFKA in self.service.pipelines.traces.receivers else None

    @property
    def sessions(self) -> WorkerConfig | None:
        """The worker, None in a process without."""
        return self.processors.sessions if self.service.pipelines.traces.works else None

    @property
    def health_check(self) -> HealthConfig | None:
        """The health extension, None where it is not served."""
        return self.extensions.health_check if self._serves(HEALTH_CHECK) else None

    @property
    def sessions_api(self) -> ApiConfig | None:
        """The REST API, None where it is not served, or there is no store to read."""
        served = self.exporters.clickhouse is not None and self._serves(SESSIONS_API)
        return self.extensions.sessions_api if served else None

    @property
    def clickhouse_http(self) -> ClickHouseHttpConfig | None:
        """The ClickHouse HTTP interface, None where it is not served: a store on a server has its own."""
        exporter = self.exporters.clickhouse
        embedded = exporter is not None and exporter.directory is not None
        return self.extensions.clickhouse_http if embedded and self._serves("clickhouse_http") else None

    def _serves(self, extension: str) -> bool:
        return self.service.extensions is None or extension in self.service.extensions


def _check_names(names: tuple[str, ...], section: Any, section_name: str, path: str) -> None:
    defined = _defined(section)
    for name in names:
        if name not in defined:
            raise ConfigError(f"{path}: {name!r} is not defined in {section_name}; {nearest(name, defined)}")
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}: a name stands twice; keep one")


def _defined(section: Any) -> Iterable[str]:
    return [item.name for item in fields(section) if getattr(section, item.name) is not None]
