"""Deletions in any history of deliveries, ticks, restarts and purges: nothing is left, and nothing else changes."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from processor.conventions.previews import PreviewConfig
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.worker.batch import BatchMaker
from tests.oracle import narrow_rows
from tests.oracle.deleted import Session, expected_but_deleted, spans_that_stay
from tests.pipeline import SMALL, Pipeline
from tests.prices import PRICES, price
from tests.property.test_pipeline import stored
from tests.purging import Deleting
from tests.strategies import NOW_NS, Action, Deliver, SentSpan, Step, deliveries, requests_of, span_sets

pytestmark = pytest.mark.every_store

BATCHES = BatchMaker(previews=PreviewConfig(enabled=False))
EXAMPLES = itertools.count()
SETTINGS = settings(
    max_examples=5,  # each takes seconds, and other runs take others
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def deleting(store: ClickHouseStore, store_config: StoreConfig) -> Iterator[Deleting]:
    """With the prices of the oracle."""
    opened = Deleting(store_config, PRICES)
    yield opened
    opened.close()


@dataclass
class History:
    """One example: tenants of its own, on which a plan is played."""

    store: ClickHouseStore
    deleting: Deleting
    prefix: str = field(default_factory=lambda: f"{next(EXAMPLES)}-")

    def __post_init__(self) -> None:
        self.pipeline = Pipeline(self.store, SMALL, BATCHES, PRICES)

    def play(self, plan: list[Step]) -> None:
        """The steps of a plan."""
        for step in plan:
            match step:
                case Deliver():
                    self.pipeline.deliver(self.prefix + step.tenant, step.request.SerializeToString())
                case Action.TICK:
                    self.pipeline.tick()
                case Action.SETTLE:
                    self.pipeline.settle()
                case Action.RESTART:
                    self.pipeline.restart()
                    self.deleting.restart()

    def delete(self, sessions: Collection[Session]) -> None:
        """These of the example's sessions."""
        for tenant, session_id in sessions:
            self.deleting.delete(self.prefix + tenant, session_id)

    def settle(self) -> None:
        """Roll up, purge, and have nothing left to do."""
        self.pipeline.settle()
        while self.deleting.purge():
            self.pipeline.settle()


def stored_spans(client: Any, config: StoreConfig, table: str, prefix: str) -> set[tuple[str, str, str]]:
    """Tenant, trace and span ids of a table of spans; tenants without the prefix."""
    names = {"session_spans": "tenant, trace_id, span_id", "otel_traces": "Tenant, TraceId, SpanId"}[table]
    query = (
        f"SELECT DISTINCT {names} FROM {config.database}.{table} WHERE startsWith({names.split(',')[0]}, %(prefix)s)"
    )
    rows = client.query(query, parameters={"prefix": prefix}).result_rows
    return {(tenant.removeprefix(prefix), trace, span) for tenant, trace, span in rows}


@SETTINGS
@given(st.data())
def test_what_is_left_is_what_the_oracle_says(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, deleting: Deleting, data: st.DataObject
) -> None:
    """Sessions are deleted one after the other; everything is delivered again, with purges and restarts between."""
    spans: list[SentSpan] = data.draw(span_sets())
    rows = narrow_rows(requests_of(spans), NOW_NS)
    sessions = sorted({(row["tenant"], row["session_id"]) for row in rows if row["session_id"]})
    history = History(store, deleting)
    history.play(data.draw(deliveries(spans)))
    history.pipeline.settle()
    deleted = data.draw(st.lists(st.sampled_from(sessions), max_size=3, unique=True)) if sessions else []
    for session in deleted:
        history.delete([session])
        if data.draw(st.booleans()):
            history.deleting.purge()
        history.play(data.draw(deliveries(spans)))
    history.settle()
    truth = expected_but_deleted(rows, deleted, price)
    prefix = history.prefix
    traces = stored(client, store_config, "session_traces", prefix, ["tenant", "session_id", "trace_id"])
    assert {key: row for key, row in traces.items() if row["span_count"]} == truth.session_traces
    assert stored(client, store_config, "trace_sessions", prefix, ["tenant", "trace_id"]) == truth.trace_sessions
    live = stored(client, store_config, "session_rollups", prefix, ["tenant", "session_id"])
    assert {key: row for key, row in live.items() if row["row_count"]} == truth.session_rollups
    assert not {key for key in live if key in deleted}
    stay = spans_that_stay(rows, deleted)
    assert stored_spans(client, store_config, "session_spans", prefix) == stay
    wide = stored_spans(client, store_config, "otel_traces", prefix)
    known = {(row["tenant"], row["trace_id"], row["span_id"]) for row in rows}
    assert wide & known == stay
    # Spans that roll-ups leave out have a wide row only; they go with the whole of a trace.
    emptied = {key[:2] for key in known} - {key[:2] for key in stay}
    assert {key for key in wide if key[:2] in emptied} == set()


@SETTINGS
@given(st.data())
def test_whenever_it_is_deleted_nothing_of_it_is_left(
    store: ClickHouseStore, client: Any, store_config: StoreConfig, deleting: Deleting, data: st.DataObject
) -> None:
    """Before its first span, between, or after the last; and traces that never named it are as they would have been."""
    spans: list[SentSpan] = data.draw(span_sets())
    rows = narrow_rows(requests_of(spans), NOW_NS)
    sessions = sorted({(row["tenant"], row["session_id"]) for row in rows if row["session_id"]} or {("acme", "s1")})
    deleted = data.draw(st.lists(st.sampled_from(sessions), min_size=1, max_size=2, unique=True))
    plan: list[Step] = data.draw(deliveries(spans))
    at = data.draw(st.integers(0, len(plan)))
    history = History(store, deleting)
    history.play(plan[:at])
    history.delete(deleted)
    if data.draw(st.booleans()):
        history.deleting.purge()
    history.play(plan[at:])
    history.settle()
    prefix = history.prefix
    for table, key in (
        ("session_traces", ["tenant", "session_id", "trace_id"]),
        ("session_rollups", ["tenant", "session_id"]),
    ):
        assert not {key[:2] for key in stored(client, store_config, table, prefix, key)} & set(deleted)
    named = {(row["tenant"], row["trace_id"]) for row in rows if (row["tenant"], row["session_id"]) in deleted}
    others = [row for row in rows if (row["tenant"], row["trace_id"]) not in named]
    truth = expected_but_deleted(others, [], price)
    traces = stored(client, store_config, "session_traces", prefix, ["tenant", "session_id", "trace_id"])
    untouched = {key: row for key, row in traces.items() if row["span_count"] and (key[0], key[2]) not in named}
    assert untouched == truth.session_traces
    left = stored_spans(client, store_config, "session_spans", prefix)
    known = {(row["tenant"], row["trace_id"], row["span_id"]) for row in rows}
    assert stored_spans(client, store_config, "otel_traces", prefix) & known == left
    again = [row for row in rows if (row["tenant"], row["trace_id"], row["span_id"]) in left]
    assert spans_that_stay(again, deleted) == left
