"""The whole write path on the real engine: any delivery of a span set ends in exactly the oracle's rows.

A plan delivers every span at least once, in any order, duplicated, split into requests, with ticks, settles and
restarts (all memory gone, the store as it was) anywhere between. Memory is kept absurdly small, so that eviction and
reading back happen within a dozen spans.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from processor.conventions.previews import PreviewConfig
from processor.log.base import Record
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.telemetry.metrics import Metrics
from processor.worker import RollupConfig
from processor.worker.batch import BatchMaker
from processor.worker.rollups import Rollups
from tests.oracle import expected
from tests.prices import PRICES, price
from tests.storing import insert_narrow, insert_wide
from tests.strategies import NOW_NS, Action, Deliver, SentSpan, deliveries, requests_of, span_sets

pytestmark = pytest.mark.every_store

SMALL = RollupConfig(recent_spans_max=4, seen_filter_bytes=1024, read_back_traces_max=2, read_back_rows_max=3)
BATCHES = BatchMaker(previews=PreviewConfig(enabled=False))
EXAMPLES = itertools.count()


class Pipeline:
    """The write path without its threads: what the worker does, one step at a time."""

    def __init__(self, store: ClickHouseStore) -> None:
        self._store = store
        self._now_s = 0.0
        self.restart()

    def restart(self) -> None:
        """A new process on the same store."""
        self._rollups = Rollups(self._store, SMALL, Metrics(), PRICES)
        self._batch_seq = self._rollups.resume(self._now_s)
        self._rollups.learn()

    def deliver(self, tenant: str, payload: bytes) -> None:
        """One request, stored."""
        batch = BATCHES.make([Record(tenant, payload)], NOW_NS)
        self._batch_seq += 1
        insert_wide(self._store, batch)
        insert_narrow(self._store, batch, self._batch_seq)
        # Every third as if another worker might have spans of its traces.
        self._rollups.add(batch.narrow, self._batch_seq, self._now_s, whole=self._batch_seq % 3 != 0)

    def tick(self, force: bool = False) -> None:
        """One tick; every session's delay is over."""
        self._now_s += 100.0
        self._rollups.tick(self._now_s, force)

    def settle(self) -> None:
        """Ticks until everything is rolled up."""
        while not self._rollups.is_current:
            self.tick(force=True)


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


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_delivery_ends_in_the_oracles_rows(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, data: st.DataObject
) -> None:
    """Order, duplicates, splits, ticks and restarts change when a row is right, never what it says in the end."""
    spans: list[SentSpan] = data.draw(span_sets())
    plan = data.draw(deliveries(spans))
    prefix = f"{next(EXAMPLES)}-"
    pipeline = Pipeline(store)
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
