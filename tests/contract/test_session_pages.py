"""Pages of sessions while the table holds older versions of rows, on every store there is."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from typing import Any, Final

import pytest

from processor.store import session_pages
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.store.queries import SORT_COLUMNS, SessionFilter, SessionQueries
from processor.store.session_sql import SortOrder
from tests.integration.stored import S, insert, session

pytestmark = pytest.mark.every_store

SESSIONS: Final = 240
ROUNDS: Final = 8  # parts that each hold another version of some sessions
NAMES: Final = ("", "Ünïcode 100%", "under_score", "Back\\slash", "plain", "plain again", "Zebra", "ßharp")

PLACES: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "id": lambda row: row["session_id"].encode(),
    "name": lambda row: row["name"].encode(),
    "start": lambda row: row["start_ns"],
    "end": lambda row: row["end_ns"],
    "trace_count": lambda row: row["trace_count"],
    "total_cost": lambda row: row["cost_nano_usd"],
    "total_tokens": lambda row: row["total_tokens"],
    "latency_ms": lambda row: row["end_ns"] - row["start_ns"],
    "user_id": lambda row: row["user_id"].encode(),
    "error_count": lambda row: row["error_count"],
    "active_ms": lambda row: row["active_ns"],
    "span_count": lambda row: row["span_count"],
    "last_seen": lambda row: row["end_ns"],
}
FILTERS: Final[tuple[tuple[SessionFilter, Callable[[dict[str, Any]], bool]], ...]] = (
    (SessionFilter(), lambda row: True),
    (SessionFilter(user_id="u1"), lambda row: bool(row["user_id"] == "u1")),
    (SessionFilter(search="N AGAIN"), lambda row: "n again" in row["name"]),
    (SessionFilter(search="S-01"), lambda row: "s-01" in row["session_id"]),
    (SessionFilter(search="%"), lambda row: "%" in row["name"]),
    (SessionFilter(search="ÜNÏ"), lambda row: "Ünï" in row["name"]),
    (SessionFilter(name="s-0"), lambda row: False),  # stands in ids only
    (SessionFilter(name="_score"), lambda row: "_score" in row["name"]),
    (SessionFilter(name="k\\s"), lambda row: "k\\s" in row["name"]),
    (SessionFilter(has_error=True, min_tokens=2), lambda row: row["error_count"] > 0 and row["total_tokens"] >= 2),
    (SessionFilter(start_ns=50 * S), lambda row: row["end_ns"] >= 50 * S),
    (SessionFilter(tag="t2", environment="prod"), lambda row: "t2" in row["tags"] and row["environment"] == "prod"),
    (SessionFilter(min_duration_ns=7 * S), lambda row: row["end_ns"] - row["start_ns"] >= 7 * S),
    (SessionFilter(user_id="nobody"), lambda row: False),
)


@pytest.fixture(scope="module")
def newest(store: ClickHouseStore, client: Any, store_config: StoreConfig) -> list[dict[str, Any]]:
    """Sessions that changed often, in parts that are never merged, and with many ties; those that live, newest rows."""
    client.command(f"SYSTEM STOP MERGES {store_config.database}.session_rollups")
    chance = random.Random(5)
    found: dict[str, dict[str, Any]] = {}
    for version in range(1, ROUNDS + 1):
        numbers = range(SESSIONS) if version == 1 else chance.sample(range(SESSIONS), SESSIONS // 3)
        changed = [_session(chance, number, version) for number in numbers]
        insert(client, store_config.database, "session_rollups", *changed)
        found |= {row["session_id"]: row for row in changed}
    late = [row | {"version": 0, "cost_nano_usd": 10**9, "name": "late"} for row in list(found.values())[:20]]
    insert(client, store_config.database, "session_rollups", *late)
    insert(client, store_config.database, "session_rollups", session("s-000", tenant="rival", name="plain again"))
    return [row for row in found.values() if row["row_count"]]


def _session(chance: random.Random, number: int, version: int) -> dict[str, Any]:
    start_ns = chance.randrange(100) * S
    return session(
        f"s-{number:03}",
        tenant="pages",
        version=version,
        row_count=int(chance.random() > 0.1),
        name=chance.choice(NAMES),
        user_id=chance.choice(("", "u1", "u2", "ü3")),
        environment=chance.choice(("prod", "test")),
        tags=sorted({chance.choice(("t1", "t2")), "t3"}),
        start_ns=start_ns,
        end_ns=start_ns + chance.randrange(10) * S,
    ) | {
        name: chance.randrange(4)
        for name in ("trace_count", "cost_nano_usd", "total_tokens", "error_count", "active_ns", "span_count")
    }


def _truth(rows: list[dict[str, Any]], keep: Callable[[dict[str, Any]], bool], key: str, order: SortOrder) -> list[str]:
    by_id = sorted((row for row in rows if keep(row)), key=PLACES["id"])
    return [row["session_id"] for row in sorted(by_id, key=PLACES[key], reverse=order == "desc")]


PAGES: Final = ((10, 0), (3, 40), (SESSIONS, 0), (5, 10_000))
WAYS: Final = (session_pages.CANDIDATES_MAX, 130)  # with 130, the larger pages are read from all newest rows


@pytest.mark.parametrize("key", SORT_COLUMNS)
def test_every_order_is_that_of_the_newest_rows(
    key: str, newest: list[dict[str, Any]], client: Any, store_config: StoreConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up and down, near the top and far down, with ties, and whatever way a page is made."""
    queries = SessionQueries(client, store_config.database)
    for order, candidates_max in (("asc", WAYS[0]), ("desc", WAYS[0]), ("desc", WAYS[1])):
        monkeypatch.setattr(session_pages, "CANDIDATES_MAX", candidates_max)
        _check(queries, newest, FILTERS[0], key, order)


@pytest.mark.parametrize("number", range(len(FILTERS)))
def test_every_filter_selects_by_the_newest_rows(
    number: int, newest: list[dict[str, Any]], client: Any, store_config: StoreConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older version of a row says selects nothing."""
    queries = SessionQueries(client, store_config.database)
    wanted, keep = FILTERS[number]
    for candidates_max in WAYS:
        monkeypatch.setattr(session_pages, "CANDIDATES_MAX", candidates_max)
        _check(queries, newest, (wanted, keep), "total_cost", "desc")
    for rows_max in (session_pages.BY_INDEX_MAX, 0):  # by the indexes, and without
        monkeypatch.setattr(session_pages, "BY_INDEX_MAX", rows_max)
        assert queries.count_sessions("pages", wanted) == sum(map(keep, newest))


def _check(
    queries: SessionQueries,
    rows: list[dict[str, Any]],
    selection: tuple[SessionFilter, Callable[[dict[str, Any]], bool]],
    key: str,
    order: SortOrder,
) -> None:
    wanted, keep = selection
    expected = _truth(rows, keep, key, order)
    for limit, offset in PAGES:
        page, total = queries.list_sessions("pages", wanted, sort_by=key, sort_order=order, limit=limit, offset=offset)
        assert [row["session_id"] for row in page] == expected[offset : offset + limit], (wanted, limit, offset)
        assert total in (None, len(expected))


def test_the_first_pages_of_the_common_orders_are_read_from_projections(
    newest: list[dict[str, Any]], client: Any, store_config: StoreConfig
) -> None:
    """Their time does not grow with the store: a reader takes the first rows and stops."""
    orders: tuple[SortOrder, ...] = ("asc", "desc")
    projections = {
        "name": "by_name",
        "user_id": "by_user",
        "start": "by_start",
        "last_seen": "by_end",
        "trace_count": "by_traces",
        "error_count": "by_errors",
    }
    for (key, projection), order in product(projections.items(), orders):
        statement = session_pages.candidates(store_config.database, "pages", SessionFilter(), key, order, 200)
        plan = client.query(f"EXPLAIN {statement.sql}", parameters=statement.parameters)
        assert f"ReadFromMergeTree ({projection})" in "\n".join(row[0] for row in plan.result_rows)


def test_parts_of_ids_and_names_are_found_by_the_index(
    newest: list[dict[str, Any]], client: Any, store_config: StoreConfig
) -> None:
    """A search does not read all names."""
    statement = session_pages.candidates(
        store_config.database, "pages", SessionFilter(search="Again"), "name", "asc", 9
    )
    plan = client.query(f"EXPLAIN indexes = 1 {statement.sql}", parameters=statement.parameters)
    assert any("idx_search" in row[0] for row in plan.result_rows)


def test_old_versions_at_the_first_place_do_not_have_all_rows_merged(
    newest: list[dict[str, Any]], client: Any, store_config: StoreConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More old rows than are ever looked through stand where the list begins; its sessions come after them, by id."""
    database, tenant = store_config.database, "grown"
    grown = [f"a-{number:04}" for number in range(session_pages.CANDIDATES_MAX + 1)]
    for version, count in ((1, 1), (2, 5)):
        rows = [session(name, tenant=tenant, version=version, row_count=1, trace_count=count) for name in grown]
        insert(client, database, "session_rollups", *rows)
    small = [f"b-{number}" for number in range(5)]
    insert(client, database, "session_rollups", *(session(name, tenant=tenant, trace_count=1) for name in small))
    monkeypatch.delattr(session_pages, "page_of_ids")  # what merges all rows
    page, _ = SessionQueries(client, database).list_sessions(
        tenant, SessionFilter(), sort_by="trace_count", sort_order="asc", limit=5
    )
    assert [row["session_id"] for row in page] == small
