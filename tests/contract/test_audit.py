"""An audit finds nothing on a store that is right, however it came to be, and a rebuild mends one that is not."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from processor.conventions.previews import PreviewConfig
from processor.model import NANOS_PER_SECOND
from processor.pricing.prices import Prices
from processor.row_versions import OVER_ALL
from processor.store.auditing import AuditStore, Scope
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.store.rebuilding import Progress, RebuildStore
from processor.store.retention import RetentionConfig
from processor.worker.audit.differences import Difference
from processor.worker.audit.run import Audit, AuditPlan
from processor.worker.batch import BatchMaker
from processor.worker.rebuild import Rebuild
from processor.worker.reprice import reprice
from tests.contract.test_calls_once import CODE_LOG, CODE_SPAN, SPAN_BEFORE, log
from tests.contract.test_deletion import span
from tests.contract.test_reprice import OWN_PRICES, call
from tests.pipeline import SMALL, Pipeline
from tests.prices import PRICES
from tests.purging import Deleting, deleting
from tests.strategies import NOW_NS, Action, Deliver, deliveries, span_sets

__all__ = ["deleting"]

EXAMPLES = itertools.count()
BATCHES = BatchMaker(previews=PreviewConfig(enabled=False))


class Auditing:
    """Audits and rebuilds of one store, a tenant at a time."""

    def __init__(self, config: StoreConfig) -> None:
        self.store = RebuildStore(config)
        self.last: Audit | None = None

    def audit(
        self, tenant: str, prices: Prices | None = None, ttl: RetentionConfig | None = None, **plan: Any
    ) -> list[Difference]:
        """All that an audit of a tenant finds, where nobody writes."""
        self.last = Audit(
            self.store,
            prices or Prices(),
            ttl or RetentionConfig(),
            has_checkpoint=False,
            now_ns=NOW_NS,
            wait=None,
        )
        return list(self.last.run(AuditPlan(**{"sample": 1_000} | plan, scope=Scope(tenant=tenant))))

    def rebuild(
        self, tenant: str, at_once: int = 1_000, ends_after: int | None = None, since_ns: int | None = None
    ) -> Progress:
        """Of a tenant, ended after so many steps."""
        steps = itertools.count(1)

        def progress(_: Progress) -> None:
            if next(steps) == ends_after:
                raise InterruptedError

        return Rebuild(self.store, Prices(), False, progress, at_once).run(Scope(since_ns=since_ns, tenant=tenant))


@pytest.fixture(scope="module")
def auditing(store: ClickHouseStore, store_config: StoreConfig) -> Iterator[Auditing]:
    """On this module's tables."""
    made = Auditing(store_config)
    yield made
    made.store.close()


def corrupt(client: Any, config: StoreConfig, table: str, replaced: str, tenant: str) -> None:
    """Write a row once more, wrong."""
    name = f"{config.database}.{table}"
    row = f"SELECT * REPLACE ({replaced}) FROM {name} FINAL WHERE tenant = '{tenant}' LIMIT 1"
    client.command(f"INSERT INTO {name} {row}")


@settings(max_examples=8, phases=[Phase.explicit, Phase.generate, Phase.shrink])
@given(data=st.data())
def test_a_store_that_is_right_is_found_right(store: ClickHouseStore, auditing: Auditing, data: st.DataObject) -> None:
    """Any set of spans, delivered in any order, with ticks and restarts between."""
    prefix = f"right-{next(EXAMPLES)}-"
    plan = data.draw(deliveries(data.draw(span_sets())))
    pipeline = Pipeline(store, SMALL, BATCHES, PRICES)
    tenants = set()
    for step in plan:
        if isinstance(step, Deliver):
            tenants.add(prefix + step.tenant)
            pipeline.deliver(prefix + step.tenant, step.request.SerializeToString())
        elif step is Action.RESTART:
            pipeline.restart()
        else:
            pipeline.tick(force=step is Action.SETTLE)
    pipeline.settle()
    for tenant in tenants:
        assert auditing.audit(tenant, PRICES) == []


def test_wrong_rows_are_found_and_mended(
    store: ClickHouseStore, auditing: Auditing, client: Any, store_config: StoreConfig
) -> None:
    """Under the right row's version, under one above all, and where there is none; a rebuild is ended in between."""
    pipeline = Pipeline(store)
    for number in range(1, 7):
        pipeline.deliver("wrong", call(number, number, **{"session.id": f"s{number}"}))
    pipeline.settle()
    assert auditing.audit("wrong") == []
    corrupt(client, store_config, "session_rollups", "total_tokens + 1 AS total_tokens", "wrong")
    corrupt(client, store_config, "session_traces", "7 AS error_count", "wrong")
    corrupt(client, store_config, "trace_sessions", "['other'] AS session_ids", "wrong")
    high = "'s2' AS session_id, version + 5000000 AS version, 1 AS input_tokens"
    corrupt(client, store_config, "session_rollups", high, "wrong")
    absurd = "bitShiftLeft(toUInt64(1), 50) AS version, 9 AS tool_call_count"
    corrupt(client, store_config, "session_traces", absurd, "wrong")
    corrupt(client, store_config, "session_traces", "'ghost' AS session_id", "wrong")
    found = {(one.table, one.column) for one in auditing.audit("wrong")}
    assert {
        ("session_rollups", "total_tokens"),
        ("session_traces", "error_count"),
        ("trace_sessions", "session_ids"),
        ("session_rollups", "version"),
        ("session_traces", "version"),
        ("session_traces", "(row)"),
    } <= found
    with pytest.raises(InterruptedError):
        auditing.rebuild("wrong", at_once=2, ends_after=2)
    begun = store.revision()
    done = auditing.rebuild("wrong", at_once=2)
    assert (store.revision(), done.revision) == (begun, begun)
    assert done.traces == 6
    assert auditing.audit("wrong") == []
    pipeline.deliver("wrong", call(1, 100, **{"session.id": "s1"}))  # and what comes after it counts
    pipeline.settle()
    assert auditing.audit("wrong") == []


def test_a_log_record_that_is_told_wrongly_not_to_count_is_found_and_mended(
    store: ClickHouseStore, auditing: Auditing, client: Any, store_config: StoreConfig
) -> None:
    """By a row as its call's span writes it. That of a span that there is stays, in a rebuild of the rest too."""
    pipeline = Pipeline(store)
    for tenant, sent in (("logged", [log(CODE_LOG)]), ("traced", [log(CODE_LOG), CODE_SPAN])):
        for signal, request in sent:
            pipeline.deliver(tenant, request, signal)
    pipeline.settle()
    name = f"{store_config.database}.session_traces"
    rows = f"SELECT * FROM {name} WHERE tenant = 'traced' AND version >= {OVER_ALL}"
    client.command(f"INSERT INTO {name} SELECT * REPLACE ('logged' AS tenant) FROM ({rows})")
    assert auditing.audit("logged")
    assert auditing.audit("traced") == []
    auditing.rebuild("logged")
    auditing.rebuild("traced", since_ns=SPAN_BEFORE)
    for tenant in ("logged", "traced"):
        assert auditing.audit(tenant) == []


def test_what_has_not_been_rolled_up_is_left_out(store: ClickHouseStore, auditing: Auditing) -> None:
    """By the checkpoint, where one process writes and says in the store how far it is."""
    pipeline = Pipeline(store)
    pipeline.deliver("late", call(1, 1))
    pipeline.settle()
    pipeline.deliver("late", call(1, 2))
    audit = Audit(
        auditing.store,
        Prices(),
        RetentionConfig(),
        has_checkpoint=True,
        now_ns=NOW_NS,
        wait=lambda _: pipeline.settle(),
    )
    assert list(audit.run(AuditPlan(10, scope=Scope(tenant="late")))) == []
    assert (audit.done.sessions, audit.done.moving) == (1, 0)
    pipeline.deliver("late", call(1, 3))
    unsettled = Audit(
        auditing.store, Prices(), RetentionConfig(), has_checkpoint=True, now_ns=NOW_NS, wait=lambda _: None
    )
    assert list(unsettled.run(AuditPlan(10, scope=Scope(tenant="late"), looks_max=3))) == []
    assert (unsettled.done.sessions, unsettled.done.moving) == (0, 1)
    pipeline.settle()


def test_deletions_are_no_difference(store: ClickHouseStore, auditing: Auditing, deleting: Deleting) -> None:
    """Neither in a trace that the deleted session shared, nor of the session itself."""
    pipeline = Pipeline(store)
    trace = "ab" * 16
    pipeline.deliver("deleted", span(trace, 1, "stays"))
    pipeline.deliver("deleted", span(trace, 2, "goes", parent=1))
    pipeline.settle()
    deleting.delete("deleted", "goes", time.time_ns() // 1_000_000)
    deleting.purge()
    pipeline.settle()
    assert auditing.audit("deleted") == []
    assert auditing.last is not None
    assert auditing.last.done.sessions == 1
    auditing.rebuild("deleted")
    assert auditing.audit("deleted") == []


def test_costs_by_other_prices_are_not_compared(
    store: ClickHouseStore, auditing: Auditing, client: Any, store_config: StoreConfig
) -> None:
    """Until rows are made by the prices in use; all else is."""
    pipeline = Pipeline(store)
    pipeline.deliver("priced", call(1, 1))
    pipeline.settle()
    auditing.rebuild("priced")  # by the built-in prices
    assert auditing.audit("priced", OWN_PRICES) == []
    assert auditing.last is not None
    assert auditing.last.done.costs_as_stored
    reprice(store, OWN_PRICES, 0, lambda *_: None)
    assert auditing.audit("priced", OWN_PRICES) == []
    assert not auditing.last.done.costs_as_stored
    corrupt(client, store_config, "session_traces", "1 AS cost_nano_usd", "priced")
    assert ("session_traces", "cost_nano_usd") in {
        (one.table, one.column) for one in auditing.audit("priced", OWN_PRICES)
    }


def test_a_sample_is_that_of_its_seed(store: ClickHouseStore, auditing: Auditing) -> None:
    """Sessions that any table names; the same for the same seed, whatever the size of the store."""
    pipeline = Pipeline(store)
    for number in range(1, 41):
        pipeline.deliver("sampled", call(number, number, **{"session.id": f"s{number}"}))
    reader: AuditStore = auditing.store
    first, again, other = (reader.sampled_sessions(Scope(tenant="sampled"), 10, seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.sort("session_id").equals(other.sort("session_id"))
    assert len(reader.sampled_sessions(Scope(tenant="sampled"), 100, 1)) == 40
    pipeline.settle()
    until = Scope(until_ns=NOW_NS - 3600 * NANOS_PER_SECOND, tenant="sampled")
    assert isinstance(first, pl.DataFrame)
    assert reader.sampled_sessions(until, 100, 1).is_empty()
