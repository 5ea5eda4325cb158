"""The two ports operators look at: Prometheus metrics (8888, `/metrics`) and health (13133, `/` and `/ready`).

`/` answers 200 as long as the event loop turns; `/ready` answers 503 while the worker can't store what is sent.
Must never touch the store: a slow store must not make the process look dead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from processor.clock import monotonic_s
from processor.endpoint import default_endpoint
from processor.telemetry.metrics import Metrics
from processor.tls.config import TlsConfig


@dataclass(frozen=True, slots=True)
class MetricsServerConfig:
    """Where Prometheus scrapes this process."""

    address: str = field(
        default_factory=lambda: default_endpoint(8888),
        metadata={"help": "host:port of `/metrics`; port 0 takes any; '' serves no metrics."},
    )
    tls: TlsConfig | None = None


@dataclass(frozen=True, slots=True)
class HealthConfig:
    """Where an orchestrator asks whether this process lives."""

    endpoint: str = field(
        default_factory=lambda: default_endpoint(13133),
        metadata={"help": "host:port of `/` (alive) and `/ready`; port 0 takes any."},
    )
    tls: TlsConfig | None = None


def metrics_app(metrics: Metrics, refresh: Callable[[], None] = lambda: None) -> Starlette:
    """`/metrics` in the format the scraper asks for; `refresh` sets gauges that are only worth reading then."""
    process = psutil.Process()
    started_s = monotonic_s()

    async def scrape(request: Request) -> Response:
        metrics.process_rss.set(process.memory_info().rss)
        metrics.process_uptime.set(monotonic_s() - started_s)
        refresh()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), media_type=content_type)

    return Starlette(routes=[Route("/metrics", scrape)])


def health_app(is_ready: Callable[[], bool]) -> Starlette:
    """`/` and `/ready`, both with a JSON body."""
    started_s = monotonic_s()

    async def alive(_: Request) -> Response:
        return JSONResponse(
            {"status": "Server available", "ready": is_ready(), "uptime_s": round(monotonic_s() - started_s, 3)}
        )

    async def ready(_: Request) -> Response:
        if is_ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, status_code=503)

    return Starlette(routes=[Route("/", alive), Route("/ready", ready)])
