"""Probes: sessions of one trace, sent into a stream at random moments, and watched until the REST API shows them.

One thread asks for the oldest probe by its id; when that has become visible, or is overdue, one list shows which of the
others have. So what is measured is an upper bound, off by a poll and the time of its queries, which are told.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import threading
import time
from collections import deque
from typing import Any, Final

import orjson

from benchmarks.load import PROBE_PREFIX, Load
from benchmarks.process import HOST
from benchmarks.sender import Sender
from benchmarks.server import Server
from benchmarks.spans import SPANS_PER_TRACE

_SEEN_S_MAX: Final = 30.0
_PATIENCE_S: Final = 1.0  # for the oldest probe, before the others are looked at
_LISTED: Final = 200


class Probes:
    """Sends probes and collects how long each took from export to visible."""

    def __init__(self, load: Load, per_second: float, seconds: float, poll_s: float) -> None:
        self._load = load
        self._per_second = per_second
        self._seconds = seconds
        self._poll_s = poll_s
        self._outstanding: deque[tuple[str, float]] = deque()
        self._waiting_again: list[tuple[str, float]] = []
        self._all_sent = threading.Event()
        self.sent = 0
        self.visible_s: list[float] = []
        self.acknowledged_s: list[float] = []
        self.lost: list[str] = []
        self.query_s: list[float] = []

    async def run(self, server: Server, sender: Sender) -> None:
        """Send for the given time, then wait for the last ones."""
        watching = asyncio.create_task(asyncio.to_thread(self._watch, server))
        try:
            started = time.perf_counter()
            async with asyncio.TaskGroup() as tasks:
                while (moment := (self.sent + random.random()) / self._per_second) < self._seconds:
                    await asyncio.sleep(max(0.0, started + moment - time.perf_counter()))
                    tasks.create_task(self._send(sender, self.sent))
                    self.sent += 1
        finally:
            self._all_sent.set()
            await watching

    async def _send(self, sender: Sender, number: int) -> None:
        session_id, request = self._load.probe(number, time.time_ns())
        exported = time.perf_counter()
        self._outstanding.append((session_id, exported))
        await sender.export(request, number, exported)
        self.acknowledged_s.append(time.perf_counter() - exported)

    def _watch(self, server: Server) -> None:
        connection = http.client.HTTPConnection(HOST, server.ports["api"], timeout=_SEEN_S_MAX)
        listed = time.perf_counter()
        try:
            while self._outstanding or not self._all_sent.is_set():
                overdue = time.perf_counter() - listed > _PATIENCE_S
                if self._outstanding and (self._oldest_is_visible(connection) or overdue):
                    self._strike(self._all_visible(connection))
                    listed = time.perf_counter()
                time.sleep(self._poll_s)
        finally:
            connection.close()

    def _oldest_is_visible(self, connection: http.client.HTTPConnection) -> bool:
        session_id = self._outstanding[0][0]
        body = self._ask(connection, f"/v1/sessions/{session_id}")
        if body is None or body["data"]["span_count"] != SPANS_PER_TRACE:
            return False
        self._strike({session_id})
        return True

    def _all_visible(self, connection: http.client.HTTPConnection) -> set[str]:
        """The newest of the probes that the API shows, whole."""
        body = self._ask(connection, f"/v1/sessions?search={PROBE_PREFIX}&limit={_LISTED}")
        sessions = body["data"] if body else []
        return {session["id"] for session in sessions if session["span_count"] == SPANS_PER_TRACE}

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> Any:
        """The JSON of an answer, None for one that is not 200."""
        started = time.perf_counter()
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        self.query_s.append(time.perf_counter() - started)
        return orjson.loads(body) if response.status == 200 else None

    def _strike(self, visible: set[str]) -> None:
        """Note what is visible now, and give up on what should have been long ago."""
        now = time.perf_counter()
        for _ in range(len(self._outstanding)):  # the event loop may append meanwhile
            session_id, exported = self._outstanding.popleft()
            if session_id in visible:
                self.visible_s.append(now - exported)
            elif now - exported > _SEEN_S_MAX:
                self.lost.append(session_id)
            else:
                self._waiting_again.append((session_id, exported))
        self._outstanding.extendleft(reversed(self._waiting_again))
        self._waiting_again.clear()
