"""Prices over stored history: what was unknown gets a price, what was stated stays, and late spans find their way."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from processor.model import NANOS_PER_SECOND
from processor.pricing.config import PriceOverride
from processor.pricing.prices import Prices
from processor.store.clickhouse import ClickHouseStore
from processor.worker.reprice import reprice
from tests.pipeline import Pipeline
from tests.strategies import NOW_NS, any_value

pytestmark = pytest.mark.every_store

TENANTS = (f"reprice-{number}" for number in itertools.count())
OWN = PriceOverride(model="house-*", input_mtok="2", output_mtok="10")
OWN_PRICES = Prices([OWN])
START_NS = NOW_NS - 3600 * NANOS_PER_SECOND


def call(trace: int, span: int, model: str = "house-7b", start_ns: int = START_NS, **said: Any) -> bytes:
    """A request with one model call: a thousand tokens in, a hundred out."""
    request = ExportTraceServiceRequest()
    attributes = {
        "session.id": "s",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        **said,
    }
    request.resource_spans.add().scope_spans.add().spans.add(
        trace_id=trace.to_bytes(16, "big"),
        span_id=span.to_bytes(8, "big"),
        name="chat",
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + NANOS_PER_SECOND,
        attributes=[KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()],
    )
    return request.SerializeToString()


class Sessions:
    """One tenant's session, as people see it."""

    def __init__(self, store: ClickHouseStore, client: Any, database: str) -> None:
        self.tenant = next(TENANTS)
        self._store = store
        self._client = client
        self._database = database

    def cost(self) -> tuple[str, int]:
        """Dollars, and how many calls nobody could price."""
        ((cost, unpriced),) = self._client.query(
            f"SELECT total_cost, unpriced_span_count FROM {self._database}.sessions WHERE tenant = {{tenant:String}}",
            {"tenant": self.tenant},
        ).result_rows
        return str(cost), unpriced

    def reprice(self, since_ns: int = 0) -> None:
        """By the house's own prices."""
        reprice(self._store, OWN_PRICES, since_ns, lambda *_: None)


@pytest.fixture
def sessions(store: ClickHouseStore, client: Any, store_config: Any) -> Sessions:
    """A tenant of its own for each test."""
    return Sessions(store, client, store_config.database)


def test_unknown_models_get_their_price(store: ClickHouseStore, sessions: Sessions) -> None:
    """Counted as unpriced until then, never as free; a stated cost and a known model's price stay as they are."""
    pipeline = Pipeline(store)
    pipeline.deliver(sessions.tenant, call(1, 1))
    pipeline.deliver(sessions.tenant, call(2, 2, **{"gen_ai.usage.cost": 0.5}))
    pipeline.deliver(sessions.tenant, call(3, 3, model="gpt-4o", **{"gen_ai.provider.name": "openai"}))
    pipeline.settle()
    known = "0.003500000"
    assert sessions.cost() == (f"0.50{known[4:]}", 1)
    sessions.reprice()
    assert sessions.cost() == ("0.506500000", 0)


def test_only_what_is_asked_for_is_repriced(store: ClickHouseStore, sessions: Sessions) -> None:
    """A trace without a span since then keeps its cost."""
    pipeline = Pipeline(store)
    pipeline.deliver(sessions.tenant, call(1, 1))
    pipeline.deliver(sessions.tenant, call(2, 2, start_ns=NOW_NS))
    pipeline.settle()
    sessions.reprice(since_ns=NOW_NS)
    assert sessions.cost() == ("0.003000000", 1)


def test_a_span_that_comes_after_counts(store: ClickHouseStore, sessions: Sessions) -> None:
    """A running worker writes under the revision of the repricing, so its rows are not beaten by older ones."""
    pipeline = Pipeline(store, prices=OWN_PRICES)
    pipeline.deliver(sessions.tenant, call(1, 1))
    pipeline.settle()
    sessions.reprice()
    pipeline.deliver(sessions.tenant, call(1, 2))
    pipeline.settle()
    assert sessions.cost() == ("0.006000000", 0)


def test_repricing_twice_changes_nothing(store: ClickHouseStore, sessions: Sessions) -> None:
    """It may be stopped and run again."""
    pipeline = Pipeline(store)
    pipeline.deliver(sessions.tenant, call(1, 1))
    pipeline.settle()
    sessions.reprice()
    sessions.reprice()
    assert sessions.cost() == ("0.003000000", 0)


def test_revisions_only_grow(store: ClickHouseStore) -> None:
    """Each rewrite beats all before it."""
    first, second = store.begin_revision("one"), store.begin_revision("two")
    assert second > first
    assert store.revision() == second
