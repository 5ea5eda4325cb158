"""Every field of a log record survives into `otel_logs`, and what belongs to a session is found again."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from processor.decode.verdicts import RECORD_TOO_NEW, RECORD_TOO_OLD
from processor.errors import Permanent
from processor.log.base import Record
from processor.model import Receipt
from processor.signals import Signal
from processor.store.clickhouse import ClickHouseStore
from processor.store.connection import StoreConfig
from processor.store.queries import SessionQueries
from processor.worker.batch import BatchMaker
from tests.contract.test_roundtrip import (
    COUNTS,
    PAIRS,
    RESOURCES,
    SCOPES,
    TEXTS,
    TIME_NS_MAX,
    VALUES,
    as_text,
    comparable,
    texts,
)
from tests.integration.stored import insert, trace
from tests.storing import insert_wide
from tests.strategies import DAY_NS, NOW_NS, any_value

pytestmark = pytest.mark.every_store

MAKER = BatchMaker()
TENANTS = (f"logs-{number}" for number in itertools.count())

Row = dict[str, Any]


def store_logs(store: ClickHouseStore, tenant: str, request: ExportLogsServiceRequest) -> list[Any]:
    """Send a request the way the worker does; what its exporter is told."""
    batch = MAKER.make([Record(tenant, request.SerializeToString())], NOW_NS, Signal.LOGS)
    insert_wide(store, batch, "otel_logs")
    return batch.outcomes


def stored(client: Any, config: StoreConfig, tenant: str, final: str = "FINAL") -> list[Row]:
    """The tenant's rows. Times come in nanoseconds."""
    result = client.query(
        f"""SELECT * REPLACE (
            toUnixTimestamp64Nano(Timestamp) AS Timestamp,
            toUnixTimestamp(TimestampTime) AS TimestampTime,
            toUnixTimestamp64Nano(ObservedTimestamp) AS ObservedTimestamp)
        FROM {config.database}.otel_logs {final} WHERE Tenant = %(tenant)s ORDER BY Timestamp""",
        parameters={"tenant": tenant},
    )
    return list(result.named_results())


def valid_hex(raw: bytes, length: int) -> str:
    """An id, or '' for what is none."""
    return raw.hex() if len(raw) == length and any(raw) else ""


def expected_row(resource: ResourceLogs, scope: ScopeLogs, record: LogRecord) -> Row:
    """One record with what its resource and scope say."""
    time_ns = record.time_unix_nano or record.observed_time_unix_nano
    service = [pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name"]
    return {
        "Timestamp": time_ns,
        "TimestampTime": min(time_ns // 10**9, 2**32 - 1),
        "TraceId": valid_hex(record.trace_id, 16),
        "SpanId": valid_hex(record.span_id, 8),
        "TraceFlags": record.flags & 255,
        "SeverityText": record.severity_text,
        "SeverityNumber": min(max(record.severity_number, 0), 255),
        "ServiceName": service[0] if service else "",
        "Body": as_text(record.body),
        "ResourceSchemaUrl": resource.schema_url,
        "ResourceAttributes": texts(resource.resource.attributes),
        "ScopeSchemaUrl": scope.schema_url,
        "ScopeName": scope.scope.name,
        "ScopeVersion": scope.scope.version,
        "ScopeAttributes": texts(scope.scope.attributes),
        "LogAttributes": texts(record.attributes),
        "EventName": record.event_name,
        "ObservedTimestamp": min(record.observed_time_unix_nano, TIME_NS_MAX),
        "Flags": record.flags,
        "DroppedAttributesCount": record.dropped_attributes_count,
        "ResourceDroppedAttributesCount": resource.resource.dropped_attributes_count,
        "ScopeDroppedAttributesCount": scope.scope.dropped_attributes_count,
    }


RECORDS = st.builds(
    LogRecord,
    time_unix_nano=st.sampled_from([0, NOW_NS, NOW_NS - DAY_NS + 1]),
    observed_time_unix_nano=st.sampled_from([NOW_NS, NOW_NS + 1]),
    severity_number=st.sampled_from([0, 9, 24, 25, 256, -1]),
    severity_text=TEXTS,
    body=VALUES.map(any_value),
    attributes=PAIRS,
    dropped_attributes_count=COUNTS,
    flags=COUNTS,
    trace_id=st.sampled_from([b"", bytes(16), b"\1" * 16, b"\1" * 15]),
    span_id=st.sampled_from([b"", bytes(8), b"\2" * 8, b"\2" * 9]),
    event_name=TEXTS,
)


@settings(max_examples=60, deadline=None)
@given(record=RECORDS, scope=SCOPES, resource=RESOURCES, urls=st.tuples(TEXTS, TEXTS))
def test_every_field_of_a_record_survives(
    store: ClickHouseStore,
    client: Any,
    store_config: StoreConfig,
    record: LogRecord,
    scope: Any,
    resource: Any,
    urls: tuple[str, str],
) -> None:
    """Every column says what the record, its resource and its scope said, and there is no other column."""
    tenant = next(TENANTS)
    request = ExportLogsServiceRequest()
    of_resource = ResourceLogs(resource=resource, schema_url=urls[0])
    of_scope = ScopeLogs(scope=scope, schema_url=urls[1], log_records=[record])
    of_resource.scope_logs.append(of_scope)
    request.resource_logs.append(of_resource)
    assert store_logs(store, tenant, request) == [Receipt(accepted_spans=1)]
    (row,) = stored(client, store_config, tenant)
    assert row.pop("Tenant") == tenant
    del row["SessionId"]  # not a field: `test_records_of_a_session`
    for column, attributes in (
        ("LogAttributes", record.attributes),
        ("ResourceAttributes", of_resource.resource.attributes),
        ("ScopeAttributes", of_scope.scope.attributes),
    ):
        row[column] = comparable(row[column], attributes)
    body = comparable({"body": row["Body"]}, [any_pair("body", record)])
    row["Body"] = body["body"]
    assert row == expected_row(of_resource, of_scope, record)


def any_pair(key: str, record: LogRecord) -> Any:
    """The body as if it were an attribute."""
    pair = type(record.attributes.add())(key=key, value=record.body)
    del record.attributes[-1]
    return pair


def request_of(*records: LogRecord) -> ExportLogsServiceRequest:
    """One request, one scope."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.extend(records)
    return request


def test_a_redelivered_record_overwrites_itself(store: ClickHouseStore, client: Any, store_config: StoreConfig) -> None:
    """And another, of the same moment, does not."""
    tenant = next(TENANTS)
    one, other = (LogRecord(time_unix_nano=NOW_NS, body=any_value(body)) for body in ("one", "other"))
    for records in ([one, other], [one], [other, one]):
        store_logs(store, tenant, request_of(*records))
    assert sorted(row["Body"] for row in stored(client, store_config, tenant)) == ["one", "other"]


def test_a_record_of_an_absurd_time_is_refused_alone(
    store: ClickHouseStore, client: Any, store_config: StoreConfig
) -> None:
    """It would open a partition of its own. One without any time is kept."""
    tenant = next(TENANTS)
    times = (1, NOW_NS + 30 * DAY_NS, NOW_NS, 0)
    outcomes = store_logs(store, tenant, request_of(*(LogRecord(time_unix_nano=time_ns) for time_ns in times)))
    message = f"1 log record: {RECORD_TOO_OLD}; 1 log record: {RECORD_TOO_NEW}"
    assert outcomes == [Receipt(accepted_spans=2, rejected_spans=2, message=message)]
    assert [row["Timestamp"] for row in stored(client, store_config, tenant)] == [0, NOW_NS]


def test_a_malformed_request_is_refused_and_those_beside_it_are_not() -> None:
    """Also when only a nested value is broken, at which the columnar parser does not look."""
    good = request_of(LogRecord(time_unix_nano=NOW_NS)).SerializeToString()
    broken = LogRecord(time_unix_nano=NOW_NS).SerializeToString() + b"\x2a\x04\x2a\x02\xff\xff"  # body.array_value
    nested = b"\x0a" + bytes([len(broken) + 4]) + b"\x12" + bytes([len(broken) + 2]) + b"\x12" + bytes([len(broken)])
    values = [good, b"garbage", good, nested + broken]
    batch = MAKER.make([Record("acme", value) for value in values], NOW_NS, Signal.LOGS)
    assert [type(outcome) for outcome in batch.outcomes] == [Receipt, Permanent, Receipt, Permanent]
    assert "malformed ExportLogsServiceRequest" in str(batch.outcomes[1])
    assert len(batch.wide) == 2


def test_records_of_a_session(store: ClickHouseStore, client: Any, store_config: StoreConfig) -> None:
    """Those that name it, and those that name none in a trace of it; each once, in order, and no one else's."""
    tenant = next(TENANTS)

    def record(second: int, trace_id: int = 0, session: str = "") -> LogRecord:
        found = LogRecord(time_unix_nano=NOW_NS + second * 10**9, body=any_value(f"{second}"))
        found.trace_id = trace_id.to_bytes(16, "big") if trace_id else b""
        if session:
            found.attributes.add(key="session.id").value.string_value = session
        return found

    records = (
        record(3, 1),
        record(1, session="s"),
        record(2, 2, "s"),  # its own id wins over the trace's
        record(4, 2),  # of a trace of another session
        record(5, 3),  # of a trace that left the session
        record(6, 1, "other"),
        record(7),
    )
    for _ in range(2):
        store_logs(store, tenant, request_of(*records))
    store_logs(store, next(TENANTS), request_of(*records))
    rows = [trace("s", f"{1:032x}"), trace("other", f"{2:032x}"), trace("s", f"{3:032x}")]
    rows.append(trace("s", f"{3:032x}", version=2, span_count=0))
    insert(client, store_config.database, "session_traces", *({**row, "tenant": tenant} for row in rows))
    queries = SessionQueries(client, store_config.database)
    found, total = queries.session_logs(tenant, "s")
    assert [(row["body"], row["own_session"]) for row in found] == [("1", 1), ("2", 1), ("3", 0)]
    assert total == 3
    page, total = queries.session_logs(tenant, "s", limit=1, offset=1)
    assert ([row["body"] for row in page], total) == (["2"], 3)
    assert queries.session_logs(tenant, "nobody") == ([], 0)
