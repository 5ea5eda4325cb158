"""docs/sql.md and the Grafana dashboard on the real process: asked through clickhouse-connect, read-only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import httpx
import pytest

from processor.signals import Signal
from tests.fleet import DAY, Fleet, S
from tests.grafana import ALL, PANELS, VARIABLES, Range, expanded
from tests.integration.process import ANY_PORTS, TIMEOUT_S, Running
from tests.sql_doc import answers, queries

WITH_SQL = ANY_PORTS.replace("extensions: {", 'extensions: {clickhouse_http: {endpoint: "127.0.0.1:0"}, ')
PATHS = {Signal.TRACES: "/v1/traces", Signal.LOGS: "/v1/logs"}
SPANS = 16


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    """What is exported."""
    return Fleet(time.time_ns())


@pytest.fixture(scope="module")
def client(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """As the document makes one, once all spans are in a session's totals, or known to be in none."""
    with Running(tmp_path_factory.mktemp("sql"), WITH_SQL) as running:
        for signal, payload in fleet.sent():
            response = httpx.post(
                running.url("http") + PATHS[signal],
                content=payload,
                headers={"content-type": "application/x-protobuf"},
                timeout=TIMEOUT_S,
            )
            assert response.status_code == 200, response.text
        address = urlsplit(running.url("clickhouse_http"))
        with clickhouse_connect.get_client(host=address.hostname, port=address.port, database="otel") as made:
            pause = threading.Event()
            bound, unbound = "sum(span_count) FROM sessions", "sum(unbound_span_count) FROM trace_sessions FINAL"
            counted = f"SELECT (SELECT {bound}) + (SELECT {unbound})"
            while made.query(counted).result_rows != [(SPANS,)]:
                pause.wait(0.05)
            yield made


@pytest.mark.parametrize("title", queries())
def test_a_query_of_the_document_gives_the_right_answer(title: str, client: Any, fleet: Fleet) -> None:
    """Nothing that a query needs is closed to readers."""
    assert [tuple(row) for row in client.query(queries()[title]).result_rows] == answers(fleet)[title]


def test_no_query_of_the_dashboard_needs_more_than_reading(client: Any, fleet: Fleet) -> None:
    """Panels and variables, through the same guard; each finds something."""
    when = Range((fleet.now_ns - 7 * DAY) // S, fleet.now_ns // S + 3600, 3600)
    asked = [panel["targets"][0]["rawSql"] for panel in PANELS]
    asked += [variable["query"]["rawSql"] for variable in VARIABLES if variable["type"] == "query"]
    chosen = {variable["name"]: [ALL] if variable.get("includeAll") else "otel" for variable in VARIABLES}
    for sql in asked:
        assert client.query(expanded(sql, chosen, when)).result_rows, sql
