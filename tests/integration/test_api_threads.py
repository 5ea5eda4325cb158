"""Threads over real HTTP on a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from processor.clock import now_ns
from processor.store.connection import StoreConfig
from tests.integration.asking import api_on, bad, get
from tests.integration.stored import T0, S, insert, session

ODD_IDS = ["with/slash", "with/sessions", "50%_off", "spaces and +plus", "ünïcödé 🧵", "?q#f&a=b", "x" * 5_000]
PLAIN = ["alpha", "beta", "gamma"]


def member(session_id: str, thread_id: str, **values: Any) -> dict[str, Any]:
    """A session of a thread."""
    return session(session_id, thread_id=thread_id, **values)


@pytest.fixture(scope="module")
def api(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[httpx.Client]:
    """The API on three plain threads, odd ones, sessions without a thread, and another tenant."""
    now = now_ns()
    insert(
        chdb_client(),
        store_config.database,
        "session_rollups",
        member("a1", "alpha", user_id="ada", end_ns=T0 + 9 * S, total_tokens=10, input_tokens=6, output_tokens=4)
        | {"cost_nano_usd": 3_000, "input_cost_nano_usd": 1_000, "output_cost_nano_usd": 2_000, "tags": ["y", "x"]},
        member("a2", "alpha", user_id="grace", start_ns=T0 - S, trace_count=3, error_count=2, tags=["x"]),
        member("b1", "beta", user_id="ada", end_ns=now, total_tokens=30, environment="prod"),
        member("g1", "gamma", end_ns=T0 + 5 * S, cost_nano_usd=9_000, total_tokens=30),
        *(member(f"odd {i}", odd, end_ns=T0) for i, odd in enumerate(ODD_IDS)),
        member("none", "", user_id="ada", total_tokens=999),
        member("moved", "alpha", row_count=0, total_tokens=999, user_id="nobody"),
        member("r1", "alpha", tenant="rival", user_id="secret", end_ns=now, total_tokens=999),
        member("r2", "secret", tenant="rival", user_id="secret", end_ns=now),
    )
    with api_on(chdb_client, store_config) as served:
        yield served


def ids(api: httpx.Client, **parameters: object) -> list[str]:
    """The plain threads a list request shows, in its order."""
    listed = get(api, "/v1/threads", **{"limit": 1000, **parameters})["data"]
    return [item["id"] for item in listed if item["id"] not in ODD_IDS]


def test_a_thread_is_its_sessions_together(api: httpx.Client) -> None:
    """Sums, extremes and sets over the sessions that name it; sessions that moved away are none."""
    assert get(api, "/v1/threads/alpha")["data"] == {
        "id": "alpha",
        "status": "idle",
        "session_count": 2,
        "trace_count": 4,
        "error_count": 2,
        "user_ids": ["ada", "grace"],
        "tags": ["x", "y"],
        "first_seen": "2025-11-24T15:59:59.000000Z",
        "last_seen": "2025-11-24T16:00:09.000000Z",
        "input_tokens": 6,
        "output_tokens": 4,
        "total_tokens": 10,
        "total_cost": 0.000003,
        "input_cost": 0.000001,
        "output_cost": 0.000002,
    }


def test_the_list_shows_threads_as_they_are_one_by_one(api: httpx.Client) -> None:
    """An item of the list is the thread of the detail route; sessions without a thread are in none."""
    body = get(api, "/v1/threads")
    assert body["pagination"] == {"total": len(PLAIN) + len(ODD_IDS), "limit": 50, "offset": 0}
    for item in body["data"]:
        assert get(api, f"/v1/threads/{quote(item['id'], safe='')}")["data"] == item


@pytest.mark.parametrize(
    ("key", "descending", "ascending"),
    [
        ("last_seen", ["beta", "alpha", "gamma"], ["gamma", "alpha", "beta"]),
        ("total_cost", ["gamma", "alpha", "beta"], ["beta", "alpha", "gamma"]),
        ("total_tokens", ["beta", "gamma", "alpha"], ["alpha", "beta", "gamma"]),
        ("session_count", ["alpha", "beta", "gamma"], ["beta", "gamma", "alpha"]),
    ],
)
def test_every_sort_key_sorts_both_ways(
    api: httpx.Client, key: str, descending: list[str], ascending: list[str]
) -> None:
    """Ties are broken by id in either direction; the newest come first unless something else is asked for."""
    assert ids(api, sort_by=key) == descending
    assert ids(api, sort_by=key, sort_order="asc") == ascending
    assert ids(api) == ["beta", "alpha", "gamma"]


def test_pages_of_equal_sort_keys_hold_every_thread_once(api: httpx.Client) -> None:
    """All odd threads tie."""
    seen = [
        item["id"]
        for offset in range(0, len(PLAIN) + len(ODD_IDS), 2)
        for item in get(api, "/v1/threads", sort_by="session_count", limit=2, offset=offset)["data"]
    ]
    assert sorted(seen) == sorted(PLAIN + ODD_IDS)
    behind = get(api, "/v1/threads", offset=1_000)
    assert (behind["data"], behind["pagination"]["total"]) == ([], len(seen))


def test_threads_are_filtered_by_status_user_and_search(api: httpx.Client) -> None:
    """Status and user are exact, search is part of the id in any case; all hold together and the total with them."""
    assert ids(api, status="active") == ["beta"]
    assert ids(api, status="idle") == ["alpha", "gamma"]
    assert ids(api, user_id="ada") == ["beta", "alpha"]
    assert ids(api, user_id="ad") == []
    assert ids(api, search="MM") == ["gamma"]
    assert [item["id"] for item in get(api, "/v1/threads", search="%")["data"]] == ["50%_off"]
    body = get(api, "/v1/threads", user_id="ada", status="idle")
    assert [item["id"] for item in body["data"]] == ["alpha"]
    assert body["pagination"]["total"] == 1


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("limit", 0), ("offset", -1), ("sort_by", "name"), ("sort_order", "up"), ("status", "asleep")],
)
def test_a_parameter_out_of_contract_is_refused_by_its_name(api: httpx.Client, parameter: str, value: object) -> None:
    """400 with the parameter and a reason."""
    assert list(bad(api, "/v1/threads", **{parameter: value})) == [parameter]


def test_a_threads_sessions_are_those_of_the_list(api: httpx.Client) -> None:
    """With the list's sorting, paging and filters; the thread is the path's."""
    body = get(api, "/v1/threads/alpha/sessions")
    assert body == get(api, "/v1/sessions", thread_id="alpha")
    assert [item["id"] for item in body["data"]] == ["a1", "a2"]
    page = get(api, "/v1/threads/alpha/sessions", sort_by="error_count", limit=1)
    assert ([item["id"] for item in page["data"]], page["pagination"]["total"]) == (["a2"], 2)
    assert [item["id"] for item in get(api, "/v1/threads/alpha/sessions", tag="y")["data"]] == ["a1"]
    assert get(api, "/v1/threads/alpha/sessions", environment="prod")["data"] == []
    assert get(api, "/v1/threads/alpha/sessions", thread_id="alpha") == body
    assert list(bad(api, "/v1/threads/alpha/sessions", thread_id="beta")) == ["thread_id"]
    assert list(bad(api, "/v1/threads/alpha/sessions", limit=0)) == ["limit"]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_ids_of_any_characters_and_length_can_be_read(api: httpx.Client, odd: str) -> None:
    """A percent-encoded id is one path segment, slashes included."""
    encoded = quote(odd, safe="")
    assert get(api, f"/v1/threads/{encoded}")["data"]["id"] == odd
    assert get(api, f"/v1/threads/{encoded}/sessions")["pagination"]["total"] == 1


def test_an_unknown_thread_is_not_found_and_has_no_sessions(api: httpx.Client) -> None:
    """404 for the thread, an empty list of its sessions, 400 for a path that is no text."""
    for path in ("/v1/threads/nope", "/v1/threads/"):
        response = api.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    assert get(api, "/v1/threads/nope/sessions")["data"] == []
    response = api.get("/v1/threads/%ff")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_path_params")


def test_nothing_of_another_tenant_is_ever_visible(api: httpx.Client) -> None:
    """The same thread id in another tenant adds nothing and shows nothing."""
    assert api.get("/v1/threads/secret").status_code == 404
    for path in ("/v1/threads?limit=1000", "/v1/threads/alpha", "/v1/threads/alpha/sessions", "/v1/threads?search=sec"):
        assert "secret" not in api.get(path).text
    assert ids(api, user_id="secret") == []
