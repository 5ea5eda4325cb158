"""What is fuzzed: each target takes any bytes and raises only when something that must always hold does not.

    traces, logs, metrics                  protobuf from an exporter, or from anybody who writes to the topic
    traces_json, logs_json, metrics_json   the body of an HTTP request
    config                                 a configuration file

For protobuf: nothing is raised, what the official parser takes is taken, every item of it is accepted or rejected
aloud, a good request in the same poll is none the worse, and JSON of the same content gives the same rows.

Two things that no writer of protobuf produces are looser than the official parser, and known to be: an unfinished group
(wire type 3, which proto3 has not) is passed over, and of an attribute value that is set twice, as a string and as a
number, the string is taken instead of the last one. Hence rows are compared for what the official parser writes again.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processor.config import Config, read_config
from processor.config.document import parse_document
from processor.errors import ConfigError, OtelSessionsError, Permanent
from processor.log.base import Record
from processor.model import Receipt
from processor.receiver.item_count import count_items
from processor.receiver.otlp_json import serialized_request
from processor.signals import Signal
from processor.worker.batch import Batch, BatchMaker
from tests.fuzz.json_form import NotJson, as_json

NOW_NS: Final = 1_795_000_000_000_000_000
"""The clock of every target: what a finding says must not depend on when it is looked at."""

ENVIRONMENT: Final = {"SET": "1", "EMPTY": "", "DATE": "2026-13-45", "DEEP": "[" * 5_000}

REQUESTS: Final[Mapping[Signal, Any]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}


@cache
def _maker() -> BatchMaker:
    return BatchMaker()


@cache
def _good(signal: Signal) -> bytes:
    """A request that nobody could refuse."""
    request = REQUESTS[signal]()
    ids = {"trace_id": b"\1" * 16, "span_id": b"\2" * 8}
    match signal:
        case Signal.TRACES:
            spans = request.resource_spans.add().scope_spans.add().spans
            spans.add(**ids, start_time_unix_nano=NOW_NS - 5, end_time_unix_nano=NOW_NS)
        case Signal.LOGS:
            request.resource_logs.add().scope_logs.add().log_records.add(**ids, time_unix_nano=NOW_NS)
        case Signal.METRICS:
            metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
            metric.gauge.data_points.add(as_int=1, time_unix_nano=NOW_NS)
    serialized: bytes = request.SerializeToString()
    return serialized


def check_protobuf(signal: Signal, data: bytes) -> None:
    """Bytes from a log, beside a good request and, where they are a request, the same in JSON, each a tenant's own."""
    message, body = _parsed(signal, data), b""
    if message is not None:
        with contextlib.suppress(NotJson):
            body = as_json(message)
    payloads = {"data": data, "good": _good(signal)}
    if message is not None and body:
        payloads |= {"again": message.SerializeToString(), "json": _from_json(body, signal)}
    made = _made(signal, payloads)
    outcome = made.outcomes["data"]
    assert made.outcomes["good"] == Receipt(1), "a good request suffers from another"
    if message is None:
        assert isinstance(outcome, Receipt | Permanent), outcome
        return
    assert isinstance(outcome, Receipt), f"the official parser takes it: {outcome!r}"
    items = count_items(data, signal)
    assert items is None or outcome.accepted_spans + outcome.rejected_spans == items, (outcome, items)
    assert bool(outcome.rejected_spans) == bool(outcome.message)
    if payloads.get("json"):
        assert made.outcomes["json"] == made.outcomes["again"]
        assert made.rows("json") == made.rows("again")


def check_json(signal: Signal, data: bytes) -> None:
    """The body of a request that says that it is JSON: refused with a reason, or as good as protobuf."""
    try:
        serialized = serialized_request(data, signal)
    except Permanent as error:
        _must(bool(str(error)), "refused without a reason")
        return
    assert _parsed(signal, serialized) is not None, "we wrote protobuf that nobody reads"
    outcome = _made(signal, {"json": serialized}).outcomes["json"]
    assert isinstance(outcome, Receipt), outcome


def check_config(data: bytes) -> None:
    """A configuration is built, or refused with the place of what is wrong."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return  # `load_config` says so
    try:
        config = read_config(text, ENVIRONMENT)
    except ConfigError as error:
        _must(_names_a_place(str(error), text), str(error))
    else:
        assert isinstance(config, Config)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    **{signal.value: lambda data, signal=signal: check_protobuf(signal, data) for signal in Signal},
    **{f"{signal.value}_json": lambda data, signal=signal: check_json(signal, data) for signal in Signal},
    "config": check_config,
}


@dataclass(frozen=True, slots=True)
class _Made:
    """One poll in which each request is of a tenant of its own."""

    batch: Batch
    outcomes: dict[str, Receipt | OtelSessionsError]

    def rows(self, tenant: str) -> tuple[str, ...]:
        """A tenant's rows without its name, as they are printed: NaN is not equal to itself."""
        tables = (self.batch.wide, self.batch.narrow.to_arrow())
        return tuple(repr(_rows_of(table, tenant)) for table in tables)


def _rows_of(table: pa.Table, tenant: str) -> list[dict[str, object]]:
    (name,) = [name for name in table.column_names if name.lower() == "tenant"]
    rows: list[dict[str, object]] = table.filter(pc.equal(pc.cast(table[name], pa.string()), tenant)).to_pylist()
    return [{column: value for column, value in row.items() if column != name} for row in rows]


def _made(signal: Signal, payloads: Mapping[str, bytes]) -> _Made:
    batch = _maker().make([Record(tenant, payload) for tenant, payload in payloads.items()], NOW_NS, signal)
    return _Made(batch, dict(zip(payloads, batch.outcomes, strict=True)))


def _from_json(body: bytes, signal: Signal) -> bytes:
    """As the receiver reads it; nothing where it refuses values inside of values so deep."""
    try:
        return serialized_request(body, signal)
    except Permanent as error:
        _must("nested deeper" in str(error), str(error))
        return b""


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def _parsed(signal: Signal, data: bytes) -> Message | None:
    try:
        message: Message = REQUESTS[signal].FromString(data)
    except DecodeError:
        return None
    return message


_PLACE: Final = re.compile(r"line \d+, column \d+: ")


def _names_a_place(message: str, text: str) -> bool:
    if _PLACE.match(message):
        return True
    tree = parse_document(text)
    sections = [str(key) for key in tree] if isinstance(tree, dict) else []
    own = ("the file: ", *Config.__dataclass_fields__)
    return message.startswith((*own, *sections))
