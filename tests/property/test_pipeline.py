"""The whole write path on the real engine: any delivery of a span set ends in exactly the oracle's rows.

A plan delivers every span at least once, in any order, duplicated, split into requests, with ticks, settles and
restarts (all memory gone, the store as it was) anywhere between. Memory is kept absurdly small, so that eviction and
reading back happen within a dozen spans.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from processor.conventions.previews import PreviewConfig
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.worker.batch import BatchMaker
from tests.oracle import expected
from tests.pipeline import SMALL, Pipeline
from tests.prices import PRICES, price
from tests.strategies import NOW_NS, Action, Deliver, SentSpan, deliveries, requests_of, span_sets

pytestmark = pytest.mark.every_store

BATCHES = BatchMaker(previews=PreviewConfig(enabled=False))
EXAMPLES = itertools.count()

# What is stored is decided by the same code and the same SQL on every store: a server only differs in the way there.
EMBEDDED_EXAMPLES, SERVER_EXAMPLES = 60, 12


def stored(client: Any, config: StoreConfig, table: str, prefix: str, key: list[str]) -> dict[tuple[Any, ...], Any]:
    """The rows of a table, as people see them, of the tenants of one example; tenants without the prefix."""
    result = client.query(
        f"SELECT * FROM {config.database}.{table} FINAL WHERE startsWith(tenant, %(prefix)s)",
        parameters={"prefix": prefix},
    )
    rows = {}
    for row in result.named_results():
        row["tenant"] = row["tenant"].removeprefix(prefix)
        del row["version"]
        rows[tuple(row[name] for name in key)] = row
    return rows


def test_any_delivery_ends_in_the_oracles_rows(store: ClickHouseStore, client: Any, store_config: StoreConfig) -> None:
    """Order, duplicates, splits, ticks and restarts change when a row is right, never what it says in the end."""

    @settings(
        max_examples=EMBEDDED_EXAMPLES if store_config.directory else SERVER_EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(st.data())
    def deliver_and_compare(data: st.DataObject) -> None:
        spans: list[SentSpan] = data.draw(span_sets())
        plan = data.draw(deliveries(spans))
        prefix = f"{next(EXAMPLES)}-"
        pipeline = Pipeline(store, SMALL, BATCHES, PRICES)
        for step in plan:
            match step:
                case Deliver():
                    pipeline.deliver(prefix + step.tenant, step.request.SerializeToString())
                case Action.TICK:
                    pipeline.tick()
                case Action.SETTLE:
                    pipeline.settle()
                case Action.RESTART:
                    pipeline.restart()
        pipeline.settle()
        truth = expected(requests_of(spans), NOW_NS, price)
        traces = stored(client, store_config, "session_traces", prefix, ["tenant", "session_id", "trace_id"])
        assert {key: row for key, row in traces.items() if row["span_count"]} == truth.session_traces
        assert stored(client, store_config, "trace_sessions", prefix, ["tenant", "trace_id"]) == truth.trace_sessions
        sessions = stored(client, store_config, "session_rollups", prefix, ["tenant", "session_id"])
        assert {key: row for key, row in sessions.items() if row["row_count"]} == truth.session_rollups

    deliver_and_compare()
