"""Two ingests, one row of numbers: no checkpoint and no commit passes a batch that is not in the store yet."""

from __future__ import annotations

import pytest

from processor.store.clickhouse import ClickHouseStore
from processor.telemetry.metrics import Metrics
from processor.worker import RollupConfig
from processor.worker.numbers import BatchNumbers
from processor.worker.rollups import Rollups
from tests.contract.test_resume import batch_of, sessions_of, settle, start
from tests.storing import insert_narrow

pytestmark = pytest.mark.every_store


def numbered(store: ClickHouseStore) -> tuple[Rollups, BatchNumbers]:
    """A process that has just started, its rollups and its numbers."""
    numbers = BatchNumbers()
    rollups = Rollups(store, RollupConfig(), Metrics(), numbers=numbers)
    numbers.start(rollups.resume(0.0))
    rollups.learn()
    return rollups, numbers


def test_a_checkpoint_does_not_pass_a_batch_on_its_way(store: ClickHouseStore) -> None:
    """Spans are decoded, log records stored and rolled up: if the process dies when it has stored the spans, the next
    one finds them.
    """
    rollups, numbers = numbered(store)
    settle(rollups)
    before = store.checkpoint()
    spans, logs = numbers.take(1), numbers.take(1)
    insert_narrow(store, batch_of("way", 2, "logs"), logs)
    rollups.add(batch_of("way", 2, "logs").narrow, logs, 0.0)
    numbers.settle(logs)
    settle(rollups)
    assert rollups.rolled_up_to == store.checkpoint() == before
    assert sessions_of(store, "way", "logs") == {"logs": 1}
    insert_narrow(store, batch_of("way", 1, "spans"), spans)  # and here it dies
    resumed, _ = start(store)
    settle(resumed)
    assert sessions_of(store, "way", "spans", "logs") == {"spans": 1, "logs": 1}


def test_a_batch_that_has_arrived_and_is_not_rolled_up_holds_the_checkpoint(store: ClickHouseStore) -> None:
    """It is settled before a tick gets to it: what arrived during a tick is none of that tick's."""
    rollups, numbers = numbered(store)
    settle(rollups)
    before = rollups.rolled_up_to
    spans, logs = numbers.take(1), numbers.take(1)
    for number, trace, session in ((logs, 4, "logs"), (spans, 3, "spans")):
        insert_narrow(store, batch_of("late", trace, session), number)
    rollups.add(batch_of("late", 4, "logs").narrow, logs, 0.0)
    numbers.settle(logs)

    # The other batch arrives while the tick writes its sessions.
    writing = store.write_sessions

    def write_sessions(rows: object) -> None:
        writing(rows)  # type: ignore[arg-type]
        rollups.add(batch_of("late", 3, "spans").narrow, spans, 0.0)
        numbers.settle(spans)
        store.write_sessions = writing  # type: ignore[method-assign]

    store.write_sessions = write_sessions  # type: ignore[method-assign]
    rollups.tick(1_000.0, force=True)
    assert rollups.rolled_up_to == store.checkpoint() == before
    settle(rollups)
    assert rollups.rolled_up_to == store.checkpoint() == logs
    assert sessions_of(store, "late", "spans", "logs") == {"spans": 1, "logs": 1}


def test_a_batch_with_a_smaller_number_may_arrive_later(store: ClickHouseStore) -> None:
    """Rolled up in one go with a later one, it still holds nothing back and is not forgotten."""
    rollups, numbers = numbered(store)
    spans, logs = numbers.take(1), numbers.take(1)
    for number, trace, session in ((logs, 6, "logs"), (spans, 5, "spans")):
        insert_narrow(store, batch_of("order", trace, session), number)
        rollups.add(batch_of("order", trace, session).narrow, number, 0.0)
        numbers.settle(number)
    settle(rollups)
    assert rollups.rolled_up_to == logs
    assert sessions_of(store, "order", "spans", "logs") == {"spans": 1, "logs": 1}


def test_a_batch_that_is_rolled_up_before_it_is_settled_is_said_to_be_in_the_end(store: ClickHouseStore) -> None:
    """A tick may be faster than the event loop: what it could not say yet, the last tick before a stop says."""
    rollups, numbers = numbered(store)
    number = numbers.take(1)
    insert_narrow(store, batch_of("fast", 7, "fast"), number)
    rollups.add(batch_of("fast", 7, "fast").narrow, number, 0.0)
    rollups.tick(1_000.0, force=True)
    assert rollups.rolled_up_to < number
    numbers.settle(number)
    settle(rollups)
    assert rollups.rolled_up_to == store.checkpoint() == number
