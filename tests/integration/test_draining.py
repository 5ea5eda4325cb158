"""A process that is asked to leave: it says so, serves on until balancers know, and goes at once if asked again."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx

from tests.integration.process import ANY_PORTS, TIMEOUT_S, Running
from tests.integration.test_run import span

FOR_EVER = ANY_PORTS.replace("service: {", "service: {drain: {delay_s: 600}, ")
LOOK_S = 0.02


def test_a_draining_process_is_not_ready_and_takes_everything_and_a_second_signal_ends_it(tmp_path: Path) -> None:
    """While it drains, `/ready` is 503 and exports succeed, on connections that close; what it took outlives it."""
    with Running(tmp_path, FOR_EVER) as process, httpx.Client(timeout=TIMEOUT_S) as client:
        health = process.url("health_check")
        assert client.get(f"{health}/ready").status_code == 200
        assert "connection" not in client.get(f"{health}/ready").headers
        process.signal(signal.SIGINT)
        while client.get(f"{health}/ready").status_code != 503:
            time.sleep(LOOK_S)
        process.export(span("late"))
        for url in (f"{process.url('http')}/v1/traces", f"{process.url('sessions_api')}/v1/sessions", f"{health}/"):
            assert client.get(url).headers["connection"] == "close"
        assert client.get(f"{health}/").status_code == 200
        code, lines = process.stop(signal.SIGTERM)
    assert (code, [line["event"] for line in lines]) == (-signal.SIGTERM, ["draining"])
    with Running(tmp_path) as process:
        url = f"{process.url('sessions_api')}/v1/sessions/late"
        while (response := httpx.get(url, timeout=TIMEOUT_S)).status_code == 404:
            time.sleep(LOOK_S)
    assert response.json()["data"]["span_count"] == 1
