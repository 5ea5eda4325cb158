"""Whether this process lives, has started, and can do its work: what an orchestrator asks on port 13133.

Three questions, as Kubernetes asks them. `/live`: would a restart mend it? Only a part that has failed for good says
so, never a Kafka or a store that is away; an event loop that is stuck does not answer at all. `/startup`: does
everything stand? `/ready`: can it take spans, and store them, now? `/` is the Collector's `health_check`.

Answers are JSON and name what is missing. Must never touch the store, and never repeat what a client sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from processor.clock import monotonic_s
from processor.endpoint import default_endpoint
from processor.tls.config import TlsConfig

Complaint: TypeAlias = Callable[[], str]
"""What is wrong with a part now, as a sentence; '' for nothing. Cheap: it is called for every question."""


@dataclass(frozen=True, slots=True)
class HealthConfig:
    """Where an orchestrator asks whether this process lives."""

    endpoint: str = field(
        default_factory=lambda: default_endpoint(13133),
        metadata={"help": "host:port of `/live`, `/ready`, `/startup`, and `/` for all; port 0 takes any."},
    )
    tls: TlsConfig | None = None


class Health:
    """What the parts of a process say of themselves. Belongs to one event loop."""

    def __init__(self) -> None:
        self._missing: dict[str, Complaint] = {}
        self._dead: dict[str, Complaint] = {}
        self._stage = "starting"

    def add(self, part: str, missing: Complaint | None = None, dead: Complaint | None = None) -> None:
        """Ask a part: `missing` is what may come back by itself, `dead` what only a restart mends."""
        if missing is not None:
            self._missing[part] = missing
        if dead is not None:
            self._dead[part] = dead

    def started(self) -> None:
        """Everything stands."""
        self._stage = ""

    def stopping(self) -> None:
        """Nothing new is taken from here on."""
        self._stage = "stopping"

    def forget(self) -> None:
        """No part is there any more: it may start anew."""
        self._stage = "starting"
        self._missing.clear()
        self._dead.clear()

    @property
    def dead(self) -> dict[str, str]:
        """Parts that have failed for good, and how."""
        return _said(self._dead)

    @property
    def not_started(self) -> dict[str, str]:
        """Why it has not started, under `process`."""
        return {"process": self._stage} if self._stage == "starting" else {}

    @property
    def missing(self) -> dict[str, str]:
        """Everything that keeps it from doing its work."""
        stage = {"process": self._stage} if self._stage else {}
        return stage | _said(self._missing) | self.dead


def health_app(health: Health) -> Starlette:
    """The four paths."""
    started_s = monotonic_s()

    def answer(good: str, bad: str, missing: Mapping[str, str]) -> Response:
        body = {"status": bad if missing else good, "missing": missing, "uptime_s": round(monotonic_s() - started_s, 3)}
        return JSONResponse(body, 503 if missing else 200)

    async def live(_: Request) -> Response:
        return answer("live", "failed", health.dead)

    async def startup(_: Request) -> Response:
        return answer("started", "starting", health.not_started)

    async def ready(_: Request) -> Response:
        return answer("ready", "not ready", health.missing)

    async def available(_: Request) -> Response:
        uptime_s = round(monotonic_s() - started_s, 3)
        return JSONResponse({"status": "Server available", "ready": not health.missing, "uptime_s": uptime_s})

    return Starlette(
        routes=[Route("/", available), Route("/live", live), Route("/ready", ready), Route("/startup", startup)]
    )


def _said(complaints: Mapping[str, Complaint]) -> dict[str, str]:
    return {part: said for part, complaint in complaints.items() if (said := complaint())}
