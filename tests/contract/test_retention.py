"""Rows are kept as long as the configuration says, and what is gone changes no total."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from processor.errors import ConfigError
from processor.pricing.prices import Prices
from processor.store.clickhouse import open_store
from processor.store.connection import StoreConfig, connect
from processor.store.retention import RetentionConfig
from processor.store.schema import check_schema, migrate_schema
from processor.worker.reprice import reprice
from tests.contract.test_reprice import call
from tests.pipeline import Pipeline
from tests.purging import Deleting, found
from tests.strategies import DAY_NS, NOW_NS

pytestmark = pytest.mark.every_store

ALL = RetentionConfig(traces_days=7, spans_days=7, logs_days=7, metrics_days=7, rollups_days=7)


@pytest.fixture
def config(store_config: StoreConfig, request: pytest.FixtureRequest) -> Iterator[StoreConfig]:
    """A store with a database of the test's own, not created yet."""
    database = f"retention_{zlib.crc32(request.node.name.encode()):08x}"
    yield replace(store_config, database=database)
    with connect(replace(store_config, database="system")) as client:
        client.command(f"DROP DATABASE IF EXISTS {database}")


def test_what_differs_is_told_and_set(config: StoreConfig) -> None:
    """Shorter, longer and for ever again; an owner's own TTL stays where the configuration says nothing."""
    migrate_schema(config)
    assert check_schema(config) == []
    week = replace(config, ttl=RetentionConfig(traces_days=7, spans_days=7))
    assert check_schema(week) == [
        "table otel_traces has the TTL (), expected (toDateTime(Timestamp) + toIntervalDay(7))",
        "table session_spans has the TTL (), expected (toDateTime(intDiv(start_ns, 1000000000)) + toIntervalDay(7))",
        "table deleted_spans has the TTL (), expected "
        "(toDateTime(intDiv(start_ns, 1000000000)) + toIntervalDay(7) WHERE start_ns > 0)",
    ]
    assert len(migrate_schema(week)) == 3
    assert (migrate_schema(week), check_schema(week)) == ([], [])
    month = replace(config, ttl=RetentionConfig(traces_days=7, spans_days=30))
    assert len(check_schema(month)) == 2
    migrate_schema(month)
    spans = ("deleted_spans", "otel_traces", "session_spans")
    assert migrate_schema(config) == [f"set the TTL of {table} to none" for table in spans]
    with connect(config) as client:
        client.command(f"ALTER TABLE {config.database}.otel_logs MODIFY TTL TimestampTime + toIntervalMonth(1)")
    assert (check_schema(config), migrate_schema(config)) == ([], [])
    own = replace(config, ttl=RetentionConfig(logs_days=3))
    assert migrate_schema(own) == ["set the TTL of otel_logs to TimestampTime + toIntervalDay(3)"]


def expire(client: Any, database: str) -> None:
    """Do now what merges do by and by."""
    for table in ("session_spans", "otel_traces", "session_traces", "session_rollups", "trace_sessions"):
        client.command(f"OPTIMIZE TABLE {database}.{table} FINAL")


def test_expired_sessions_leave_nothing(config: StoreConfig) -> None:
    """With one time for all tables nothing of an old session stays, and nothing of a new one goes."""
    store, client = open_store(replace(config, ttl=ALL)), connect(config)
    try:
        pipeline = Pipeline(store)
        pipeline.deliver("old", call(1, 1, **{"session.id": "old-session"}, start_ns=NOW_NS - 399 * DAY_NS))
        pipeline.deliver("new", call(2, 1, **{"session.id": "new-session"}, start_ns=NOW_NS))
        pipeline.settle()
        # The tables' clock is not the test's.
        is_over = client.query(
            "SELECT now() > toDateTime(intDiv({ns:Int64}, 1000000000)) + toIntervalDay(7)",
            {"ns": NOW_NS - 399 * DAY_NS},
        )
        assert is_over.result_rows == [(1,)]
        expire(client, config.database)
        assert found(client, config.database, "old-session") == {}
        assert found(client, config.database, "old") == {}
        assert len(found(client, config.database, "new-session")) == 5
    finally:
        store.close()
        client.close()


SHORT = RetentionConfig(traces_days=7, spans_days=7)
OLD_NS = NOW_NS - 399 * DAY_NS


class Aged:
    """A trace of two sessions that was rolled up, and whose spans are gone since."""

    def __init__(self, config: StoreConfig) -> None:
        self.database = config.database
        store = open_store(config)
        with connect(config) as held, contextlib.closing(store):
            pipeline = Pipeline(store)
            for span, session in ((1, "doomed"), (2, "doomed"), (3, "staying")):
                pipeline.deliver("t", call(1, span, **{"session.id": session}, start_ns=OLD_NS + span))
            pipeline.settle()
            assert held.query(f"SELECT count() FROM {self.database}.session_spans").result_rows == [(3,)]
        self.config = replace(config, ttl=SHORT)
        self.store, self.client = open_store(self.config), connect(self.config)
        expire(self.client, self.database)
        assert self.client.query(f"SELECT count() FROM {self.database}.session_spans").result_rows == [(0,)]
        self.pipeline = Pipeline(self.store)

    def late(self, span: int) -> None:
        """A span comes after all."""
        self.pipeline.deliver("t", call(1, span, **{"session.id": "staying"}, start_ns=NOW_NS))
        self.pipeline.settle()

    def sessions(self) -> dict[str, tuple[int, int]]:
        """Spans and tokens by session."""
        query = f"SELECT session_id, span_count, total_tokens FROM {self.database}.sessions"
        return {row[0]: row[1:] for row in self.client.query(query).result_rows}

    def close(self) -> None:
        """Close all clients."""
        self.store.close()
        self.client.close()


@pytest.fixture
def aged(config: StoreConfig) -> Iterator[Aged]:
    """Such a trace."""
    opened = Aged(config)
    yield opened
    opened.close()


BEFORE = {"doomed": (2, 2200), "staying": (1, 1100)}


def test_a_late_span_of_a_trace_whose_spans_are_gone_changes_no_total(aged: Aged) -> None:
    """Spans may be kept for a shorter time than roll-ups: what was made of more stays, also under a new revision."""
    aged.late(4)
    assert aged.sessions() == BEFORE
    reprice(aged.store, Prices(), 0, lambda *_: None)
    aged.late(5)
    assert aged.sessions() == BEFORE


def test_a_deletion_in_a_trace_whose_spans_are_gone_leaves_the_other_session(aged: Aged) -> None:
    """The session is gone from the trace's row, and the other one's row is what it was."""
    aged.late(4)
    deleting = Deleting(aged.config)
    try:
        deleting.delete("t", "doomed")
        deleting.purge()
        assert aged.sessions() == {"staying": (1, 1100)}
        assert found(aged.client, aged.database, "doomed", ("deleted_sessions",)) == {}
        aged.late(5)
        assert aged.sessions() == {"staying": (1, 1100)}
    finally:
        deleting.close()


def test_spans_that_lead_to_others_are_kept_as_long(config: StoreConfig) -> None:
    """Else a deletion would not find what it has to remove."""
    with pytest.raises(ConfigError, match="spans_days: 7 is less than traces_days"):
        RetentionConfig(spans_days=7)
