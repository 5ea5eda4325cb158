"""Budgets on a real process and a real HTTP server: each crossing once, over refusals, restarts and resent spans."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.process import ANY_PORTS, TIMEOUT_S, Running

KEY = bytes(range(32))
LOOK_S = 0.05
RULES = """
processors:
  sessions:
    budgets:
      check_interval_s: 0.1
      retry_first_s: 0.1
      retry_max_s: 0.2
      attempts_max: 1000
      webhooks: [{{name: ops, url: "{url}/hook", secret: "whsec_{key}"}}]
      rules:
        - {{name: many tokens, webhook: ops, tokens: 100}}
        - {{name: ended, webhook: ops, idle_s: 2, tag: watched}}
"""


class Receiver:
    """An HTTP server that takes posts, or refuses them."""

    def __init__(self) -> None:
        self.status = 200
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.refused = 0
        self.before_answer: Callable[[], object] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if receiver.status == 200:
                    receiver.taken.append(({k.lower(): v for k, v in self.headers.items()}, body))
                else:
                    receiver.refused += 1
                receiver.before_answer()
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def said(self) -> list[tuple[str, str, int]]:
        """Rule, session and crossing of each post."""
        data = [json.loads(body)["data"] for _, body in self.taken]
        return [(one["rule"], one["session"]["id"], one["crossing"]) for one in data]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """In a thread of its own."""
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def until(holds: Any) -> None:
    """Wait for a condition."""
    end_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < end_s, "it never came"
        time.sleep(LOOK_S)


def a_call(session: str, number: int, tokens: int, **said: str) -> dict[str, Any]:
    """A model call of a session, a trace of its own."""
    start_ns = (time.time_ns() // 10**9 - 3600) * 10**9
    said = {"session.id": session, "gen_ai.operation.name": "chat", "gen_ai.request.model": "house-7b"} | said
    attributes: list[Any] = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    attributes.append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": tokens}})
    if "tag" in said:
        value = {"arrayValue": {"values": [{"stringValue": said["tag"]}]}}
        attributes.append({"key": "langfuse.trace.tags", "value": value})
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat",
        "startTimeUnixNano": start_ns,
        "endTimeUnixNano": start_ns + 10**9,
        "attributes": attributes,
    }


def metric(running: Running, name: str) -> float:
    """The sum over all labels."""
    lines = httpx.get(f"{running.url('metrics')}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_each_crossing_is_posted_once(tmp_path: Path, receiver: Receiver) -> None:
    """Signed; over a receiver that refuses, a restart, spans that come again, and an ending that opens again."""
    config = ANY_PORTS + RULES.format(url=receiver.url, key=base64.b64encode(KEY).decode())
    over = a_call("s", 1, 101)
    receiver.status = 302  # which is not followed
    with Running(tmp_path, config) as running:
        running.export(a_call("small", 2, 100), over)
        until(lambda: receiver.refused >= 2)
        assert metric(running, "otel_sessions_budget_posts_failed_total") >= 2
        assert metric(running, "otel_sessions_budget_alerts_pending") == 1
        # The store still takes spans.
        running.export(a_call("s", 3, 500))
        assert running.stop()[0] == 0
    receiver.status = 200
    with Running(tmp_path, config) as running:
        until(lambda: receiver.taken)
        running.export(over)  # again
        watched = a_call("w", 4, 1, tag="watched")
        running.export(watched)
        until(lambda: ("ended", "w", 1) in receiver.said())
        running.export(watched)  # again: nothing has come
        running.export(a_call("w", 5, 1, tag="watched"), a_call("late", 6, 900))
        until(lambda: ("ended", "w", 2) in receiver.said())
        until(lambda: ("many tokens", "late", 1) in receiver.said())
        until(lambda: metric(running, "otel_sessions_budget_alerts_posted_total") == 4)
        assert running.stop()[0] == 0
    with Running(tmp_path, config) as running:  # and nothing is left to say
        running.export(a_call("last", 7, 101))
        until(lambda: ("many tokens", "last", 1) in receiver.said())
        assert running.stop()[0] == 0
    with Running(tmp_path, config) as running:  # killed between the post and the note of it
        killed = threading.Event()

        def kill() -> None:
            running.signal(signal.SIGKILL)
            killed.set()

        receiver.before_answer = kill
        running.export(a_call("twice", 8, 101))
        assert killed.wait(TIMEOUT_S)
        running.wait_until_ended()
    receiver.before_answer = lambda: None
    with Running(tmp_path, config) as running:
        until(lambda: receiver.said().count(("many tokens", "twice", 1)) == 2)
        assert running.stop()[0] == 0
    first, again = receiver.taken[-2:]
    assert (first[0]["webhook-id"], first[1]) == (again[0]["webhook-id"], again[1])
    del receiver.taken[-2:]
    assert sorted(receiver.said()) == [
        ("ended", "w", 1),
        ("ended", "w", 2),
        ("many tokens", "last", 1),
        ("many tokens", "late", 1),
        ("many tokens", "s", 1),
    ]
    assert len({headers["webhook-id"] for headers, _ in receiver.taken}) == 5
    for headers, body in receiver.taken:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        right = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{right}"
        assert abs(time.time() - int(headers["webhook-timestamp"])) < TIMEOUT_S
