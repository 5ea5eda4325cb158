"""Dashboards and explorers made for the Collector's ClickHouse exporter work on our tables: their queries, by answer.

The queries are data with their sources, `tests/data/exporter_queries.yaml`. They know no `FINAL`: parts are merged
first, as the engine does by itself in time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from tests.fleet import DAY, MINUTE, Fleet, S, moment, trace_id
from tests.integration.stored import insert, narrow_span, wide_span

pytestmark = pytest.mark.every_store

DATA: Final = yaml.safe_load((Path(__file__).parents[1] / "data" / "exporter_queries.yaml").read_text())
QUERIES: Final[dict[str, str]] = {query["name"]: query["sql"] for query in DATA["queries"]}

COLUMNS: Final = {
    "otel_traces": {
        "Timestamp": "DateTime64(9)",
        **dict.fromkeys(("TraceId", "SpanId", "ParentSpanId", "TraceState", "ScopeName", "ScopeVersion"), "String"),
        **dict.fromkeys(("SpanName", "SpanKind", "ServiceName", "StatusCode"), "LowCardinality(String)"),
        **dict.fromkeys(("ResourceAttributes", "SpanAttributes"), "Map(LowCardinality(String), String)"),
        "Duration": "UInt64",
        "StatusMessage": "String",
        "Events.Timestamp": "Array(DateTime64(9))",
        "Events.Name": "Array(LowCardinality(String))",
        **dict.fromkeys(("Links.TraceId", "Links.SpanId", "Links.TraceState"), "Array(String)"),
        **dict.fromkeys(("Events.Attributes", "Links.Attributes"), "Array(Map(LowCardinality(String), String))"),
    },
    "otel_logs": {
        "Timestamp": "DateTime64(9)",
        "TimestampTime": "DateTime",
        **dict.fromkeys(("TraceId", "SpanId", "Body", "ScopeName", "EventName"), "String"),
        **dict.fromkeys(("TraceFlags", "SeverityNumber"), "UInt8"),
        **dict.fromkeys(
            ("SeverityText", "ServiceName", "ResourceSchemaUrl", "ScopeSchemaUrl", "ScopeVersion"),
            "LowCardinality(String)",
        ),
        **dict.fromkeys(
            ("ResourceAttributes", "ScopeAttributes", "LogAttributes"), "Map(LowCardinality(String), String)"
        ),
    },
}
"""Columns of the exporter's tables, with their types. Source: its `internal/sqltemplates/{traces,logs}_table.sql`."""

Rows = Sequence[tuple[Any, ...]]


@pytest.fixture(scope="module")
def fleet(store: ClickHouseStore, client: Any, store_config: StoreConfig) -> Fleet:
    """What agents sent, beside a service that calls another and was deployed anew; all of it merged."""
    played = Fleet(time.time_ns())
    played.play(store)
    start = played.at(4, 6)
    calls = [
        wide_span(
            narrow_span("aa" * 16, f"{number:016x}", parent_span_id=parent, service=service, name="call", **times),
            ResourceAttributes={"service.version": version},
        )
        for number, parent, service, version, times in (
            (1, "", "shop", "1.0", {"start_ns": start, "end_ns": start + S}),
            (2, f"{1:016x}", "stock", "7", {"start_ns": start, "end_ns": start + S}),
            (3, "", "shop", "1.1", {"start_ns": start + MINUTE, "end_ns": start + MINUTE + S}),
        )
    ]
    insert(client, store_config.database, "otel_traces", *calls)
    for table in ("otel_traces", "otel_logs"):
        client.command(f"OPTIMIZE TABLE {store_config.database}.{table} FINAL")
    return played


def answers(fleet: Fleet) -> dict[str, Rows]:
    """The rows that each query must give, from the table of `tests.fleet` and from the calls above."""
    lisbon, refund, nightly, now = fleet.at(2, 10), fleet.at(1, 9), fleet.at(3, 2), fleet.just_now
    flights, seats = (utc(lisbon + 2 * S), "GET http://flights"), (utc(lisbon + 70 * S), "seat map is old")
    orders, job = (utc(now + S), "GET http://orders"), (utc(now + 2 * S), '{"job": "clean", "bytes": 2048}')
    places = "{'service.name':'support-bot','deployment.environment.name':'production'}"
    chat = ("chat gpt-5", "Client", "support-bot")
    return {
        "log volume by severity": sorted(
            (utc(at - at % MINUTE), severity, 1)
            for at, severity in (
                (lisbon + 2 * S, "INFO"),
                (lisbon + 70 * S, "WARN"),
                (refund + 6 * S, "ERROR"),
                (now + S, "INFO"),
                (now + 2 * S, "ERROR"),
            )
        ),
        "any log record": [job, orders],
        "log records of a service": [seats, flights],
        "log records by attribute": [orders],
        "log records by a word of the body": [orders, flights],
        "log records by a part of the body": [orders, flights],
        "log records by a pattern of the body": [orders, flights],
        "log records by a number in a JSON body": [job],
        "spans by attribute": [(*chat, seconds * S, "Ok", "", True, places, "[]", "[]") for seconds in (3, 1)],
        "a trace by its id, with the look-up of its time": [
            ("invoke_agent travel-bot", "", 21 * S),
            ("chat claude-sonnet-4-5", "", 4 * S),
            ("execute_tool book", "book", 3 * S),
        ],
        "spans that failed": [
            ("execute_tool refund", "Error", "card expired"),
            ("invoke_agent support-bot", "Error", "refund denied"),
        ],
        "slow spans": [("invoke_agent travel-bot", 21 * S), ("invoke_agent travel-bot", 30 * S)],
        "trace search": [
            (trace_id(number), "travel-bot", "invoke_agent travel-bot", utc(lisbon + (number - 1) * MINUTE), ms)
            for number, ms in ((2, 21_000.0), (1, 30_000.0))
        ],
        "the trace view": [
            (
                *(trace_id(3), f"{'03' * 7}0{number}", f"{'03' * 7}01" if number > 1 else "", "support-bot", name),
                *(utc(refund + start * S), ms, [{"key": "gen_ai.tool.name", "value": "refund"}] if tool else []),
                [
                    {"key": "deployment.environment.name", "value": "production"},
                    {"key": "service.name", "value": "support-bot"},
                ],
                *(2 if said else 0, said, kind, "", "", [], []),
            )
            for number, name, start, ms, tool, said, kind in (
                (3, "execute_tool refund", 5, 1_000.0, True, "card expired", "Internal"),
                (2, "chat gpt-5", 1, 3_000.0, False, "", "Client"),
                (1, "invoke_agent support-bot", 0, 12_000.0, False, "refund denied", "Server"),
            )
        ],
        "log records for the log view": [
            (utc(refund + 6 * S), "card expired", "ERROR", trace_id(3), {"service.name": "support-bot"})
        ],
        "log volume for the log view": [(utc(day), *counts) for day, counts in volume(refund, lisbon, now).items()],
        "databases with both tables": [(1,)],
        "traces by service over time": [
            (midnight(nightly), "report-bot", 2, 594_300.0),
            (midnight(lisbon), "travel-bot", 6, 29_550.0),
        ],
        "traces with their service and length": [
            (utc(lisbon), trace_id(1), "travel-bot", 33_000.0),
            (utc(lisbon + MINUTE), trace_id(2), "travel-bot", 28_000.0),
        ],
        "trace search with the worst status": [
            (trace_id(6), "support-bot", utc(now + S), S, 1, ""),
            (trace_id(3), "support-bot", utc(refund + S), 3 * S, 1, ""),
            (trace_id(1), "travel-bot", utc(lisbon + S), 2 * S, 1, ""),
        ],
        "service map, nodes": [
            ("travel-bot", "6 spans", "10166.7 ms avg", 1 / 6),
            ("support-bot", "5 spans", "4400 ms avg", 0.4),
            ("report-bot", "2 spans", "315000 ms avg", 0.0),
            ("shop", "2 spans", "1000 ms avg", 0.0),
            ("cron", "1 spans", "1000 ms avg", 0.0),
            ("stock", "1 spans", "1000 ms avg", 0.0),
        ],
        "service map, edges": [("shop-stock", "shop", "stock", "1 calls")],
        "requests a second by span kind": [(midnight(lisbon), 2.0, 0.0, 25.5e9, 29.1e9)],
        "operations with their errors": [
            ("execute_tool book", 1, 1, 100.0, 3e9, "seat taken"),
            ("chat claude-sonnet-4-5", 1, 0, 0.0, 4e9, ""),
        ],
        "a sample of durations": [(midnight(nightly), 30_000.0), (midnight(nightly), 600_000.0)],
        "deployments, by changes of the version": [("shop", "shop deployed 1.1 (was 1.0)")],
        "messages of errors, ids left out": [
            ("ERROR", "cron", '{"job": "…", "bytes": 2048}', 1),
            ("ERROR", "support-bot", "card expired", 1),
            ("WARN", "travel-bot", "seat map is old", 1),
        ],
        "search of spans": [(utc(lisbon + 66 * S), "travel-bot", "Error", 3_000.0, "execute_tool book")],
        "search of log records": [(seats[0], "travel-bot", "WARN", seats[1])],
        "keys of attributes": [(["container_name"],)],
        "values of an attribute": [("production",), ("staging",)],
    }


def volume(refund: int, lisbon: int, now: int) -> dict[int, tuple[int, int, int]]:
    """By day: errors, infos, all; the last session may have begun on any of the last two days."""
    days: dict[int, tuple[int, int, int]] = {}
    for at, counts in ((lisbon, (0, 1, 2)), (refund, (1, 0, 1)), (now, (1, 1, 2))):
        day = at - at % DAY
        before = days.get(day, (0, 0, 0))
        days[day] = (before[0] + counts[0], before[1] + counts[1], before[2] + counts[2])
    return dict(sorted(days.items()))


def utc(ns: int) -> datetime:
    """As the driver gives a time."""
    return moment(ns).replace(tzinfo=None)


def midnight(ns: int) -> datetime:
    """The day of a time."""
    return utc(ns - ns % DAY)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_made_for_the_exporters_tables_gives_the_right_answer(name: str, asking: Any, fleet: Fleet) -> None:
    """As it would on the exporter's own tables."""
    start, end = (fleet.now_ns - 7 * DAY) // S, fleet.now_ns // S
    sql = QUERIES[name].replace("{start}", str(start)).replace("{end}", str(end))
    assert [tuple(row) for row in asking.query(sql).result_rows] == answers(fleet)[name]


@pytest.mark.parametrize("table", COLUMNS)
def test_the_exporters_columns_are_there(table: str, fleet: Fleet, client: Any, store_config: StoreConfig) -> None:
    """With its names and types; ours come on top."""
    query = "SELECT name, type FROM system.columns WHERE database = {db:String} AND table = {table:String}"
    found = dict(client.query(query, parameters={"db": store_config.database, "table": table}).result_rows)
    assert COLUMNS[table].items() <= found.items()


def test_each_query_says_where_it_is_from() -> None:
    """And each answer is of a query that is there."""
    assert {query["source"] for query in DATA["queries"]} == DATA["sources"].keys()
    assert answers(Fleet(0)).keys() == QUERIES.keys()
    assert len(QUERIES) == len(DATA["queries"])
