"""What people ask of a large store, over REST, again and again, each timed from the request to the whole answer."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final
from urllib.parse import quote

from benchmarks.failure import BenchmarkError
from benchmarks.process import HOST
from benchmarks.read_fill import SUBJECTS, TOPICS, session_id, session_name
from benchmarks.sender import Sender
from benchmarks.server import Server

_ANSWER_S_MAX: Final = 120.0
_PAUSE_S: Final = 0.05  # between two questions, as people do
SORT_KEYS: Final = (
    "id",
    "name",
    "user_id",
    "latency_ms",
    "total_cost",
    "total_tokens",
    "trace_count",
    "error_count",
    "start",
    "last_seen",
)


@dataclass(slots=True)
class Questions:
    """Asks them in turn, one at a time, for some seconds; answers that are not 200 are errors."""

    sessions: int
    seconds: float
    seed: int = 1
    answered_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def run(self, server: Server, _: Sender) -> None:
        """Ask. Errors: `BenchmarkError` for an answer that is none."""
        await asyncio.to_thread(self._ask_all, server)

    def _ask_all(self, server: Server) -> None:
        chance = Random(self.seed)
        connection = http.client.HTTPConnection(HOST, server.ports["api"], timeout=_ANSWER_S_MAX)
        asked = self._questions(chance)
        began = time.perf_counter()
        try:
            self._ask(connection, "stats_first", "/v1/sessions/stats")
            while time.perf_counter() - began < self.seconds:
                for name, path in asked.items():
                    self._ask(connection, name, path())
                    time.sleep(_PAUSE_S)
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, name: str, path: str) -> None:
        began = time.perf_counter()
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        self.answered_s[name].append(time.perf_counter() - began)
        if response.status != 200:
            raise BenchmarkError(f"GET {path} was answered {response.status}: {body[:300]!r}")

    def _questions(self, chance: Random) -> dict[str, Callable[[], str]]:
        """Paths by the name of the question; each call is another one of its kind."""

        def number() -> int:
            return chance.randrange(self.sessions)

        def sorted_by(key: str) -> Callable[[], str]:
            return lambda: f"/v1/sessions?sort_by={key}&sort_order={chance.choice(('asc', 'desc'))}"

        def searched(text: Callable[[], str]) -> Callable[[], str]:
            return lambda: f"/v1/sessions?search={quote(text())}"

        return {
            **{f"page_by_{key}": sorted_by(key) for key in SORT_KEYS},
            "search_id": searched(lambda: session_id(number())),
            "search_part_of_id": searched(lambda: session_id(number())[-7:]),
            "search_part_of_name": searched(lambda: f"{chance.choice(SUBJECTS)} {session_name(number())[:4]}"),
            "search_frequent_name": searched(lambda: f"{chance.choice(TOPICS)} of {chance.choice(SUBJECTS)}"),
            "session": lambda: f"/v1/sessions/{session_id(number())}",
            "traces": lambda: f"/v1/sessions/{session_id(number())}/traces?spans=false",
            "page_10": lambda: "/v1/sessions?offset=500",
            "of_a_user": lambda: f"/v1/sessions?user_id=user-{chance.randrange(100_000):06}",
            "stats": lambda: "/v1/sessions/stats",
        }
