"""The queries of docs/sql.md by their headings, and what they must answer on `tests.fleet`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.fleet import Fleet, S, moment, trace_id

DOC: Final = (Path(__file__).parents[1] / "docs" / "sql.md").read_text()
_QUERY: Final = re.compile(r"^### (?P<title>.+)\n(?P<text>(?:(?!^#|^```).*\n)+)```sql\n(?P<sql>[^`]+)```", re.MULTILINE)

Rows = Sequence[tuple[Any, ...]]


def queries() -> dict[str, str]:
    """SQL by heading, as it stands in the document; each heading has one and says something before it."""
    section = DOC.partition("\n## Queries\n")[2]
    found = {match["title"]: match["sql"].strip() for match in _QUERY.finditer(section)}
    assert list(found) == re.findall(r"^### (.+)$", section, re.MULTILINE)
    assert DOC.count("```sql") == len(found)
    return found


def answers(fleet: Fleet) -> dict[str, Rows]:
    """The rows that each query must give, in order, added up by hand from the table of `tests.fleet`."""
    usd = Decimal
    lisbon, refund, nightly, old, now = fleet.at(2, 10), fleet.at(1, 9), fleet.at(3, 2), fleet.at(10, 8), fleet.just_now
    return {
        "Cost per user and day": [
            (day(old), "ada", 1, 11_000, usd(1)),
            (day(lisbon), "ada", 1, 3_300, usd("0.013")),
            (day(refund), "grace", 1, 850, usd("0.002")),
            (day(now), "bob", 1, 110, usd("0.0005")),
        ],
        "The most expensive sessions of the week": [
            ("trip-lisbon", "invoke_agent travel-bot", "ada", usd("0.013"), 3_300, 81.0, 0.0096),
            ("refund-1042", "invoke_agent support-bot", "grace", usd("0.002"), 850, 12.0, 0.01),
            ("chat-now", "invoke_agent support-bot", "bob", usd("0.0005"), 110, 5.0, 0.006),
        ],
        "Duration by environment": [("production", 4, 60.0, 81.0, 60.0), ("staging", 1, 600.0, 600.0, 600.0)],
        "Sessions with errors, and how they ended": [
            ("refund-1042", "grace", 1, "error", "refund denied", time(refund + 12 * S)),
            ("trip-lisbon", "ada", 1, "success", "", time(lisbon + 81 * S)),
        ],
        "Cost by model and day": [
            (day(old), "gpt-5", "openai", 1, 11_000, usd(1)),
            (day(nightly), "acme-large-7", "acme", 1, 5_500, usd(0)),
            (day(lisbon), "claude-sonnet-4-5", "anthropic", 1, 2_200, usd("0.009")),
            (day(lisbon), "gpt-5", "openai", 1, 1_100, usd("0.004")),
            (day(refund), "gpt-5", "openai", 1, 850, usd("0.002")),
            (day(now), "gpt-5", "openai", 1, 110, usd("0.0005")),
        ],
        "Models without a price": [("acme-large-7", "acme", 1, 5_500, time(nightly + 600 * S), 1)],
        "How much of the input came from the cache": [
            ("acme-large-7", 5_000, 0, 0.0),
            ("claude-sonnet-4-5", 2_000, 0, 0.0),
            ("gpt-5", 1_900, 1_000, 0.526),
        ],
        "Active threads": [("t-now", ["bob"], 1, time(now + 5 * S), usd("0.0005"))],
        "Tools that fail": [
            ("execute_tool book", 1, 1, 1.0, 3_000.0, "seat taken"),
            ("execute_tool refund", 1, 1, 1.0, 1_000.0, "card expired"),
            ("execute_tool search_flights", 1, 0, 0.0, 1_000.0, ""),
        ],
        "Time to the first token": [
            ("gpt-5", 4, 750.0, 2_000.0),
            ("claude-sonnet-4-5", 1, 1_000.0, 1_000.0),
        ],
        "Users, and what a session of theirs costs": [
            ("ada", 2, 1, usd("1.013"), usd("0.5065"), time(lisbon + 81 * S)),
            ("grace", 1, 1, usd("0.002"), usd("0.002"), time(refund + 12 * S)),
            ("bob", 1, 0, usd("0.0005"), usd("0.0005"), time(now + 5 * S)),
        ],
        "Cost by tag": [("beta", 1, usd("0.013")), ("travel", 1, usd("0.013"))],
        "Cost by a key of your own": [("acme", 2, usd("0.0025"))],
        "From a session to its slow spans": [
            (trace_id(2), "chat claude-sonnet-4-5", "travel-bot", 4_000.0, "Ok", "claude-sonnet-4-5"),
            (trace_id(2), "execute_tool book", "travel-bot", 3_000.0, "Error", ""),
            (trace_id(1), "chat gpt-5", "travel-bot", 2_000.0, "Ok", "gpt-5"),
        ],
        "The log records of a session": [
            (time(lisbon + 2 * S), "INFO", "travel-bot", "GET http://flights"),
            (time(lisbon + 70 * S), "WARN", "travel-bot", "seat map is old"),
        ],
        "Failing sessions by hour": [(time(fleet.at(1, hour)), int(hour == 9), int(hour == 9)) for hour in range(24)],
        "Spans that no session claims": [("cron", 1, time(fleet.at(1, 11)), "clean up")],
    }


def time(ns: int) -> datetime:
    """As the driver gives a time in UTC."""
    return moment(ns).replace(tzinfo=None)


def day(ns: int) -> date:
    """The day of a time, in UTC."""
    return moment(ns).date()
