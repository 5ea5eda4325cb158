"""Our own spans: batches, inserts, ticks and API requests, sent to any OTLP endpoint.

Off unless configured: then every tracer is OpenTelemetry's no-op, and the SDK is not even imported. What happens in a
span says what kind of work it was, how much and how long; never what a client sent, and of an error its type alone.
Must never send a span for a request that holds our own spans (`own`).
"""

# ruff: noqa: PLC0415 (the SDK is imported by those who switch it on)

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal
from uuid import uuid4

from opentelemetry import context, trace
from opentelemetry.trace import NoOpTracer, Span, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from processor.errors import ConfigError
from processor.telemetry.metrics import Metrics
from processor.telemetry.own import SERVICE_NAME, all_own

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_QUEUE_SPANS_MAX: Final = 2048
_BATCH_SPANS_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class TracesTlsConfig:
    """TLS to that endpoint; not there is none."""

    ca_file: str = field(
        default="", metadata={"help": "PEM file of the authorities that may sign its certificate; '' are the system's."}
    )


@dataclass(frozen=True, slots=True)
class TracesConfig:
    """Spans about this process, to an OTLP endpoint."""

    endpoint: str = field(
        default="localhost:4317",
        metadata={"help": "host:port of the OTLP endpoint; may be this process, which tells nothing of these spans."},
    )
    protocol: Literal["grpc", "http/protobuf"] = field(
        default="grpc", metadata={"help": "http/protobuf posts to /v1/traces of the endpoint."}
    )
    sampling_ratio: float = field(
        default=1.0,
        metadata={
            "help": "Share of traces that are sent; a request to the API follows its caller's decision.",
            "min": 0,
            "max": 1,
        },
    )
    headers: tuple[str, ...] = field(
        default=(), metadata={"help": "Headers of each export, `name=value`; take secrets from ${env:NAME}."}
    )
    timeout_s: float = field(
        default=10.0,
        metadata={"help": "Seconds an export may take; its spans are dropped and counted then.", "min": 0.1, "max": 60},
    )
    schedule_delay_s: float = field(
        default=5.0, metadata={"help": "Seconds between two exports.", "min": 0.01, "max": 300}
    )
    tls: TracesTlsConfig | None = field(
        default=None, metadata={"help": "TLS to the endpoint; not there is plain text, empty is the system's trust."}
    )

    def __post_init__(self) -> None:
        if not self.endpoint:
            raise ConfigError("endpoint: is empty; name host:port of an OTLP endpoint")
        for position, header in enumerate(self.headers):
            if "=" not in header:  # without quoting it: it may be a secret
                raise ConfigError(f"headers[{position}]: expected name=value")


class Work:
    """One piece of work as a span, its steps as children. Ends with `end`, or with the block."""

    def __init__(
        self, tracer: Tracer, name: str, ended: Callable[[], None] | None = None, **attributes: AttributeValue
    ) -> None:
        self._tracer = tracer
        self._on_end = ended
        self._span = tracer.start_span(name, attributes=_dotted(attributes), context=context.Context())
        self._inside = trace.set_span_in_context(self._span)

    @contextlib.contextmanager
    def step(self, name: str, **attributes: AttributeValue) -> Iterator[None]:
        """A part of it, current for as long as the block runs, so that log lines bear its ids."""
        span = self._tracer.start_span(name, context=self._inside, attributes=_dotted(attributes))
        with _ended(span):
            yield

    @property
    def recording(self) -> bool:
        """Whether anything of it is sent."""
        return self._span.is_recording()

    def end(self) -> None:
        """It is over."""
        self._span.end()
        if self._on_end is not None:
            self._on_end()

    def __enter__(self) -> Work:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._span.set_status(StatusCode.ERROR, kind.__name__)
        self.end()


class OwnTraces:
    """Between `start` and `stop` it sends, where it is configured."""

    def __init__(self, config: TracesConfig | None, metrics: Metrics) -> None:
        self._config = config
        self._metrics = metrics
        self._provider: TracerProvider | None = None
        self._off = NoOpTracer()
        self._tracer: Tracer = self._off
        self._has_news = False

    @property
    def tracer(self) -> Tracer:
        """Of the process; the no-op before `start`, and where nothing is sent."""
        return self._tracer

    def start(self) -> None:
        """Begin to send. Nothing is connected yet: an endpoint that is away costs spans, and nothing else.

        Errors: `ConfigError` for a certificate file that can't be read.
        """
        if self._config is None or self._provider is not None:
            return
        self._provider = _provider(self._config, self._metrics)
        self._tracer = self._provider.get_tracer(SERVICE_NAME, version("otel-sessions"))

    def stop(self) -> None:
        """Send what waits, for as long as an export may take, and end. Safe to call twice, and without `start`."""
        provider, self._provider = self._provider, None
        self._tracer = self._off
        if provider is not None:
            provider.shutdown()

    def batch(self, name: str, requests: Sequence[bytes], **attributes: AttributeValue) -> Work:
        """Work on what clients sent; of our own spans, nothing is told."""
        if self._tracer is self._off or all_own(requests):
            return Work(self._off, name)
        sizes = {"requests": len(requests), "bytes": sum(map(len, requests))}
        return Work(self._tracer, name, self._note_news, **sizes, **attributes)

    def tick(self, name: str) -> Work:
        """Work on what batches have left; of our own spans, and of nothing, nothing is told."""
        has_news, self._has_news = self._has_news, False
        return Work(self._tracer if has_news else self._off, name)

    def _note_news(self) -> None:
        self._has_news = True


@contextlib.contextmanager
def _ended(span: Span) -> Iterator[None]:
    token = context.attach(trace.set_span_in_context(span))
    try:
        yield
    except BaseException as error:
        span.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        context.detach(token)
        span.end()


def _dotted(attributes: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    return {f"otel_sessions.{name}": value for name, value in attributes.items()}


def _provider(config: TracesConfig, metrics: Metrics) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    from processor.telemetry.traces_exporter import CountingExporter

    resource = Resource(
        {
            "service.name": SERVICE_NAME,  # not from the environment: `own` knows it by this
            "service.version": version("otel-sessions"),
            "service.instance.id": str(uuid4()),
            "process.pid": os.getpid(),
        }
    )
    sampler = ParentBased(TraceIdRatioBased(config.sampling_ratio))
    provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            CountingExporter(_exporter(config), metrics),
            max_queue_size=_QUEUE_SPANS_MAX,
            schedule_delay_millis=config.schedule_delay_s * 1000,
            max_export_batch_size=_BATCH_SPANS_MAX,
        )
    )
    return provider


def _exporter(config: TracesConfig) -> SpanExporter:
    headers = dict(header.split("=", 1) for header in config.headers)
    scheme = "http" if config.tls is None else "https"
    authorities = _read(config.tls.ca_file) if config.tls is not None and config.tls.ca_file else None
    if config.protocol == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter(
            endpoint=f"{scheme}://{config.endpoint}",
            insecure=config.tls is None,
            credentials=None if config.tls is None else grpc.ssl_channel_credentials(authorities),
            headers={name.lower(): value for name, value in headers.items()},
            timeout=config.timeout_s,
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    return HttpExporter(
        endpoint=f"{scheme}://{config.endpoint}/v1/traces",
        certificate_file=config.tls.ca_file if authorities and config.tls is not None else None,
        headers=headers,
        timeout=config.timeout_s,
    )


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(
            f"service.telemetry.traces.tls.ca_file: can't read {path}: {error.strerror or error}"
        ) from error
