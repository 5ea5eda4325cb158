"""Statistics, users and capabilities over real HTTP on a real store, against sums made in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from processor.store.connection import StoreConfig
from tests.integration.asking import api_on, bad, get
from tests.integration.stored import T0, S, insert, session

DAY = 86_400 * S
MIDNIGHT = 1_763_942_400 * S  # 2025-11-24, a Monday
SESSIONS: list[dict[str, Any]] = [
    session(
        f"s{i:03}",
        user_id=["ada", "grace", ""][i % 3],
        start_ns=MIDNIGHT + (i // 50) * 3 * DAY + i * S,
        end_ns=MIDNIGHT + (i // 50) * 3 * DAY + i * S + (i + 1) * S,
        trace_count=2,
        span_count=10,
        error_count=i % 4,
        llm_call_count=3,
        tool_call_count=1,
        input_tokens=i,
        output_tokens=2 * i,
        total_tokens=3 * i,
        cost_nano_usd=100_000_001 * i,
        input_cost_nano_usd=100_000_000 * i,
        output_cost_nano_usd=i,
        unpriced_span_count=i % 2,
        models=["gpt-5", "small"] if i % 2 else ["gpt-5"],
        services=["bot"],
        environment=["prod", ""][i % 2],
        tags=[f"t{i % 7}"],
    )
    for i in range(100)
]
NO_QUANTILES = {"p50": 0.0, "p95": 0.0, "p99": 0.0}


@pytest.fixture(scope="module")
def api(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[httpx.Client]:
    """The API on a hundred sessions, in two rows each, one that moved away, one called stats, and another tenant's."""
    client, database = chdb_client(), store_config.database
    insert(client, database, "session_rollups", *({**row, "version": 2} for row in SESSIONS))
    older = ({**row, "version": 1, "total_tokens": 10**12, "cost_nano_usd": 10**15} for row in SESSIONS)
    insert(client, database, "session_rollups", *older)
    insert(client, database, "session_rollups", session("gone", row_count=0, user_id="ghost", cost_nano_usd=10**15))
    past = {"start_ns": T0 - 900 * DAY, "end_ns": T0 - 900 * DAY}
    insert(client, database, "session_rollups", session("stats", name="ours", **past))
    insert(client, database, "session_rollups", session("r", tenant="rival", user_id="rival", cost_nano_usd=10**15))
    with api_on(chdb_client, store_config) as opened:
        yield opened


def stats(api: httpx.Client, **parameters: object) -> Any:
    """Statistics of the hundred, unless asked otherwise."""
    return get(api, "/v1/sessions/stats", **{"start_date": "2025-11-24", **parameters})["data"]


def total(column: str, rows: list[dict[str, Any]] = SESSIONS) -> int:
    """What the sessions add up to."""
    return sum(row[column] for row in rows)


def exactly(values: list[float], share: float) -> float:
    """A quantile as the share of values that lie below it."""
    return sorted(values)[int(share * (len(values) - 1))]


def test_sums_are_those_of_the_newest_rows(api: httpx.Client) -> None:
    """Older versions, sessions that moved away and other tenants add nothing; money adds up exactly."""
    found = stats(api)
    assert found["session_count"] == 100
    assert found["user_count"] == 2
    assert found["error_session_count"] == 75
    for column in ("trace_count", "span_count", "error_count", "llm_call_count", "tool_call_count"):
        assert found[column] == total(column)
    for column in ("input_tokens", "output_tokens", "total_tokens", "unpriced_span_count"):
        assert found[column] == total(column)
    for field, column in (("total_cost", "cost"), ("input_cost", "input_cost"), ("output_cost", "output_cost")):
        assert found[field] == total(f"{column}_nano_usd") / 1e9
    assert (found["start"], found["end"]) == ("2025-11-24T00:00:00.000000Z", "2025-11-27T00:03:19.000000Z")


@pytest.mark.parametrize("name", ["latency_ms", "cost", "tokens"])
def test_quantiles_are_within_a_percent(api: httpx.Client, name: str) -> None:
    """The sketch promises a relative error."""
    values = {
        "latency_ms": [(row["end_ns"] - row["start_ns"]) / 1e6 for row in SESSIONS],
        "cost": [row["cost_nano_usd"] / 1e9 for row in SESSIONS],
        "tokens": [float(row["total_tokens"]) for row in SESSIONS],
    }[name]
    found = stats(api)[name]
    for key, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert found[key] == pytest.approx(exactly(values, share), rel=0.0101)


def test_the_series_has_every_interval_and_adds_up_to_the_whole(api: httpx.Client) -> None:
    """Intervals in which no session started are there with zeros; a session stands where it started."""
    found = stats(api, interval="day")
    assert found["interval"] == "day"
    series = found["series"]
    assert [point["start"] for point in series] == [f"2025-11-{day}T00:00:00.000000Z" for day in (24, 25, 26, 27)]
    assert [point["session_count"] for point in series] == [50, 0, 0, 50]
    nothing = dict.fromkeys(series[1].keys() - {"start"}, 0)
    assert {name: value for name, value in series[1].items() if name != "start"} == nothing
    for name in ("session_count", "error_session_count", "total_tokens", "error_count"):
        assert sum(point[name] for point in series) == found[name]
    assert sum(point["total_cost"] for point in series) == pytest.approx(found["total_cost"], abs=1e-9)
    assert series[0]["latency_ms_p50"] == pytest.approx(25_000, rel=0.03)


@pytest.mark.parametrize(
    ("interval", "first", "count"),
    [
        ("minute", "2025-11-24T00:00:00.000000Z", None),
        ("hour", "2025-11-24T00:00:00.000000Z", 73),
        ("week", "2025-11-24T00:00:00.000000Z", 1),
        ("month", "2025-11-01T00:00:00.000000Z", 1),
    ],
)
def test_intervals_begin_where_the_calendar_says(
    api: httpx.Client, interval: str, first: str, count: int | None
) -> None:
    """In UTC, weeks on Mondays; more than a thousand are refused by name."""
    if count is None:
        assert list(bad(api, "/v1/sessions/stats", start_date="2025-11-24", interval=interval)) == ["interval"]
        return
    series = stats(api, interval=interval)["series"]
    assert (series[0]["start"], len(series)) == (first, count)
    assert sum(point["session_count"] for point in series) == 100


def test_months_of_different_lengths_follow_each_other(api: httpx.Client) -> None:
    """From the old session to the new ones, every month is there once."""
    starts = [point["start"][:10] for point in get(api, "/v1/sessions/stats", interval="month")["data"]["series"]]
    assert (starts[0], starts[-1]) == ("2023-06-01", "2025-11-01")
    assert len(starts) == len(set(starts)) == 30
    assert all(start.endswith("-01") for start in starts)


@pytest.mark.parametrize(
    ("end_date", "interval"),
    [("2025-11-24T00:00:30Z", "minute"), ("2025-11-28", "hour"), (None, "month")],
)
def test_the_default_interval_fits_the_sessions(api: httpx.Client, end_date: str | None, interval: str) -> None:
    """Short ranges show minutes, years show months."""
    parameters = {"start_date": "2025-11-24", "end_date": end_date} if end_date else {}
    assert get(api, "/v1/sessions/stats", **parameters)["data"]["interval"] == interval


def test_tops_count_a_session_under_each_of_its_labels(api: httpx.Client) -> None:
    """The most expensive first; what no session is labelled with is in no list."""
    found = stats(api, top=3)
    odd = [row for i, row in enumerate(SESSIONS) if i % 2]
    assert [top["name"] for top in found["top_models"]] == ["gpt-5", "small"]
    assert found["top_models"][1] == {
        "name": "small",
        "session_count": 50,
        "total_cost": total("cost_nano_usd", odd) / 1e9,
        "total_tokens": total("total_tokens", odd),
    }
    assert [(top["name"], top["session_count"]) for top in found["top_services"]] == [("bot", 100)]
    assert [(top["name"], top["session_count"]) for top in found["top_environments"]] == [("prod", 50)]
    assert [(top["name"], top["session_count"]) for top in found["top_users"]] == [("ada", 34), ("grace", 33)]
    costs = {f"t{tag}": total("cost_nano_usd", SESSIONS[tag::7]) for tag in range(7)}
    assert [top["name"] for top in found["top_tags"]] == sorted(costs, key=lambda tag: -costs[tag])[:3]


def test_filters_hold_for_statistics_as_for_lists(api: httpx.Client) -> None:
    """What the list shows is what statistics are made of."""
    wanted = {"user_id": "ada", "has_error": "true", "min_tokens": "30", "tag": "t3", "start_date": "2025-11-24"}
    listed = get(api, "/v1/sessions", limit=1000, **wanted)
    found = stats(api, **wanted)
    assert 0 < found["session_count"] == listed["pagination"]["total"] < 100
    assert found["total_tokens"] == sum(item["total_tokens"] for item in listed["data"])
    assert found["top_tags"][0]["name"] == "t3"


def test_of_no_sessions_everything_is_nothing(api: httpx.Client) -> None:
    """Zeros, no times, no series, not an error."""
    found = stats(api, search="no such session")
    assert (found["session_count"], found["total_cost"], found["user_count"]) == (0, 0.0, 0)
    assert (found["start"], found["end"], found["series"], found["top_models"]) == (None, None, [], [])
    assert found["latency_ms"] == found["cost"] == found["tokens"] == NO_QUANTILES


@pytest.mark.parametrize(
    ("parameter", "value"), [("interval", "year"), ("top", 0), ("top", 101), ("min_cost", "x"), ("metadata.", "v")]
)
def test_what_statistics_can_not_be_asked_is_refused(api: httpx.Client, parameter: str, value: object) -> None:
    """400 that names the parameter."""
    assert list(bad(api, "/v1/sessions/stats", **{parameter: value})) == [parameter]


def test_a_session_called_stats_is_reachable_with_a_letter_encoded(api: httpx.Client) -> None:
    """Routes are chosen by the path as it was sent."""
    response = api.get(httpx.URL(str(api.base_url)).copy_with(raw_path=b"/v1/sessions/%73tats"))
    assert response.json()["data"]["name"] == "ours"


def test_users_have_the_sums_of_their_sessions(api: httpx.Client) -> None:
    """One row a user, money exact, none for sessions without one."""
    body = get(api, "/v1/users", sort_by="id", sort_order="asc")
    assert body["pagination"] == {"total": 2, "limit": 50, "offset": 0}
    ada, grace = body["data"]
    rows = [row for row in SESSIONS if row["user_id"] == "ada"]
    assert ada == {
        "id": "ada",
        "session_count": 34,
        "error_session_count": sum(row["error_count"] > 0 for row in rows),
        **{name: total(name, rows) for name in ("trace_count", "span_count", "error_count")},
        **{name: total(name, rows) for name in ("input_tokens", "output_tokens", "total_tokens")},
        "total_cost": total("cost_nano_usd", rows) / 1e9,
        "first_seen": "2025-11-24T00:00:00.000000Z",
        "last_seen": "2025-11-27T00:03:19.000000Z",
    }
    assert grace["id"] == "grace"


@pytest.mark.parametrize("key", ["session_count", "trace_count", "error_count", "total_tokens", "total_cost"])
def test_users_are_sorted_both_ways(api: httpx.Client, key: str) -> None:
    """By each key, ties by id."""
    up = get(api, "/v1/users", sort_by=key, sort_order="asc")["data"]
    assert [user["id"] for user in up] == [user["id"] for user in sorted(up, key=lambda user: (user[key], user["id"]))]
    down = get(api, "/v1/users", sort_by=key, sort_order="desc")["data"]
    assert [user["id"] for user in down] == [
        user["id"] for user in sorted(down, key=lambda user: (-user[key], user["id"]))
    ]


def test_users_are_searched_ranged_and_paged(api: httpx.Client) -> None:
    """Part of the id in any case; sessions that overlap; a page beyond the end still knows the total."""
    assert [user["id"] for user in get(api, "/v1/users", search="RAC")["data"]] == ["grace"]
    assert get(api, "/v1/users", search="rival")["data"] == []
    assert get(api, "/v1/users", end_date="2025-11-24")["data"][0]["session_count"] < 34
    assert get(api, "/v1/users", offset=7) == {"data": [], "pagination": {"total": 2, "limit": 50, "offset": 7}}
    first, second = (get(api, "/v1/users", limit=1, offset=offset)["data"] for offset in (0, 1))
    assert {first[0]["id"], second[0]["id"]} == {"ada", "grace"}
    assert list(bad(api, "/v1/users", sort_by="name")) == ["sort_by"]


def test_capabilities_say_what_the_api_takes(api: httpx.Client) -> None:
    """Every sort key that is told works, and a limit that is told is the limit."""
    told = get(api, "/v1/capabilities")["data"]
    for listed, keys in told["sort_by"].items():
        for key in keys:
            get(api, f"/v1/{listed}", sort_by=key, limit=told["limits"]["limit"])
    assert list(bad(api, "/v1/sessions", limit=told["limits"]["limit"] + 1)) == ["limit"]
    for interval in set(told["intervals"]) - {"minute"}:
        stats(api, interval=interval, top=told["limits"]["top"])
    assert told["version"]
    assert {"sessions", "stats", "users", "logs", "spans"} <= set(told["features"])
