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


def test_no_answer_is_left_over() -> None:
    """Each answer is of a query that is there."""
    assert queries().keys() == answers(Fleet(0)).keys()
