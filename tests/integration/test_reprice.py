"""`otel-sessions reprice` as a person uses it: a price was missing, the file gets it, history follows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.integration.closed_store import read
from tests.integration.process import ANY_PORTS, Running, call

DAY_S = 86_400
COST = "SELECT toString(total_cost) AS cost, unpriced_span_count AS unpriced FROM otel.sessions"
PRICES = {"prices": [{"model": "house-7b", "input_mtok": 2, "output_mtok": "10"}]}


def a_call() -> dict[str, Any]:
    """A request with one call of a model that no price table has."""
    start_ns = time.time_ns() - 10**9
    said = {"session.id": "s", "gen_ai.operation.name": "chat", "gen_ai.request.model": "house-7b"}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    for key, count in (("input", 1000), ("output", 100)):
        attributes.append({"key": f"gen_ai.usage.{key}_tokens", "value": {"intValue": count}})
    span = {
        "traceId": "01" * 16,
        "spanId": "02" * 8,
        "name": "chat",
        "startTimeUnixNano": start_ns,
        "endTimeUnixNano": start_ns + 10**9,
        "attributes": attributes,
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


@pytest.fixture
def stopped(tmp_path: Path) -> Running:
    """A process that has stored the call and ended."""
    with Running(tmp_path) as running:
        httpx.post(f"{running.url('http')}/v1/traces", json=a_call()).raise_for_status()
        refused = call("reprice", "--since", "2026-01-01", "--config", str(running.config), TEST_DATA=str(running.data))
        assert refused.returncode == 1
        assert "in use" in refused.stderr
        running.stop()  # in order: what it has stored is rolled up
    return running


def test_history_is_repriced(stopped: Running) -> None:
    """Unpriced under the built-in table; by the house's own price once the file has it."""
    assert read(stopped.data, COST) == [[{"cost": "0", "unpriced": 1}]]
    config = yaml.safe_load(ANY_PORTS) | {"processors": {"sessions": {"pricing": PRICES}}}
    stopped.config.write_text(yaml.safe_dump(config))
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAY_S))
    done = call("reprice", "--since", yesterday, "--config", str(stopped.config), TEST_DATA=str(stopped.data))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 traces of 1 sessions priced by genai-prices ")
    assert read(stopped.data, COST) == [[{"cost": "0.003", "unpriced": 0}]]


def test_a_moment_that_is_none_is_refused(tmp_path: Path) -> None:
    """Before anything is opened."""
    done = call("reprice", "--since", "yesterday")
    assert done.returncode == 1
    assert done.stderr.startswith("otel-sessions: --since: 'yesterday' is no date or time in ISO 8601")
    assert not (tmp_path / "data").exists()
