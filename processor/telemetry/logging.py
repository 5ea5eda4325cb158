"""Structured logs on stderr: one event a line, JSON for machines or console for people.

Configured by the service when it starts, never at import. Records of the standard library (uvicorn, grpc) take the
same way out, so that a line is a line whoever wrote it.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog


@dataclass(frozen=True, slots=True)
class LogsConfig:
    """What the process says about itself."""

    level: Literal["debug", "info", "warning", "error"] = field(
        default="info", metadata={"help": "The least severe lines that are written."}
    )
    encoding: Literal["console", "json"] = field(
        default="console", metadata={"help": "console for people, json for machines: one object a line."}
    )


def configure_logging(config: LogsConfig) -> None:
    """Send structlog and the standard library to stderr. Calling it again replaces the earlier configuration."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if config.encoding == "json":
        render: list[Any] = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        render = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    level = logging.getLevelName(config.level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a second configuration must reach loggers that were used before
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These say at "info" what our own lines say already.
    for chatty in ("uvicorn", "httpx", "clickhouse_connect"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    # While brokers are away it says so fifty times a second, as errors; our own lines say it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
