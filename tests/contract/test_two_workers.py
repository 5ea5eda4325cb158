"""Two workers on one store, one store call at a time, in any order: the rows end as the oracle's.

A trace has a home, the worker that gets all of its placed spans; others of it, which nobody placed, come to either.
Each worker runs in a thread that waits before every call to the store until it is let on, so an interleaving is data:
Hypothesis chooses it, finds the one that breaks something, and shrinks it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processor.log.base import Record
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.telemetry.metrics import Metrics
from processor.worker import RollupConfig
from processor.worker.batch import BatchMaker
from processor.worker.rollups import Rollups
from tests.oracle import expected
from tests.prices import price
from tests.storing import insert_narrow
from tests.strategies import NOW_NS

pytestmark = pytest.mark.every_store

WORKERS = 2
TRACES = 3
BATCHES = BatchMaker()
EXAMPLES = itertools.count()

# Turns are taken before the store is called, so an interleaving is the same on every store.
EMBEDDED_EXAMPLES, SERVER_EXAMPLES = 40, 8


@dataclass(frozen=True)
class Delivery:
    """One span of a trace, in one record: who gets it, and whether it was placed."""

    trace: int
    span: int
    worker: int
    placed: bool

    def request(self) -> bytes:
        """Every span names a session, and the sessions of a trace differ: each must show its part of the trace."""
        span = Span(
            trace_id=bytes([self.trace + 1]) * 16,
            span_id=bytes([self.span + 1]) * 8,
            name="s",
            start_time_unix_nano=NOW_NS - 10_000 + self.span,
            end_time_unix_nano=NOW_NS,
        )
        span.attributes.append(KeyValue(key="session.id", value=AnyValue(string_value=f"s{self.span % 2}")))
        span.attributes.append(KeyValue(key="gen_ai.usage.input_tokens", value=AnyValue(int_value=1 << self.span)))
        request = ExportTraceServiceRequest()
        request.resource_spans.add().scope_spans.add().spans.append(span)
        return request.SerializeToString()


def home(trace: int) -> int:
    """The worker that has the trace's partition."""
    return trace % WORKERS


class Player(threading.Thread):
    """A worker that moves when it is let: from one store call to the next."""

    def __init__(self, store: ClickHouseStore, tenant: str, deliveries: Sequence[Delivery]) -> None:
        super().__init__(daemon=True)
        self._store = store
        self._tenant = tenant
        self._deliveries = deliveries
        self._go, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self._rollups = Rollups(self, RollupConfig(recent_spans_max=1_000), Metrics())  # type: ignore[arg-type]
        self.done = False
        self.error: BaseException | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Every method of the store, after a turn was given."""
        method = getattr(self._store, name)

        def call(*arguments: Any) -> Any:
            self._pause()
            return method(*arguments)

        return call

    def run(self) -> None:
        """The deliveries, each stored and rolled up."""
        try:
            self._pause()
            for number, delivery in enumerate(self._deliveries):
                batch = BATCHES.make([Record(self._tenant, delivery.request())], NOW_NS)
                insert_narrow(self, batch, number)  # type: ignore[arg-type]
                self._rollups.add(batch.narrow, number, 0.0, delivery.placed)
                while not self._rollups.is_current:
                    self._rollups.tick(1_000.0, force=True)
        except BaseException as error:
            self.error = error
        finally:
            self.done = True
            self._waits.release()

    def begin(self) -> None:
        """Start, up to the first turn."""
        self.start()
        self._waits.acquire()

    def move(self) -> None:
        """One turn. Errors: whatever the worker raised."""
        self._go.release()
        self._waits.acquire()
        if self.error:
            raise self.error

    def _pause(self) -> None:
        self._waits.release()
        self._go.acquire()


def play(
    store: ClickHouseStore, tenant: str, deliveries: Sequence[Delivery], next_of: Callable[[list[Player]], Player]
) -> None:
    """Let the workers move until both are through; `next_of` chooses among those that are not."""
    players = [
        Player(store, tenant, [delivery for delivery in deliveries if delivery.worker == worker])
        for worker in range(WORKERS)
    ]
    for player in players:
        player.begin()
    while moving := [player for player in players if not player.done]:
        next_of(moving).move()


def assert_rows(client: Any, config: StoreConfig, tenant: str, deliveries: Sequence[Delivery]) -> None:
    """The session rows are the oracle's, and so are the trace rows."""
    truth = expected([(tenant, delivery.request()) for delivery in deliveries], NOW_NS, price)
    for table, key, live, rows in (
        ("session_traces", ("tenant", "session_id", "trace_id"), "span_count > 0", truth.session_traces),
        ("session_rollups", ("tenant", "session_id"), "trace_count > 0", truth.session_rollups),
    ):
        result = client.query(
            f"SELECT * EXCEPT version FROM {config.database}.{table} FINAL WHERE tenant = %(tenant)s AND {live}",
            parameters={"tenant": tenant},
        )
        assert {tuple(row[name] for name in key): row for row in result.named_results()} == rows


@st.composite
def shared_deliveries(draw: st.DrawFn) -> list[Delivery]:
    """Spans of a few traces; some come placed, some not, some both ways."""
    deliveries = []
    for trace in range(draw(st.integers(1, TRACES))):
        for span in range(draw(st.integers(1, 3))):
            for placed in draw(st.sampled_from([(True,), (False,), (True, False)])):
                worker = home(trace) if placed else draw(st.integers(0, WORKERS - 1))
                deliveries.append(Delivery(trace, span, worker, placed))
    return draw(st.permutations(deliveries))


def test_in_any_interleaving_the_rows_end_as_the_oracles(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """Whoever writes second sees the first: no total depends on who was faster."""

    @settings(
        max_examples=EMBEDDED_EXAMPLES if store_config.directory else SERVER_EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(shared_deliveries(), st.data())
    def interleave_and_compare(deliveries: list[Delivery], data: st.DataObject) -> None:
        tenant = f"any-{next(EXAMPLES)}"
        play(store, tenant, deliveries, lambda moving: data.draw(st.sampled_from(moving)) if moving[1:] else moving[0])
        assert_rows(client, store_config, tenant, deliveries)

    interleave_and_compare()


def test_the_home_of_a_trace_that_comes_second_does_not_trust_its_memory(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """Another worker has stored and rolled up a span that nobody placed; then the placed ones come."""
    deliveries = [Delivery(0, 0, 1, placed=False), Delivery(0, 1, 0, placed=True), Delivery(0, 2, 0, placed=True)]
    play(store, "second", deliveries, lambda moving: moving[-1])
    assert_rows(client, store_config, "second", deliveries)


def test_a_span_that_nobody_placed_meets_what_the_home_has_stored(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """The home is through before another worker gets one."""
    deliveries = [Delivery(0, 0, 1, placed=False), Delivery(0, 1, 0, placed=True)]
    play(store, "first", deliveries, lambda moving: moving[0])
    assert_rows(client, store_config, "first", deliveries)


def test_what_is_assigned_anew_is_learned(store: ClickHouseStore, client: Any, store_config: StoreConfig) -> None:
    """A worker that knows a trace, loses its partition and gets it back, reads back what another did in between."""
    before, between, after = (Delivery(0, span, 0, placed=True) for span in (0, 2, 4))  # one session
    first, second = (Rollups(store, RollupConfig(), Metrics()) for _ in range(2))
    for number, (rollups, delivery) in enumerate([(first, before), (second, between), (first, after)]):
        rollups.learn()
        batch = BATCHES.make([Record("again", delivery.request())], NOW_NS)
        insert_narrow(store, batch, number)
        rollups.add(batch.narrow, number, 0.0)
        while not rollups.is_current:
            rollups.tick(1_000.0, force=True)
    assert_rows(client, store_config, "again", [before, between, after])
