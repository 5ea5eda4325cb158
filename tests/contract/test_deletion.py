"""A deleted session is gone from every answer at once, and from every table after a purge; its late spans follow it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from processor.model import NANOS_PER_SECOND
from processor.signals import Signal
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.store.queries import SessionQueries
from tests.pipeline import Pipeline
from tests.purging import NOW_MS, TOMBSTONES, Deleting, deleting
from tests.strategies import NOW_NS, any_value

pytestmark = pytest.mark.every_store
__all__ = ["deleting"]

NUMBERS = itertools.count(1)
START_NS = NOW_NS - 3600 * NANOS_PER_SECOND
SECRET = "a-secret-word"


def span(trace: str, span_id: int, session: str = "", *, parent: int = 0, after_s: int = 0, **said: Any) -> bytes:
    """A request with one model call of a hundred tokens, which says the secret word everywhere it can."""
    request = ExportTraceServiceRequest()
    attributes = {
        **({"session.id": session} if session else {}),
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": f"model {SECRET}",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.input.messages": f"[{SECRET}]",
        **said,
    }
    start_ns = START_NS + (after_s or span_id) * NANOS_PER_SECOND
    request.resource_spans.add().scope_spans.add().spans.add(
        trace_id=bytes.fromhex(trace),
        span_id=span_id.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=f"chat {SECRET}",
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + NANOS_PER_SECOND,
        attributes=[KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()],
    )
    return request.SerializeToString()


def plain(trace: str, span_id: int, session: str, **said: Any) -> bytes:
    """The same without the secret word: of a session that stays."""
    return span(trace, span_id, session, **said).replace(SECRET.encode(), b"an-open-words")


def log(session: str = "", trace: str = "", span_id: int = 0) -> bytes:
    """A request with one log record."""
    request = ExportLogsServiceRequest()
    record = (
        request.resource_logs.add()
        .scope_logs.add()
        .log_records.add(time_unix_nano=START_NS, body=AnyValue(string_value=SECRET))
    )
    if session:
        record.attributes.append(KeyValue(key="session.id", value=AnyValue(string_value=session)))
    if trace:
        record.trace_id, record.span_id = bytes.fromhex(trace), span_id.to_bytes(8, "big")
    return request.SerializeToString()


class Case:
    """A tenant of a test's own, with ids that nobody else has."""

    def __init__(self, store: ClickHouseStore, config: StoreConfig, client: Any, deleting: Deleting) -> None:
        number = next(NUMBERS)
        self.tenant = f"tenant-{number}"
        self.session, self.other = f"doomed-{number}", f"staying-{number}"
        self.traces = [f"{number:016x}{trace:016x}" for trace in range(1, 4)]
        self.secret = f"secret-{number:06d}"  # what its spans say in place of SECRET
        self.pipeline = Pipeline(store)
        self.deleting = deleting
        self._client = client
        self._database = config.database
        self.queries = SessionQueries(client, config.database)

    def deliver(self, *requests: bytes, signal: Signal = Signal.TRACES) -> None:
        """Store and roll up."""
        for request in requests:
            self.pipeline.deliver(self.tenant, request.replace(SECRET.encode(), self.secret.encode()), signal)
        self.pipeline.settle()

    def delete(self) -> None:
        """The session that is to go."""
        self.deleting.delete(self.tenant, self.session)

    def sessions(self) -> dict[str, tuple[int, int]]:
        """What people see: spans and tokens by session."""
        query = (
            f"SELECT session_id, span_count, total_tokens FROM {self._database}.sessions WHERE tenant = {{t:String}}"
        )
        return {row[0]: row[1:] for row in self._client.query(query, {"t": self.tenant}).result_rows}

    def assert_gone(self, *needles: str, but: Sequence[str] = TOMBSTONES) -> None:
        """No table has any of these texts, tombstones aside."""
        for needle in (self.secret, self.session, *needles):
            assert self.deleting.tables_with(needle, but=tuple(but)) == {}, needle


@pytest.fixture
def case(store: ClickHouseStore, store_config: StoreConfig, client: Any, deleting: Deleting) -> Case:
    """A fresh one for each test."""
    return Case(store, store_config, client, deleting)


def test_a_deleted_session_is_in_no_answer_before_anything_is_removed(case: Case) -> None:
    """Lists, totals, details, threads, models, traces, spans and log records: from the moment that it is deleted."""
    t1, t2, _ = case.traces
    case.deliver(span(t1, 1, case.session, **{"thread_id": "th"}), span(t1, 2), plain(t2, 1, case.other), span(t1, 3))
    case.deliver(log(case.session), log(trace=t1, span_id=1), signal=Signal.LOGS)
    assert case.sessions() == {case.session: (3, 300), case.other: (1, 100)}
    assert case.queries.session_logs(case.tenant, case.session)[1] == 2
    case.delete()
    assert case.sessions() == {case.other: (1, 100)}
    tenant, session = case.tenant, case.session
    assert case.queries.get_session(tenant, session) is None
    assert case.queries.session_traces(tenant, session) == ([], 0)
    assert case.queries.session_logs(tenant, session) == ([], 0)
    assert not any(case.queries.session_breakdown(tenant, session).values())
    assert [row["model"] for row in case.queries.list_models(tenant)[0]] == ["model an-open-words"]
    assert case.queries.get_thread(tenant, "th") is None


def test_nothing_of_it_is_left_in_any_table(case: Case) -> None:
    """Spans, log records, roll-ups and older versions of them: neither its ids nor a word that it said."""
    t1, t2, t3 = case.traces
    case.deliver(span(t1, 1, case.session), span(t1, 2, parent=1), span(t2, 1, case.session), plain(t3, 1, case.other))
    case.deliver(span(t2, 2, parent=1))  # so that there are older versions of rows
    case.deliver(log(case.session), log(trace=t1, span_id=1), signal=Signal.LOGS)
    assert len(case.deleting.tables_with(case.secret)) >= 4
    case.delete()
    assert case.deleting.purge()
    case.assert_gone(t1, t2)
    assert case.deleting.tables_with(case.secret, but=()) == {}
    assert not case.deleting.purge(), "nothing is left to do"
    assert case.sessions() == {case.other: (1, 100)}
    case.deleting.release()
    case.assert_gone(t1, t2, but=())


@pytest.mark.parametrize("purged_first", [True, False])
def test_late_spans_do_not_bring_it_back(case: Case, purged_first: bool) -> None:
    """Redelivered ones, new ones, those without an id in its traces, new traces; also for a worker just started."""
    t1, t2, t3 = case.traces
    case.deliver(span(t1, 1, case.session), plain(t3, 1, case.other))
    case.delete()
    if purged_first:
        case.deleting.purge()
    case.pipeline.restart()
    case.deliver(span(t1, 1, case.session), span(t1, 2, parent=1), span(t1, 3, case.session), span(t2, 1, case.session))
    case.deliver(log(case.session), log(trace=t1, span_id=1), signal=Signal.LOGS)
    assert case.sessions() == {case.other: (1, 100)}
    case.deleting.purge()
    case.assert_gone(t1, t2)
    assert not case.deleting.purge()
    case.deliver(span(t1, 4), span(t2, 2))
    case.deleting.purge()
    case.assert_gone(t1, t2)
    assert case.sessions() == {case.other: (1, 100)}


def test_an_unknown_id_is_blocked(case: Case) -> None:
    """Its spans may be on their way."""
    case.delete()
    case.deleting.purge()
    case.deliver(span(case.traces[0], 1, case.session))
    assert case.sessions() == {}
    case.deleting.purge()
    case.assert_gone(case.traces[0])


def test_after_the_time_the_id_is_free(case: Case) -> None:
    """It is a new session then, of the new spans alone; a second deletion in between has kept it blocked."""
    t1, t2, _ = case.traces
    case.deliver(span(t1, 1, case.session))
    case.delete()
    case.deleting.purge()
    later_ms = NOW_MS + 29 * 86_400_000
    case.deleting.delete(case.tenant, case.session, later_ms)
    case.deleting.purge(later_ms)
    case.deleting.purge(NOW_MS + 31 * 86_400_000)
    case.deliver(span(t1, 1, case.session))
    assert case.sessions() == {}
    case.deleting.release()
    case.deleting.purge()
    assert case.deleting.tables_with(case.session) == {}
    case.deliver(span(t1, 2, case.session), span(t2, 3, case.session))
    assert case.sessions() == {case.session: (2, 200)}


def test_the_other_session_of_a_trace_stays_as_it_was(case: Case) -> None:
    """Its totals, also where a deleted call was what its wrapper repeats; and its own late spans count."""
    t1, *_ = case.traces
    wrapper = {"gen_ai.operation.name": "invoke_agent"}
    case.deliver(
        span(t1, 1, case.session),  # the root: its name is the trace's
        plain(t1, 2, case.other, parent=1, **wrapper),
        span(t1, 3, case.session, parent=2),
        plain(t1, 4, case.other, parent=1),
        span(t1, 5, parent=1),  # inherits the root's
    )
    before = case.sessions()
    assert before == {case.session: (3, 200), case.other: (2, 100)}
    case.delete()
    case.deleting.purge()
    assert case.sessions() == {case.other: before[case.other]}
    case.assert_gone()
    case.deliver(plain(t1, 2, case.other, parent=1, **wrapper), span(t1, 3, case.session, parent=2), span(t1, 6))
    assert case.sessions() == {case.other: before[case.other]}
    case.pipeline.restart()
    case.deliver(plain(t1, 7, case.other, parent=2))
    assert case.sessions() == {case.other: (3, 200)}
    case.deleting.purge()
    case.assert_gone()
    case.deleting.release()
    case.deliver(plain(t1, 8, case.other, parent=2))
    assert case.sessions() == {case.other: (4, 300)}
    case.assert_gone(but=())


def test_both_sessions_of_a_trace_may_be_deleted(case: Case) -> None:
    """One after the other, and nothing of the trace is left."""
    t1, *_ = case.traces
    case.deliver(span(t1, 1, case.session), span(t1, 2, case.other, parent=1))
    case.delete()
    case.deleting.purge()
    assert case.sessions() == {case.other: (1, 100)}
    case.deleting.delete(case.tenant, case.other)
    case.deleting.purge()
    case.assert_gone(t1, case.other)
    case.deleting.release()
    case.assert_gone(t1, case.other, but=())


def test_a_purge_that_dies_halfway_is_done_again(case: Case, client: Any, store_config: StoreConfig) -> None:
    """By the next process, from what the tables say; and two purges at once do no harm."""
    t1, t2, _ = case.traces
    case.deliver(span(t1, 1, case.session), plain(t2, 1, case.other), span(t2, 2, case.session))
    case.delete()
    case.deleting.begin()
    case.deleting.restart()
    case.deleting.begin()
    case.deleting.purge()
    case.assert_gone(t1)
    assert case.sessions() == {case.other: (1, 100)}
    assert not case.deleting.purge()


def test_a_session_deleted_while_a_tick_writes_it_is_purged_again(case: Case, store: ClickHouseStore) -> None:
    """The tick looked before, wrote after the purge, and looks once more."""
    t1, *_ = case.traces
    written = store.write_traces

    def late(*rows: Any) -> None:
        case.delete()
        case.deleting.purge()
        written(*rows)

    store.write_traces = late  # type: ignore[method-assign]
    try:
        case.deliver(span(t1, 1, case.session))
    finally:
        store.write_traces = written  # type: ignore[method-assign]
    assert case.sessions() == {}
    assert case.deleting.purge()
    case.assert_gone(t1)
