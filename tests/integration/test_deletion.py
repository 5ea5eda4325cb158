"""`DELETE /v1/sessions/{id}` of the real process: gone from its answers at once, from its tables after a kill too."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.integration.process import ANY_PORTS, TIMEOUT_S, Running

SECRET = "a-word-that-must-go"
DOOMED, STAYING = "doomed/1", "staying"
LOOK_S = 0.05


def config(purge_interval_s: float) -> str:
    """Free ports; purges this often."""
    sessions = {"sessions": {"deletion": {"purge_interval_s": purge_interval_s}}}
    return yaml.safe_dump(yaml.safe_load(ANY_PORTS) | {"processors": sessions})


def span(trace: str, number: int, session: str = "", said: str = "") -> dict[str, Any]:
    """A span as OTLP/JSON has it."""
    start_ns = time.time_ns() - 10**9
    attributes = [{"key": "note", "value": {"stringValue": said}}]
    if session:
        attributes.append({"key": "session.id", "value": {"stringValue": session}})
    return {
        "traceId": trace * 16,
        "spanId": f"{number:016x}",
        "name": "step",
        "startTimeUnixNano": start_ns,
        "endTimeUnixNano": start_ns + 10**6,
        "attributes": attributes,
    }


def wait_until(holds: Callable[[], bool]) -> None:
    """Errors: `AssertionError` when it takes too long."""
    until_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(LOOK_S)


def listed(running: Running) -> list[str]:
    """The ids of `GET /v1/sessions`."""
    answer = httpx.get(f"{running.url('sessions_api')}/v1/sessions", timeout=TIMEOUT_S)
    return sorted(session["id"] for session in answer.json()["data"])


def metric(running: Running, name: str) -> float:
    """A metric without labels."""
    lines = httpx.get(f"{running.url('metrics')}/metrics", timeout=TIMEOUT_S).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def answers_with(running: Running, session: str, trace: str) -> list[int]:
    """How much of a session is in each answer that could have it; the first is the status of asking for it."""
    with httpx.Client(base_url=running.url("sessions_api"), timeout=TIMEOUT_S) as api:
        path = f"/v1/sessions/{session.replace('/', '%2F')}"
        lists = (f"{path}/traces", f"{path}/logs", f"/v1/traces/{trace * 16}/spans", f"/v1/sessions?search={session}")
        return [api.get(path).status_code, *(api.get(of).json()["pagination"]["total"] for of in lists)]


def test_a_session_is_deleted_through_a_kill(tmp_path: Path) -> None:
    """Killed between the answer and the purge; the next process purges, late spans too, and leaves the others alone."""
    with Running(tmp_path, config(86_400)) as running:
        running.export(span("01", 1, DOOMED, SECRET), span("01", 2, "", SECRET), span("02", 1, STAYING))
        wait_until(lambda: listed(running) == [DOOMED, STAYING])
        assert answers_with(running, DOOMED, "01") == [200, 1, 0, 2, 1]
        answer = httpx.delete(f"{running.url('sessions_api')}/v1/sessions/doomed%2F1", timeout=TIMEOUT_S)
        assert answer.status_code == 200
        deletion = answer.json()["data"]
        assert deletion["id"] == DOOMED
        blocked = datetime.fromisoformat(deletion["blocked_until"]) - datetime.fromisoformat(deletion["deleted_at"])
        assert blocked == timedelta(days=30)
        assert listed(running) == [STAYING]
        assert answers_with(running, DOOMED, "01") == [404, 0, 0, 0, 0]
        running.stop(signal.SIGKILL)
    with Running(tmp_path, config(0.1)) as running:
        assert listed(running) == [STAYING]
        running.export(span("01", 3, "", SECRET), span("03", 1, DOOMED, SECRET), span("02", 2, STAYING))
        wait_until(lambda: metric(running, "otel_sessions_purged_sessions_total") >= 1)
        wait_until(lambda: metric(running, "otel_sessions_purged_spans_total") >= 4)
        wait_until(lambda: metric(running, "otel_sessions_pending_deletions") == 0)
        assert metric(running, "otel_sessions_deleted_sessions") == 1
        assert (listed(running), answers_with(running, DOOMED, "01")) == ([STAYING], [404, 0, 0, 0, 0])
        code, _ = running.stop()
        assert code == 0
    with Running(tmp_path, config(86_400)) as running:
        assert listed(running) == [STAYING]
        assert running.stop()[0] == 0
    left = tables_with(running.data, DOOMED, SECRET, "01" * 16, "03" * 16, STAYING)
    spans, rollups = {"otel_traces", "session_spans"}, {"session_traces", "session_rollups", "trace_sessions"}
    assert {text for text, tables in left.items() if tables} == {STAYING}
    assert left[STAYING].keys() == spans | rollups


READER = """
import json, sys
from processor.store.connection import StoreConfig, connect
from tests.purging import TOMBSTONES, found
client = connect(StoreConfig(dsn="chdb://" + sys.argv[1]))
print(json.dumps({text: found(client, "otel", text, TOMBSTONES) for text in sys.argv[2:]}))
client.close()
"""


def tables_with(data: Path, *texts: str) -> dict[str, dict[str, int]]:
    """Rows of each table that have these texts, tombstones aside, of a store that no process has open."""
    command = [sys.executable, "-c", READER, str(data), *texts]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    return found
