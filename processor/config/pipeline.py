"""Which components are connected: the pipeline of a file, and the roles that narrow it to one deployment's part.

    otlp ─> kafka                              receiver
            kafka ─> sessions ─> clickhouse    worker
    otlp ─────────> sessions ─> clickhouse     one process, the log between is in memory
    otlp ─> debug                              shown, and kept by nobody; beside another exporter, shown as well

Named like the Collector's, with one difference: `kafka` on both sides is one topic, so a pipeline that names it as
exporter and as receiver runs both halves in one process.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from processor.errors import ConfigError
from processor.role import Role

OTLP: Final = "otlp"
KAFKA: Final = "kafka"
SESSIONS: Final = "sessions"
CLICKHOUSE: Final = "clickhouse"
DEBUG: Final = "debug"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Which of the defined components one pipeline connects. Three empty lists are none: the API alone needs none."""

    receivers: tuple[str, ...] = field(
        default=(OTLP,), metadata={"help": "Defined receivers: otlp for a receiver, kafka for a worker."}
    )
    processors: tuple[str, ...] = field(
        default=(SESSIONS,), metadata={"help": "`sessions` where rows are made; a receiver has none."}
    )
    exporters: tuple[str, ...] = field(
        default=(CLICKHOUSE,),
        metadata={"help": "Defined exporters: kafka for a receiver, clickhouse for a worker, debug for either."},
    )

    @property
    def receives(self) -> bool:
        """Whether this process takes spans from exporters."""
        return OTLP in self.receivers

    @property
    def works(self) -> bool:
        """Whether this process makes rows of spans."""
        return SESSIONS in self.processors

    @property
    def is_empty(self) -> bool:
        """Whether it connects nothing."""
        return not (self.receivers or self.processors or self.exporters)

    def check(self, path: str) -> None:
        """Whether everything that goes in comes out.

        Errors: `ConfigError`, with `path`, the dotted path of the pipeline.
        """
        if self.is_empty:
            return
        if self.exporters == (DEBUG,) and (KAFKA in self.receivers or self.works):
            raise ConfigError(
                f"{path}.exporters: {DEBUG} alone shows what {OTLP} receives; name {CLICKHOUSE} or {KAFKA} beside it"
            )
        to_kafka, from_kafka = KAFKA in self.exporters, KAFKA in self.receivers
        if not self.receivers:
            raise ConfigError(f"{path}.receivers: empty; name {OTLP} or {KAFKA}")
        if not self.exporters:
            raise ConfigError(f"{path}.exporters: empty; name {CLICKHOUSE}, {KAFKA} or {DEBUG}")
        if self.works != (CLICKHOUSE in self.exporters):
            raise ConfigError(f"{path}: the processor {SESSIONS} and the exporter {CLICKHOUSE} need each other")
        if to_kafka and not self.receives:
            raise ConfigError(f"{path}.exporters: {KAFKA} takes what {OTLP} receives, and {OTLP} is not in receivers")
        if from_kafka and not self.works:
            raise ConfigError(f"{path}.receivers: {KAFKA} feeds {SESSIONS}, which is not in processors")
        if self.receives and from_kafka and not to_kafka:
            raise ConfigError(f"{path}.exporters: what {OTLP} receives goes to {KAFKA} here as well; name it too")
        if to_kafka and self.works and not from_kafka:
            raise ConfigError(f"{path}.receivers: {SESSIONS} takes its spans from {KAFKA} here; name it too")


def pipeline_of(role: Role, *, has_kafka: bool, shows: bool = False) -> Pipeline:
    """What a process of that role connects.

    `has_kafka` says that both sides of Kafka are defined, `shows` that `debug` is to stand beside the other exporters.
    """
    pipeline = _pipeline_of(role, has_kafka=has_kafka)
    if shows and not pipeline.is_empty:
        return replace(pipeline, exporters=(*pipeline.exporters, DEBUG))
    return pipeline


def _pipeline_of(role: Role, *, has_kafka: bool) -> Pipeline:
    match role:
        case Role.RECEIVER:
            return Pipeline((OTLP,), (), (KAFKA,))
        case Role.WORKER:
            return Pipeline((KAFKA,), (SESSIONS,), (CLICKHOUSE,))
        case Role.API:
            return Pipeline((), (), ())
        case Role.ALL if has_kafka:
            return Pipeline((OTLP, KAFKA), (SESSIONS,), (KAFKA, CLICKHOUSE))
        case Role.ALL:
            return Pipeline((OTLP,), (SESSIONS,), (CLICKHOUSE,))
