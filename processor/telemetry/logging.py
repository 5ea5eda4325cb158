"""Structured logs on stderr: one event a line, JSON for machines or console for people.

Configured by the command when it starts, never at import. Records of the standard library (uvicorn, grpc) take the
same way out, so that a line is a line whoever wrote it.

A line has an event, what it is about, and from warning up what to do (`action`); while a span or a request of a caller
is under way, its `trace_id` and `span_id`. Tracebacks name places and never values: those may be what a client sent.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog
from opentelemetry import trace

from processor.telemetry.lines import LineFilter, LogsSamplingConfig
from processor.telemetry.metrics import Metrics
from processor.telemetry.redaction import redact

_FRAMES_MAX = 50


@dataclass(frozen=True, slots=True)
class LogsConfig:
    """What the process says about itself."""

    level: Literal["debug", "info", "warning", "error"] = field(
        default="info", metadata={"help": "The least severe lines that are written."}
    )
    encoding: Literal["console", "json"] = field(
        default="console", metadata={"help": "console for people, json for machines: one object a line."}
    )
    sampling: LogsSamplingConfig = field(
        default_factory=LogsSamplingConfig, metadata={"help": "How often a line is repeated."}
    )


def configure_logging(config: LogsConfig) -> None:
    """Send structlog and the standard library to stderr. Calling it again replaces the earlier configuration."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _add_trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if config.encoding == "json":
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=_FRAMES_MAX)
        render: list[Any] = [
            structlog.processors.ExceptionRenderer(tracebacks),
            redact,
            structlog.processors.JSONRenderer(default=str),
        ]
    else:
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        render = [structlog.processors.format_exc_info, redact, console]
    level = logging.getLevelName(config.level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a second configuration must reach loggers that were used before
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(LineFilter(config.sampling))
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


@contextlib.contextmanager
def lines_counted(metrics: Metrics) -> Iterator[None]:
    """Count the lines of this process while the block runs; nothing where `configure_logging` was not called."""
    filters = [own for handler in logging.getLogger().handlers for own in handler.filters]
    counting = [own for own in filters if isinstance(own, LineFilter)]
    for own in counting:
        own.metrics = metrics
    try:
        yield
    finally:
        for own in counting:
            own.metrics = None


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    current = trace.get_current_span().get_span_context()
    if current.is_valid:
        event["trace_id"] = trace.format_trace_id(current.trace_id)
        event["span_id"] = trace.format_span_id(current.span_id)
    return event
