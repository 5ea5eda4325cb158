"""Plays the conversations of `scenario` through exporter processes, in their order."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from failure import DemoError
from processor_process import Processor
from scenario import GRPC, GRPC_GZIP, HTTP, JSON, Conversation, Send, Span

EXPORTERS = {
    # service: what exporters.py is called with, which receiver it talks to, what else its environment says
    GRPC: ("grpc", "grpc", {}),
    GRPC_GZIP: ("grpc", "grpc", {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}),
    HTTP: ("http", "http", {}),
    JSON: ("json", "http", {}),
}

_STOP_S_MAX = 10
_NANOS = 1_000_000_000


class Player:
    """The exporter processes; a context manager that starts them and ends them."""

    def __init__(self, processor: Processor, now_ns: int | None = None) -> None:
        self._processor = processor
        self._now_ns = time.time_ns() if now_ns is None else now_ns
        self._processes: dict[str, subprocess.Popen[str]] = {}

    @classmethod
    @contextlib.contextmanager
    def started(cls, processor: Processor, now_ns: int | None = None) -> Iterator[Player]:
        """A player with all its processes. Conversations lie before `now_ns`, which is now by default."""
        player = cls(processor, now_ns)
        with contextlib.ExitStack() as stack:
            for service, (kind, receiver, settings) in EXPORTERS.items():
                process = _start(service, kind, processor.url(receiver), settings)
                stack.callback(_end, process)
                player._processes[service] = process
            yield player

    def play(self, conversation: Conversation) -> None:
        """Send everything, flush by flush. Errors: `DemoError` when something is not acknowledged."""
        start_ns = self._now_ns - conversation.minutes_ago * 60 * _NANOS
        for step in conversation.steps:
            if isinstance(step, Send):
                spans = [_span_data(conversation, step.trace, span, start_ns) for span in step.spans]
                self._send(step.exporter, spans)
            else:
                self._wait_until_rolled_up()

    def _send(self, exporter: str, spans: list[dict[str, Any]]) -> None:
        process = self._processes[exporter]
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # then it has no answer either
            process.stdin.write(json.dumps(spans) + "\n")
            process.stdin.flush()
        if process.stdout.readline() != "ok\n":
            raise DemoError(f"the exporter of {exporter!r} could not deliver its spans")

    def _wait_until_rolled_up(self) -> None:
        # The tick under way may have begun before the last spans were stored; the one after it has not.
        wanted = self._ticks() + 2
        while self._ticks() < wanted:
            time.sleep(0.05)

    def _ticks(self) -> float:
        return read_metric(self._processor, "otel_sessions_rollup_tick_seconds_count")


def read_metric(processor: Processor, name: str) -> float:
    """A sample of `/metrics` that has no labels."""
    lines = httpx.get(f"{processor.url('metrics')}/metrics").text.splitlines()
    values = [float(line.partition(" ")[2]) for line in lines if line.partition(" ")[0] == name]
    if not values:
        raise DemoError(f"the processor has no metric {name}")
    return values[0]


def _start(service: str, kind: str, endpoint: str, settings: dict[str, str]) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.Popen(  # noqa: S603 (our own program)
        [sys.executable, str(Path(__file__).with_name("exporters.py")), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**inherited, "OTEL_SERVICE_NAME": service, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **settings},
    )


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()  # it ends when there is nothing more to read
    try:
        process.wait(_STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _span_data(conversation: Conversation, trace: str, span: Span, start_ns: int) -> dict[str, Any]:
    """A span as `exporters` reads it. Ids follow from names, so that every process makes the same."""
    trace_id = _hex_id(16, conversation.about, trace)
    return {
        "trace_id": trace_id,
        "span_id": _hex_id(8, trace_id, span.id),
        "parent_id": _hex_id(8, trace_id, span.parent) if span.parent else "",
        "name": span.name,
        "start_ns": start_ns + round(span.start_s * _NANOS),
        "end_ns": start_ns + round(span.end_s * _NANOS),
        "attributes": span.attributes,
        "error": span.error,
    }


def _hex_id(size: int, *names: str) -> str:
    return hashlib.blake2b("\0".join(names).encode(), digest_size=size).hexdigest()
