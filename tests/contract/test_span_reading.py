"""How many spans are read to be judged, and how many of them are shown: bounds that no page may pass."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from processor.api.spans import judged, shown
from processor.model import DEFAULT_TENANT, SESSION_SPANS
from processor.pricing.prices import Prices
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.store.queries import SPANS_MAX, SPANS_PER_TRACE_MAX, SessionQueries
from processor.store.trace_sql import READ_MAX, READ_PER_TRACE_MAX
from tests.integration.stored import T0, insert, narrow_span

SMALL = "0" * 32
LARGE = [f"{number:032x}" for number in range(1, 13)]
ALL = [SMALL, *LARGE]
EXTRA = 500


@pytest.fixture(scope="module")
def queries(store: ClickHouseStore, client: Any, store_config: StoreConfig) -> SessionQueries:
    """A small trace, and a dozen of which each has more spans than are read; the ids of spans fall as time goes on."""
    insert(client, store_config.database, "session_spans", narrow_span(SMALL, "1" * 16))
    client.command(
        f"INSERT INTO {store_config.database}.session_spans (tenant, trace_id, span_id, name, kind, start_ns, end_ns) "
        f"SELECT '{DEFAULT_TENANT}', leftPad(lower(hex(toUInt8(trace))), 32, '0'), "
        f"leftPad(toString({READ_PER_TRACE_MAX + EXTRA} - span), 16, '0'), 'step', 'other', {T0} + span, {T0} + span "
        f"FROM (SELECT number + 1 AS trace FROM numbers({len(LARGE)})) AS a "
        f"CROSS JOIN (SELECT number AS span FROM numbers({READ_PER_TRACE_MAX + EXTRA})) AS b"
    )
    return SessionQueries(client, store_config.database)


def test_the_earliest_spans_of_each_trace_are_read_up_to_a_bound(queries: SessionQueries) -> None:
    """No trace is read beyond its bound, and none but those that are read up to it or to their end is returned."""
    rows = queries.narrow_spans(DEFAULT_TENANT, ALL)
    assert rows.schema == SESSION_SPANS
    assert len(rows) <= READ_MAX
    counts = Counter(rows["trace_id"])
    assert counts.pop(SMALL) == 1
    assert set(counts.values()) == {READ_PER_TRACE_MAX}
    assert rows["start_ns"].max() == T0 + READ_PER_TRACE_MAX - 1


def test_what_is_read_is_enough_for_all_that_is_shown(queries: SessionQueries) -> None:
    """The first of the page's traces are shown, each up to its bound, until the answer is full."""
    spans = judged(queries.narrow_spans(DEFAULT_TENANT, ALL), Prices())
    rows = shown(spans, ALL)
    assert len(rows) == SPANS_MAX
    assert Counter(row["trace_id"] for row in rows).most_common(1)[0][1] == SPANS_PER_TRACE_MAX
    assert [row["trace_id"] for row in rows][:2] == [SMALL, LARGE[0]]
    assert [row["start_ns"] for row in rows if row["trace_id"] == LARGE[3]] == list(range(T0, T0 + SPANS_PER_TRACE_MAX))


def test_nothing_is_read_of_nothing(queries: SessionQueries) -> None:
    """No traces, unknown ones and those of another tenant have no spans, in the same shape."""
    for tenant, trace_ids in ((DEFAULT_TENANT, []), (DEFAULT_TENANT, ["f" * 32]), ("rival", ALL)):
        rows = queries.narrow_spans(tenant, trace_ids)
        assert rows.schema == SESSION_SPANS
        assert shown(judged(rows, Prices()), trace_ids) == []
    assert queries.span_details(DEFAULT_TENANT, []) == {}
