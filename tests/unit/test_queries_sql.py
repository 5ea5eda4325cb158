"""Reading statements as data: what is bound, and what stands in the text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from processor.model import SESSION_SPANS
from processor.store.log_sql import count_session_logs, session_logs
from processor.store.session_sql import (
    SORT_COLUMNS,
    SessionFilter,
    all_sessions,
    candidates,
    count_sessions,
    newest_at,
    newest_places,
    newest_sessions,
    one_session,
    page_of_ids,
    some_sessions,
    ties_are_read_in_order,
)
from processor.store.span_sql import count_spans, page_of_spans, rows_of_span, rows_of_trace, whole_span
from processor.store.statement import Statement
from processor.store.stats_sql import (
    USER_SORT_COLUMNS,
    UserFilter,
    bounds_of_starts,
    count_users,
    page_of_users,
    series_of_sessions,
    top_users_of_sessions,
    tops_of_sessions,
)
from processor.store.thread_sql import (
    THREAD_SORT_COLUMNS,
    ThreadFilter,
    count_threads,
    one_thread,
    page_of_threads,
)
from processor.store.trace_sql import count_traces, details_of_spans, page_of_traces, spans_of_traces
from processor.store.usage_sql import breakdown_of_session, count_models, page_of_models

EVIL = "'; DROP TABLE sessions; --"
LABELS = {"thread_id": EVIL, "environment": EVIL, "tag": EVIL, "model": EVIL, "metadata": ((EVIL, EVIL), (EVIL, EVIL))}
LEAST = {"min_cost_nano_usd": 1, "min_tokens": 2, "min_duration_ns": 3, "has_error": True, "status": "UNSET"}
WANTED = SessionFilter(1, 2, search=EVIL, name=EVIL, user_id=EVIL, service=EVIL, **LABELS, **LEAST)  # type: ignore[arg-type]
THREADS = ThreadFilter(status="idle", user_id=EVIL, search=EVIL)
USERS = UserFilter(1, 2, EVIL)
SPAN = {"trace_id": EVIL, "span_id": EVIL, "service": EVIL, "name": EVIL, "start_ns": 5}

STATEMENTS = {
    "count_sessions": count_sessions("db", EVIL, WANTED),
    "candidates": candidates("db", EVIL, WANTED, "name", "asc", 1),
    "newest_at": newest_at("db", EVIL, WANTED, "total_cost", 7, 1),
    "newest_places": newest_places("db", EVIL, WANTED, "name", [EVIL]),
    "newest_sessions": newest_sessions("db", EVIL, WANTED, "name", [EVIL]),
    "page_of_ids": page_of_ids("db", EVIL, WANTED, "name", "asc", 1, 2),
    "all_sessions": all_sessions("db", EVIL, WANTED, "name", "asc", 1, 2),
    "some_sessions": some_sessions("db", EVIL, [EVIL]),
    "one_session": one_session("db", EVIL, EVIL),
    "count_traces": count_traces("db", EVIL, EVIL),
    "page_of_traces": page_of_traces("db", EVIL, EVIL, 1, 2),
    "spans_of_traces": spans_of_traces("db", EVIL, [EVIL]),
    "details_of_spans": details_of_spans("db", EVIL, [SPAN]),
    "details_without_attributes": details_of_spans("db", EVIL, [SPAN], with_attributes=False),
    "rows_of_trace": rows_of_trace("db", EVIL, EVIL),
    "count_spans": count_spans("db", EVIL, EVIL),
    "page_of_spans": page_of_spans("db", EVIL, EVIL, 1, 2),
    "rows_of_span": rows_of_span("db", EVIL, EVIL, EVIL),
    "whole_span": whole_span("db", EVIL, SPAN),
    "session_logs": session_logs("db", EVIL, EVIL, 1, 2),
    "count_session_logs": count_session_logs("db", EVIL, EVIL),
    "bounds_of_starts": bounds_of_starts("db", EVIL, WANTED),
    "series_of_sessions": series_of_sessions("db", EVIL, WANTED, "week"),
    "tops_of_sessions": tops_of_sessions("db", EVIL, WANTED, 3),
    "top_users_of_sessions": top_users_of_sessions("db", EVIL, WANTED, 3),
    "page_of_users": page_of_users("db", EVIL, USERS, sort_by="id", sort_order="asc", limit=1, offset=2),
    "count_users": count_users("db", EVIL, USERS),
    "breakdown_of_session": breakdown_of_session("db", EVIL, EVIL),
    "count_models": count_models("db", EVIL, unpriced=True),
    "page_of_models": page_of_models("db", EVIL, unpriced=False, limit=1, offset=2),
    "count_threads": count_threads("db", EVIL, THREADS),
    "page_of_threads": page_of_threads("db", EVIL, THREADS, sort_by="last_seen", sort_order="asc", limit=1, offset=2),
    "one_thread": one_thread("db", EVIL, EVIL),
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_values_are_bound_and_never_stand_in_the_text(statement: Statement) -> None:
    """Every place has a value, every value a place, and no value is SQL."""
    places = set(re.findall(r"\{(\w+):[\w()]+\}", statement.sql))
    assert places == statement.parameters.keys()
    assert "DROP" not in statement.sql


def test_every_part_of_a_filter_of_sessions_is_asked_for() -> None:
    """A field that leads to no condition would select sessions that were not asked for."""
    assert {name for name in SessionFilter.__slots__ if not getattr(WANTED, name)} == set()
    asked = STATEMENTS["count_sessions"].sql
    for field in SessionFilter.__slots__:
        without = count_sessions("db", EVIL, replace(WANTED, **{field: getattr(SessionFilter(), field)}))
        assert without.sql.count(" AND ") < asked.count(" AND "), field


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_every_read_of_a_table_asks_for_the_tenant_first(statement: Statement) -> None:
    """No table is read without a tenant, and the tenant leads every WHERE on one."""
    reads = re.findall(r"FROM db\.\w+(?: FINAL)?\s+(.{24})", statement.sql, re.DOTALL)
    assert reads
    assert all(re.match(r"WHERE [tT]enant = \{tenant", read) for read in reads)


@pytest.mark.parametrize("key", SORT_COLUMNS)
def test_every_sort_ends_with_the_id(key: str) -> None:
    """Pages are stable whatever they are sorted by."""
    statements = [page_of_ids("db", "t", SessionFilter(), key, "asc", 1, 0)]
    if ties_are_read_in_order(key, "asc"):  # the others are ordered by who asks
        statements.append(candidates("db", "t", SessionFilter(), key, "asc", 1))
    for statement in statements:
        orders = re.findall(r"ORDER BY .*?(?= LIMIT|$)", statement.sql)
        assert orders == [f"ORDER BY {SORT_COLUMNS[key]} ASC, session_id ASC"]


@pytest.mark.parametrize("key", THREAD_SORT_COLUMNS)
def test_every_sort_of_threads_ends_with_the_id(key: str) -> None:
    """Pages are stable whatever they are sorted by."""
    statement = page_of_threads("db", "t", ThreadFilter(), sort_by=key, sort_order="asc", limit=1, offset=0)
    assert re.findall(r"ORDER BY .*", statement.sql) == [f"ORDER BY {key} ASC, thread_id ASC"]


@pytest.mark.parametrize("key", USER_SORT_COLUMNS)
def test_every_sort_of_users_ends_with_the_id(key: str) -> None:
    """Pages are stable whatever they are sorted by."""
    statement = page_of_users("db", "t", UserFilter(), sort_by=key, sort_order="desc", limit=1, offset=0)
    assert re.findall(r"ORDER BY .*", statement.sql) == [f"ORDER BY {USER_SORT_COLUMNS[key]} DESC, user_id ASC"]


def test_times_beyond_what_the_store_can_hold_are_its_limits() -> None:
    """A filter from the year 1 or 9999 is a filter, not an overflow."""
    statement = count_sessions("db", "t", SessionFilter(start_ns=-(10**20), end_ns=10**20))
    assert statement.parameters == {"tenant": "t", "from_ns": -(2**63), "to_ns": 2**63 - 1}


def test_an_empty_filter_asks_for_nothing_but_the_tenant() -> None:
    """What is not asked for costs nothing."""
    assert count_sessions("db", "t", SessionFilter()).parameters == {"tenant": "t"}
    assert count_threads("db", "t", ThreadFilter()).parameters == {"tenant": "t"}


def test_a_spans_versions_are_told_apart_by_previews_last() -> None:
    """`spans_of_traces` leaves them out: which version speaks for a span must not depend on them otherwise."""
    assert SESSION_SPANS.names()[-2:] == ["input_preview", "output_preview"]
    selected = STATEMENTS["spans_of_traces"].sql
    assert "'' AS input_preview, '' AS output_preview" in selected
