"""SQL over HTTP on the real process while it takes spans."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest

from tests.integration.process import ANY_PORTS, Running

BATCHES, SPANS = 20, 50

WITH_SQL = ANY_PORTS.replace("extensions: {", 'extensions: {clickhouse_http: {endpoint: "127.0.0.1:0"}, ')


@pytest.fixture
def processor(tmp_path: Path) -> Iterator[Running]:
    """One for each test, with the interface on a free port."""
    with Running(tmp_path, WITH_SQL) as running:
        yield running


def spans(batch: int) -> list[dict[str, Any]]:
    """Spans of ten sessions, one trace a span."""
    start = time.time_ns()
    return [
        {
            "traceId": f"{batch + 1:016x}{i:016x}",
            "spanId": f"{i + 1:016x}",
            "name": "chat",
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + 1_000_000),
            "attributes": [
                {"key": "session.id", "value": {"stringValue": f"s{i % 10}"}},
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "3"}},
            ],
        }
        for i in range(SPANS)
    ]


def test_sessions_are_queried_while_spans_arrive(processor: Running) -> None:
    """Totals only grow, and are right in the end; then the process stops as it should."""
    base = processor.url("clickhouse_http")
    done = threading.Event()

    def export() -> None:
        for batch in range(BATCHES):
            processor.export(*spans(batch))
        done.set()

    exporter = threading.Thread(target=export)
    exporter.start()
    host, _, port = base.removeprefix("http://").partition(":")
    seen = [0]
    with clickhouse_connect.get_client(host=host, port=int(port)) as client:
        pause = threading.Event()
        for _ in range(300):
            rows = client.query("SELECT count() AS n, sum(total_tokens) AS tokens FROM sessions").result_rows
            seen.append(rows[0][1])
            if rows[0] == (10, 3 * BATCHES * SPANS):
                break
            pause.wait(0.1)
        assert client.query_df("SELECT * FROM sessions")["trace_count"].sum() == BATCHES * SPANS
        assert client.command("SELECT count() FROM otel_traces FINAL") == BATCHES * SPANS
    exporter.join()
    assert seen == sorted(seen)
    assert seen[-1] == 3 * BATCHES * SPANS
    curl = ["curl", "-sS", f"{base}/?default_format=CSV", "-d", "SELECT count() FROM sessions"]
    assert subprocess.run(curl, capture_output=True, text=True, timeout=60, check=True).stdout == "10\n"
    status, lines = processor.stop()
    assert status == 0
    assert not [line for line in lines if line["level"] == "error"]


def test_the_process_stops_while_a_query_runs(processor: Running) -> None:
    """The query is ended, the store closed, the exit code 0."""
    base = processor.url("clickhouse_http")
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            httpx.post(base, content="SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(number)", timeout=60)
        except httpx.HTTPError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    httpx.post(base, content="SELECT 1", timeout=60)
    status, _ = processor.stop()
    asking.join()
    assert status == 0


def test_an_answer_that_breaks_off_is_an_error_for_curl(processor: Running) -> None:
    """What was sent is not taken for all there is; the error stands at its end."""
    query = "SELECT throwIf(number = 3000000, 'too far') FROM numbers(5000000) SETTINGS max_block_size = 10000"
    curl = subprocess.run(
        ["curl", "-sS", processor.url("clickhouse_http"), "-d", query], capture_output=True, timeout=60, check=False
    )
    assert curl.returncode == 18
    assert b"__exception__" in curl.stdout[-2_000:]
    assert b"Code: 395" in curl.stdout[-2_000:]
