"""Every query of the Grafana dashboard, as Grafana would send it, on every store there is.

Shapes: a time series has its time first, in order, then at most one text that names the series, then numbers; a table
has the columns that the panel's overrides name.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from tests.fleet import DAY, Fleet, S, moment
from tests.grafana import ALL, PANELS, TIME_SERIES, VARIABLES, Range, expanded

pytestmark = pytest.mark.every_store

BY_TITLE = {panel["title"]: panel for panel in PANELS}
SERIES = [title for title, panel in BY_TITLE.items() if panel["targets"][0]["format"] == TIME_SERIES]
TABLES = [title for title in BY_TITLE if title not in SERIES]
NUMBERS = ("UInt", "Int", "Float", "Decimal")
USD = Decimal


@pytest.fixture(scope="module")
def fleet(store: ClickHouseStore) -> Fleet:
    """What is in the store."""
    played = Fleet(time.time_ns())
    played.play(store)
    return played


class Dashboard:
    """The dashboard, opened on the last seven days and an hour to come."""

    def __init__(self, client: Any, database: str, now_ns: int) -> None:
        self._client = client
        self._chosen: dict[str, str | list[str]] = {
            variable["name"]: [ALL] if variable.get("includeAll") else database for variable in VARIABLES
        }
        self._range = Range((now_ns - 7 * DAY) // S, now_ns // S + 3600, 3600)

    def result(self, sql: str, chosen: Mapping[str, list[str]] | None = None) -> Any:
        """What a query gives with some variables chosen, the others All."""
        return self._client.query(expanded(sql, {**self._chosen, **(chosen or {})}, self._range))

    def rows(self, title: str, chosen: Mapping[str, list[str]] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a panel."""
        result = self.result(BY_TITLE[title]["targets"][0]["rawSql"], chosen)
        return [tuple(row) for row in result.result_rows]


@pytest.fixture(scope="module")
def dashboard(fleet: Fleet, client: Any, store_config: StoreConfig) -> Dashboard:
    """With everything chosen."""
    return Dashboard(client, store_config.database, fleet.now_ns)


@pytest.mark.parametrize("title", SERIES)
def test_a_time_series_has_the_shape_that_grafana_plots(title: str, dashboard: Dashboard) -> None:
    """Rows in the order of time; each time and series once."""
    result = dashboard.result(BY_TITLE[title]["targets"][0]["rawSql"])
    (name, *others), (kind, *kinds) = result.column_names, [kind.name for kind in result.column_types]
    assert name == "time"
    assert kind.startswith("DateTime")
    texts = [other for other, kind in zip(others, kinds, strict=True) if "String" in kind]
    assert texts == others[: len(texts)]
    assert len(texts) <= 1
    assert all(any(number in kind for number in NUMBERS) for kind in kinds[len(texts) :])
    assert result.result_rows
    times = [row[0] for row in result.result_rows]
    assert times == sorted(times)
    keys = [tuple(row[: 1 + len(texts)]) for row in result.result_rows]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("title", BY_TITLE)
def test_overrides_name_columns_that_are_there(title: str, dashboard: Dashboard) -> None:
    """A name that fits nothing would silently format nothing."""
    panel = BY_TITLE[title]
    columns = dashboard.result(panel["targets"][0]["rawSql"]).column_names
    named = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
    assert set(named) <= set(columns)
    assert panel["type"] != "table" or named == list(columns)


def tables(fleet: Fleet) -> dict[str, list[tuple[Any, ...]]]:
    """What stats and tables show of the last seven days; see the table of `tests.fleet`."""
    at = {day: fleet.at(day, hour) for day, hour in ((1, 9), (2, 10), (3, 2))}
    return {
        "Sessions": [(4,)],
        "Cost": [(USD("0.0155"),)],
        "Tokens": [(9_760,)],
        "Sessions with errors": [(0.5,)],
        "Unpriced calls": [(1,)],
        "Cached input": [(1_000 / 8_900,)],
        "Models": [
            ("claude-sonnet-4-5", 1, 2_200, USD("0.009")),
            ("gpt-5", 3, 2_060, USD("0.0065")),
            ("acme-large-7", 1, 5_500, USD(0)),
        ],
        "Users": [
            ("ada", 1, 3_300, USD("0.013")),
            ("grace", 1, 850, USD("0.002")),
            ("bob", 1, 110, USD("0.0005")),
        ],
        "Services": [
            ("travel-bot", 2, 3_300, USD("0.013")),
            ("support-bot", 2, 960, USD("0.0025")),
            ("report-bot", 1, 5_500, USD(0)),
        ],
        "Models without a price": [("acme-large-7", "acme", 1, 5_500, utc(at[3] + 600 * S))],
        "Tools that fail": [("execute_tool book", 1, 1, 1.0), ("execute_tool refund", 1, 1, 1.0)],
        "Threads": [
            ("t-now", "active", 1, USD("0.0005"), utc(fleet.just_now + 5 * S)),
            ("t-refunds", "idle", 1, USD("0.002"), utc(at[1] + 12 * S)),
        ],
        "Recent sessions": [
            session("chat-now", "support-bot", "bob", "gpt-5", fleet.just_now, 5, 1, 110, "0.0005", 0, "success"),
            session("refund-1042", "support-bot", "grace", "gpt-5", at[1], 12, 1, 850, "0.002", 1, "error"),
            session(
                "trip-lisbon",
                "travel-bot",
                "ada",
                "claude-sonnet-4-5, gpt-5",
                at[2],
                81,
                2,
                3_300,
                "0.013",
                1,
                "success",
            ),
            session("nightly-report", "report-bot", "", "acme-large-7", at[3], 600, 1, 5_500, "0", 0, "success"),
        ],
    }


def session(
    name: str,
    service: str,
    user: str,
    models: str,
    start: int,
    seconds: int,
    traces: int,
    tokens: int,
    usd: str,
    *rest: Any,
) -> tuple[Any, ...]:
    """A row of the table of sessions."""
    environment = "production" if user else "staging"
    times = (utc(start), 1000.0 * seconds)
    return (name, f"invoke_agent {service}", user, environment, models, *times, traces, tokens, USD(usd), *rest)


def utc(ns: int) -> datetime:
    """As the driver gives a time in UTC."""
    return moment(ns).replace(tzinfo=None)


@pytest.mark.parametrize("title", TABLES)
def test_a_stat_or_table_shows_what_is_true(title: str, dashboard: Dashboard, fleet: Fleet) -> None:
    """Of the sessions that began in the range, and in the table of those that overlap it."""
    assert dashboard.rows(title) == tables(fleet)[title]


def test_series_add_up_to_the_stats(dashboard: Dashboard, fleet: Fleet) -> None:
    """Nothing is lost between buckets."""
    begun = dashboard.rows("Sessions over time")
    assert (sum(row[1] for row in begun), sum(row[2] for row in begun)) == (4, 2)
    assert sum(row[2] for row in dashboard.rows("Cost by model")) == USD("0.0155")
    assert {row[1] for row in dashboard.rows("Cost by model")} == {"acme-large-7", "claude-sonnet-4-5", "gpt-5"}
    used = dashboard.rows("Tokens over time")
    assert [sum(row[part] for row in used) for part in (1, 2, 3)] == [7_900, 1_000, 860]
    assert [row[1:] for row in dashboard.rows("Errors by service")] == [("travel-bot", 1), ("support-bot", 1)]
    at = [hour(start) for start in (fleet.at(3, 2), fleet.at(2, 10), fleet.at(1, 9), fleet.just_now)]
    lasted = [600_000.0, 81_000.0, 12_000.0, 5_000.0]
    assert dashboard.rows("Duration of sessions") == [(*pair, pair[1]) for pair in zip(at, lasted, strict=True)]
    waited = [750.0, 750.0, 250.0]
    assert dashboard.rows("Time to the first token") == [(*pair, pair[1]) for pair in zip(at[1:], waited, strict=True)]


def hour(ns: int) -> datetime:
    """The bucket of a time."""
    return utc(ns - ns % (3600 * S))


@pytest.mark.parametrize(
    ("chosen", "sessions", "usd"),
    [
        ({"tenant": ["default"]}, 4, "0.0155"),
        ({"tenant": ["rival"]}, 0, "0"),
        ({"environment": ["staging"]}, 1, "0"),
        ({"environment": ["staging", "production"], "user": ["ada", "bob"]}, 2, "0.0135"),
        ({"user": ["(none)"]}, 1, "0"),
        ({"model": ["gpt-5"]}, 3, "0.0155"),
        ({"model": ["acme-large-7", "claude-sonnet-4-5"], "tenant": ["default", "rival"]}, 2, "0.013"),
        ({"user": ["o'hara), (1=1"]}, 0, "0"),
    ],
)
def test_variables_choose_sessions(chosen: dict[str, list[str]], sessions: int, usd: str, dashboard: Dashboard) -> None:
    """Several values of one are alternatives; every panel understands them, whatever characters they have."""
    assert dashboard.rows("Sessions", chosen) == [(sessions,)]
    assert dashboard.rows("Cost", chosen) == [(USD(usd),)]
    assert len(dashboard.rows("Recent sessions", chosen)) == sessions
    for title in BY_TITLE:
        rows = dashboard.rows(title, chosen)
        assert not rows or sessions or title in TABLES, title
    models = dashboard.rows("Cost by model", chosen)
    assert {row[1] for row in models} <= set(chosen.get("model", [row[1] for row in models]))


def test_variables_offer_what_is_there(dashboard: Dashboard, store_config: StoreConfig) -> None:
    """Of the sessions that began in the range, the last seen user first."""
    offered = {
        variable["name"]: [row[0] for row in dashboard.result(variable["query"]["rawSql"]).result_rows]
        for variable in VARIABLES
        if variable["type"] == "query"
    }
    assert store_config.database in offered.pop("database")
    assert offered == {
        "tenant": ["default"],
        "environment": ["production", "staging"],
        "model": ["acme-large-7", "claude-sonnet-4-5", "gpt-5"],
        "user": ["bob", "grace", "ada", "(none)"],
    }
