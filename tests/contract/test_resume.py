"""Starting again on a store: what was stored and not rolled up is found, whatever the last process had got to."""

from __future__ import annotations

import polars as pl
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processor.log.base import Record
from processor.store.clickhouse import ClickHouseStore
from processor.telemetry.metrics import Metrics
from processor.worker import RollupConfig
from processor.worker.batch import Batch, BatchMaker
from processor.worker.rollups import Rollups
from tests.storing import insert_narrow
from tests.strategies import NOW_NS

pytestmark = pytest.mark.every_store

BATCHES = BatchMaker()


def batch_of(tenant: str, trace: int, session: str, *, pending: bool = False) -> Batch:
    """A batch with one span; a pending one is kept out of rollups."""
    span = Span(trace_id=trace.to_bytes(16, "big"), span_id=b"\1" * 8, name="s", start_time_unix_nano=NOW_NS)
    span.attributes.append(KeyValue(key="session.id", value=AnyValue(string_value=session)))
    if pending:
        span.attributes.append(KeyValue(key="logfire.span_type", value=AnyValue(string_value="pending_span")))
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.append(span)
    return BATCHES.make([Record(tenant, request.SerializeToString())], NOW_NS)


def start(store: ClickHouseStore) -> tuple[Rollups, int]:
    """A process that has just started."""
    rollups = Rollups(store, RollupConfig(), Metrics())
    number = rollups.resume(0.0)
    rollups.learn()
    return rollups, number


def settle(rollups: Rollups) -> None:
    """Tick until everything is rolled up."""
    while not rollups.is_current:
        rollups.tick(1_000.0, force=True)


def sessions_of(store: ClickHouseStore, tenant: str, *sessions: str) -> dict[str, int]:
    """Traces by session, of those sessions that have a trace row."""
    keys = pl.DataFrame({"tenant": [tenant] * len(sessions), "session_id": list(sessions)})
    return dict(store.read_session_rollups(keys).select("session_id", "trace_count").iter_rows())


def test_a_batch_number_is_never_given_out_twice(store: ClickHouseStore) -> None:
    """A batch that left no narrow rows is only in the checkpoint; the next process must count on from there.

    Else its first batch would bear a number that is already rolled up, and be forgotten if the process dies.
    """
    rollups, number = start(store)
    for batch in (batch_of("once", 1, "first"), batch_of("once", 2, "none", pending=True)):
        number += 1
        insert_narrow(store, batch, number)
        rollups.add(batch.narrow, number, 0.0)
    settle(rollups)
    _, number = start(store)
    insert_narrow(store, batch_of("once", 3, "second"), number + 1)
    rollups, _ = start(store)  # the process between died before its first tick
    settle(rollups)
    assert sessions_of(store, "once", "first", "second", "none") == {"first": 1, "second": 1}


def test_a_session_that_waited_is_rolled_up_by_the_next_process(store: ClickHouseStore) -> None:
    """The checkpoint does not pass a batch whose session is still dirty."""
    rollups, number = start(store)
    sizes = [(("waits", "large"), 50_000)]
    rollups._sessions.note_sizes(sizes)  # a session so large that a tick leaves it for later
    batch = batch_of("waits", 1, "large")
    insert_narrow(store, batch, number + 1)
    rollups.add(batch.narrow, number + 1, 0.0)
    rollups.tick(1.0)
    assert not rollups.is_current
    rollups, _ = start(store)
    settle(rollups)
    keys = pl.DataFrame({"tenant": ["waits"], "session_id": ["large"]})
    assert store.read_session_sizes(keys)["trace_count"].to_list() == [1]


def test_a_trace_whose_write_failed_is_read_back(store: ClickHouseStore) -> None:
    """A write may fail after the store has taken it: what memory holds of the trace is no longer all there is."""
    rollups, number = start(store)
    first, second = batch_of("doubt", 1, "one"), batch_of("doubt", 1, "two")
    for batch in (first, second):
        number += 1
        insert_narrow(store, batch, number)
        if batch is first:
            rollups.add(batch.narrow, number, 0.0)
            settle(rollups)
    rollups.doubt(second.narrow, number, 0.0)
    settle(rollups)
    keys = pl.DataFrame({"tenant": ["doubt"] * 2, "session_id": ["one", "two"]})
    assert store.read_session_rollups(keys)["version"].to_list() == [2, 2]


def test_what_was_written_lately_can_be_told(store: ClickHouseStore) -> None:
    """A worker that knows the store as of some time learns the rest alone; the store's clock says when that was."""
    rollups, number = start(store)
    batch = batch_of("lately", 1, "one")
    insert_narrow(store, batch, number + 1)
    began_s = store.now_s()
    rollups.add(batch.narrow, number + 1, 0.0)
    settle(rollups)

    def known(since_s: int) -> set[str]:
        return {tenant for keys in store.trace_keys(since_s) for tenant in keys["tenant"]}

    assert known(0) == known(1) >= {"lately"}
    assert "lately" in known(began_s)
    assert known(store.now_s() + 1) == set()
