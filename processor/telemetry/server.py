"""The port that Prometheus scrapes: 8888, `/metrics`. Must never touch the store: a scrape is answered at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import psutil
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
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


def metrics_app(metrics: Metrics) -> Starlette:
    """`/metrics` in the format the scraper asks for."""
    process = psutil.Process()
    started_s = monotonic_s()
    counted_cpu_s = 0.0

    async def scrape(request: Request) -> Response:
        nonlocal counted_cpu_s
        metrics.process_rss.set(process.memory_info().rss)
        metrics.process_uptime.set(monotonic_s() - started_s)
        times = process.cpu_times()
        cpu_s = max(times.user + times.system, counted_cpu_s)
        metrics.process_cpu_seconds.inc(cpu_s - counted_cpu_s)
        counted_cpu_s = cpu_s
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), media_type=content_type)

    return Starlette(routes=[Route("/metrics", scrape)])
