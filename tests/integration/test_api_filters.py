"""Filters of sessions by service, end, errors, cost, tokens and duration, at their exact bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from processor.store.connection import StoreConfig
from tests.integration.asking import api_on, bad, get
from tests.integration.stored import T0, insert, session

ENDS = {"ok": "success", "failed": "error", "odd": "unknown", "none": ""}


@pytest.fixture(scope="module")
def api(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[httpx.Client]:
    """The API on four sessions that differ in everything that can be asked for, and another tenant's."""
    rows = [
        session(
            name,
            end_state=end,
            error_count=number % 2,
            services=["api", f"svc-{number}"],
            # Sums that no float holds: 0.1 and 0.2 dollars and a nano-dollar.
            cost_nano_usd=(0, 100_000_000, 300_000_000, 300_000_001)[number],
            total_tokens=(0, 9, 10, 11)[number],
            start_ns=T0,
            end_ns=T0 + (0, 99_999_999, 100_000_000, 100_000_001)[number],
        )
        for number, (name, end) in enumerate(ENDS.items())
    ]
    rival = session("rival", tenant="rival", end_state="error", error_count=1, services=["api"], total_tokens=99)
    insert(chdb_client(), store_config.database, "session_rollups", *rows, rival)
    with api_on(chdb_client, store_config) as client:
        yield client


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"service": "api"}, ["failed", "none", "odd", "ok"]),
        ({"service": "svc-1"}, ["failed"]),
        ({"service": "svc"}, []),
        ({"status": "OK"}, ["ok"]),
        ({"status": "ERROR"}, ["failed"]),
        ({"status": "UNSET"}, ["none", "odd"]),
        ({"has_error": "true"}, ["failed", "none"]),
        ({"has_error": "false"}, ["odd", "ok"]),
        ({"status": "UNSET", "has_error": "false"}, ["odd"]),
        ({"min_cost": "0"}, ["failed", "none", "odd", "ok"]),
        ({"min_cost": "0.1"}, ["failed", "none", "odd"]),
        ({"min_cost": "0.3"}, ["none", "odd"]),
        ({"min_cost": "0.3000000001"}, ["none"]),
        ({"min_cost": "0.300000001"}, ["none"]),
        ({"min_cost": "0.300000001000000000000000000000000000001"}, []),
        ({"min_cost": "3e-1"}, ["none", "odd"]),
        ({"min_cost": "9223372036"}, []),
        ({"min_tokens": "10"}, ["none", "odd"]),
        ({"min_tokens": str(2**63 - 1)}, []),
        ({"min_duration_ms": "100"}, ["none", "odd"]),
        ({"min_duration_ms": "99.999999"}, ["failed", "none", "odd"]),
        ({"min_duration_ms": "100.000001"}, ["none"]),
        ({"min_cost": "0.2", "min_tokens": "11", "service": "api"}, ["none"]),
    ],
)
def test_filters_hold_at_their_exact_bounds(api: httpx.Client, wanted: dict[str, str], found: list[str]) -> None:
    """At least means at least, to the nano-dollar and the nanosecond, and the total counts what is selected."""
    body = get(api, "/v1/sessions", sort_by="id", sort_order="asc", **wanted)
    assert [item["id"] for item in body["data"]] == found
    assert body["pagination"]["total"] == len(found)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("status", "ok"),
        ("has_error", "maybe"),
        ("min_cost", "-1"),
        ("min_cost", "NaN"),
        ("min_cost", "Infinity"),
        ("min_cost", "9223372037"),
        ("min_cost", "1e999999999"),
        ("min_cost", "free"),
        ("min_tokens", "-1"),
        ("min_tokens", "1.5"),
        ("min_tokens", str(2**63)),
        ("min_duration_ms", "-0.1"),
        ("min_duration_ms", "1e30"),
    ],
)
def test_a_filter_out_of_contract_is_refused_by_its_name(api: httpx.Client, parameter: str, value: str) -> None:
    """400 that names the parameter, and nothing else."""
    assert list(bad(api, "/v1/sessions", **{parameter: value})) == [parameter]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_sessions_can_be_sorted_by_their_id(api: httpx.Client, order: str) -> None:
    """A key of its own, in both directions."""
    listed = [item["id"] for item in get(api, "/v1/sessions", sort_by="id", sort_order=order)["data"]]
    assert listed == sorted(ENDS, reverse=order == "desc")
