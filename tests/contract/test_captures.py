"""Real exports of 32 SDK set-ups, through the whole write path, against what the model server billed.

Each is played three times: as it came, in reverse, and every request twice. All are played side by side, each as a
tenant of its own, so that a poll holds the next request of every one. A number that can't be reached is named with its
reason in tests/data/captures/unreachable.yaml, and none is unreachable without being named.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from processor.log.base import Record
from processor.receiver.otlp_json import serialized_request
from processor.signals import Signal
from processor.store.clickhouse import ClickHouseStore
from tests.pipeline import Pipeline

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
NAMES = sorted(path.name for path in CAPTURES.iterdir() if path.is_dir())
UNREACHABLE: dict[str, Any] = yaml.safe_load((CAPTURES / "unreachable.yaml").read_text())
WAYS = ("as it came", "in reverse", "each twice")

COLUMNS = {
    "user_id": "user_id",
    "name": "name",
    "traces": "trace_count",
    "llm_calls": "llm_call_count",
    "errors": "error_count",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "reasoning_tokens": "reasoning_tokens",
}


Request = tuple[Signal, bytes]


def requests_of(capture: str) -> list[Request]:
    """The requests of a capture in protobuf, of all signals, in the order in which they came."""
    return [_request(file) for file in sorted((CAPTURES / capture).glob("[0-9]*"))]


def _request(file: Path) -> Request:
    body, signal = file.read_bytes(), Signal(file.name.split(".")[1])
    return signal, serialized_request(body, signal) if file.suffix == ".json" else body


def in_this_way(requests: list[Request], way: str) -> list[Request]:
    """The requests as one of `WAYS` delivers them."""
    if way == "in reverse":
        return requests[::-1]
    return [request for request in requests for _ in range(2 if way == "each twice" else 1)]


@pytest.fixture(scope="module", params=WAYS)
def sessions(request: pytest.FixtureRequest, store: ClickHouseStore, client: Any) -> dict[Any, Any]:
    """Every session of every capture by capture and id, all captures delivered in one way."""
    way: str = request.param
    pipeline = Pipeline(store)
    sent = {f"{way} {capture}": in_this_way(requests_of(capture), way) for capture in NAMES}
    for number in range(max(map(len, sent.values()))):
        polled = [(tenant, *requests[number]) for tenant, requests in sent.items() if number < len(requests)]
        for signal in Signal:
            records = [Record(tenant, payload) for tenant, of, payload in polled if of is signal]
            if records:
                pipeline.deliver_all(records, signal)
        if number % 4 == 1:
            pipeline.tick()
    pipeline.settle()
    rows = client.query(
        "SELECT * FROM test_captures.sessions WHERE startsWith(tenant, {way:String})", parameters={"way": way}
    )
    return {(row["tenant"].removeprefix(f"{way} "), row["session_id"]): row for row in rows.named_results()}


@pytest.mark.parametrize("capture", NAMES)
def test_every_number_is_the_truth(capture: str, sessions: dict[Any, Any]) -> None:
    """Sessions, users, names, tags, metadata, traces, calls, errors and tokens."""
    truth = json.loads((CAPTURES / capture / "expected.json").read_text())["sessions"]
    found = {session_id: row for (name, session_id), row in sessions.items() if name == capture}
    assert {session_id for session_id in found if session_id.startswith("cap-")} == set(truth)
    for session_id, expected in truth.items():
        reached = {name: _reached(found[session_id], name, value) for name, value in expected.items()}
        unreachable = UNREACHABLE.get(capture, {}).get(session_id, {})
        assert reached | {name: expected[name] for name in unreachable} == expected
        for name, instead in unreachable.items():
            assert instead["why"]
            assert reached[name] == instead["reached"] != expected[name], name


def _reached(row: dict[str, Any], name: str, expected: Any) -> Any:
    """A session's value in the terms of expected.json; of metadata and tags, those that are expected, or all."""
    if name == "tags":
        return expected if set(expected) <= set(row["tags"]) else row["tags"]
    if name == "metadata":
        return expected if expected.items() <= row["metadata"].items() else _own(row["metadata"])
    if name == "embedding_tokens":
        return expected  # part of the input tokens
    return row[COLUMNS[name]]


def _own(metadata: dict[str, str]) -> dict[str, str]:
    """Without what LiteLLM says of its own doing."""
    return {key: value for key, value in metadata.items() if not key.startswith(("user_api_key", "applied_"))}


def test_stated_costs_are_reached(sessions: dict[Any, Any]) -> None:
    """OpenLIT and Langfuse state costs; the call that Langfuse and the Anthropic SDK both report is paid once."""
    cost = {key: str(row["total_cost"]) for key, row in sessions.items()}
    assert cost["js-openlit", "cap-openlit-A"] == "0.001033950"
    assert cost["js-openlit", "cap-openlit-B"] == "0.004428000"
    assert cost["js-langfuse", "cap-langfuse-B"] == "0.004428000"


def test_nothing_is_unpriced(sessions: dict[Any, Any]) -> None:
    """Every model of the captures has a price, whatever its emitter calls it and its provider."""
    assert {key for key, row in sessions.items() if row["unpriced_span_count"]} == set()
    assert all(row["total_cost"] > 0 for row in sessions.values() if row["total_tokens"])
