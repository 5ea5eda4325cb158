"""Every query of docs/sql.md, taken from the document, gives the right answer on every store there is."""

from __future__ import annotations

import time
from typing import Any

import pytest

from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from tests.fleet import Fleet
from tests.sql_doc import answers, queries


@pytest.fixture(scope="module")
def fleet(store: ClickHouseStore) -> Fleet:
    """What is in the store."""
    played = Fleet(time.time_ns())
    played.play(store)
    return played


@pytest.mark.every_store
@pytest.mark.parametrize("title", queries())
def test_a_query_of_the_document_gives_the_right_answer(
    title: str, asking: Any, fleet: Fleet, store_config: StoreConfig
) -> None:
    """As it stands there, word for word."""
    found = asking.query(queries()[title]).result_rows
    assert [tuple(row) for row in found] == answers(fleet)[title]


@pytest.mark.every_store
@pytest.mark.parametrize("view", ["traces", "trace_usage", "session_usage"])
def test_rows_add_up_to_their_session(view: str, asking: Any, fleet: Fleet, store_config: StoreConfig) -> None:
    """Tokens, money, errors and what has no price, as the document says."""
    unpriced = "unpriced_span_count" if view == "traces" else "unpriced_count"
    sums = "sum(total_tokens), sum(cache_read_tokens), sum(total_cost), sum(input_cost), sum(error_count), sum({})"
    found = [
        asking.query(f"SELECT session_id, {sums.format(name)} FROM {source} GROUP BY session_id ORDER BY session_id")
        for source, name in (("sessions", "unpriced_span_count"), (view, unpriced))
    ]
    assert len(found[0].result_rows) == 5
    assert found[0].result_rows == found[1].result_rows


def test_no_answer_is_left_over() -> None:
    """Each answer is of a query that is there."""
    assert queries().keys() == answers(Fleet(0)).keys()
