"""The whole configuration, assembled from the dataclasses that live beside the components.

The defaults are the embedded processor: one process, no servers beside it. A file says only what differs: a section
that is left out keeps its default, a section that is there says exactly what it says (`protocols: {http:}` is HTTP
alone). Shape and names: the Collector's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from processor.api.config import ApiConfig
from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.config.fields import nearest
from processor.errors import ConfigError
from processor.log.kafka.config import KafkaReceiverConfig
from processor.log.memory import MemoryLogConfig
from processor.receiver.otlp_grpc import OtlpGrpcConfig
from processor.receiver.otlp_http import OtlpHttpConfig
from processor.store.clickhouse import CHDB, StoreConfig
from processor.telemetry.logging import LogsConfig
from processor.telemetry.server import HealthConfig, MetricsServerConfig
from processor.worker import WorkerConfig

_DSN_SCHEMES = (CHDB, "http://", "https://")


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


@dataclass(frozen=True, slots=True)
class Exporters:
    """Where rows go."""

    clickhouse: ClickHouseExporterConfig | None = None


@dataclass(frozen=True, slots=True)
class Extensions:
    """What is served beside the pipeline."""

    health_check: HealthConfig | None = None
    sessions_api: ApiConfig | None = None
    clickhouse_http: ClickHouseHttpConfig | None = None


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the process says about itself."""

    metrics: MetricsServerConfig = field(default_factory=MetricsServerConfig)
    logs: LogsConfig = field(default_factory=LogsConfig)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Which of the defined components one pipeline connects."""

    receivers: tuple[str, ...] = field(default=("otlp",), metadata={"help": "Defined receivers, at least one."})
    processors: tuple[str, ...] = field(default=("sessions",), metadata={"help": "Exactly `sessions`."})
    exporters: tuple[str, ...] = field(default=("clickhouse",), metadata={"help": "Exactly `clickhouse`."})


@dataclass(frozen=True, slots=True)
class Pipelines:
    """One pipeline a signal."""

    traces: Pipeline = field(default_factory=Pipeline)


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """How the components are connected and observed."""

    extensions: tuple[str, ...] | None = field(
        default=None, metadata={"help": "Extensions to serve; null serves every extension that is defined."}
    )
    telemetry: Telemetry = field(default_factory=Telemetry)
    pipelines: Pipelines = field(default_factory=Pipelines)


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
        if "kafka" in pipeline.receivers:
            raise ConfigError(f"{path}.receivers: kafka can't be run in this version; `dlq` alone uses receivers.kafka")
        if self.service.extensions is not None:
            _check_names(
                self.service.extensions, self.extensions, "extensions", "service.extensions", empty_is_fine=True
            )

    @property
    def health_check(self) -> HealthConfig | None:
        """The health extension, None where it is not served."""
        return self.extensions.health_check if self._serves("health_check") else None

    @property
    def sessions_api(self) -> ApiConfig | None:
        """The REST API, None where it is not served."""
        return self.extensions.sessions_api if self._serves("sessions_api") else None

    @property
    def clickhouse_http(self) -> ClickHouseHttpConfig | None:
        """The ClickHouse HTTP interface, None where it is not served: a store on a server has its own."""
        exporter = self.exporters.clickhouse
        embedded = exporter is not None and exporter.dsn.startswith(CHDB)
        return self.extensions.clickhouse_http if embedded and self._serves("clickhouse_http") else None

    def _serves(self, extension: str) -> bool:
        return self.service.extensions is None or extension in self.service.extensions


def _check_names(
    names: tuple[str, ...], section: Any, section_name: str, path: str, *, empty_is_fine: bool = False
) -> None:
    defined = _defined(section)
    for name in names:
        if name not in defined:
            raise ConfigError(f"{path}: {name!r} is not defined in {section_name}; {nearest(name, defined)}")
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}: a name stands twice; keep one")
    if not names and not empty_is_fine:
        raise ConfigError(f"{path}: empty; name at least one of {', '.join(defined) or f'what {section_name} defines'}")


def _defined(section: Any) -> Iterable[str]:
    return [item.name for item in fields(section) if getattr(section, item.name) is not None]
