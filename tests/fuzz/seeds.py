"""Where fuzzing begins: what real SDKs sent (tests/data/captures), cut short, and the configurations we ship."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from processor.conventions.metric_rules import RULES as METRIC_RULES
from processor.receiver.otlp_json import serialized_request
from processor.signals import Signal
from tests.fuzz.json_form import as_json
from tests.fuzz.targets import NOW_NS, REQUESTS

ROOT: Final = Path(__file__).parents[2]
CAPTURES: Final = ROOT / "tests" / "data" / "captures"
_ITEMS_MAX: Final = 3
_CHARS_MAX: Final = 60
_ITEMS: Final = ("spans", "log_records", "metrics")


def write_seeds(target: str, folder: Path) -> None:
    """One file a seed, named after what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in _seeds(target):
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def words(target: str) -> list[str]:
    """What a mutation of text may put in: names that the target knows."""
    if target == "config":
        text = (ROOT / "config" / "embedded.yaml").read_text()
        names = {line.strip("# ").partition(":")[0] for line in text.splitlines() if ":" in line}
        return sorted(
            {
                *(f"{name}:" for name in names if name.isidentifier()),
                "${env:SET}",
                "${env:DATE}",
                "${env:DEEP}",
                "${env:NONE:-1}",
                "!!int",
            }
        )
    if target.endswith("_json"):
        names = _field_names(REQUESTS[Signal(target.removesuffix("_json"))].DESCRIPTOR, set())
        return sorted({f'"{name}":' for name in names} | {'"NaN"', '"Infinity"', "1e999", "18446744073709551615"})
    return []


def _seeds(target: str) -> Iterator[bytes]:
    if target == "config":
        for path in sorted((ROOT / "config").glob("*.yaml")):
            yield "\n".join(line for line in path.read_text().splitlines() if not line.strip().startswith("#")).encode()
        return
    signal = Signal(target.removesuffix("_json"))
    if signal is Signal.METRICS:
        for request in _metrics():
            yield as_json(request) if target.endswith("_json") else request.SerializeToString()
    for path in sorted(CAPTURES.glob(f"*/[0-9]*.{signal.value}.*")):
        body = path.read_bytes()
        request = REQUESTS[signal].FromString(serialized_request(body, signal) if path.suffix == ".json" else body)
        _shorten(request)
        yield as_json(request) if target.endswith("_json") else request.SerializeToString()


def _metrics() -> Iterator[ExportMetricsServiceRequest]:
    """No capture has metrics: one of each kind for every name that is kept, and for one that is not."""
    for name in [*METRIC_RULES, "somebody.else"]:
        for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
            request = ExportMetricsServiceRequest()
            resource = request.resource_metrics.add()
            resource.resource.attributes.add(key="service.name").value.string_value = "agent"
            metric = resource.scope_metrics.add().metrics.add(name=name, unit="1")
            data = getattr(metric, kind)
            point = data.data_points.add(start_time_unix_nano=NOW_NS - 5_000, time_unix_nano=NOW_NS)
            said = {"session.id": "chat", "type": "input", "gen_ai.token.type": "output", "model": "gpt-5"}
            for key, value in said.items():
                point.attributes.add(key=key).value.string_value = value
            if kind in ("gauge", "sum"):
                point.as_double = 1.5
                point.exemplars.add(as_int=1, trace_id=b"\1" * 16, span_id=b"\2" * 8)
            else:
                point.count, point.sum = 2, 30.5
            if hasattr(data, "aggregation_temporality"):
                data.aggregation_temporality = 1
            yield request


def _shorten(message: Message) -> None:
    """A few items of the first resources, each text cut, each time near the targets' clock."""
    for field, value in message.ListFields():
        if field.name.endswith("time_unix_nano"):
            setattr(message, field.name, NOW_NS - 1_000_000_000 + value % 1_000_000_000)
        elif field.is_repeated and field.message_type:
            keep = _ITEMS_MAX if field.name in _ITEMS or field.name.startswith(("resource_", "scope_")) else 20
            del value[keep:]
            for item in value:
                _shorten(item)
        elif field.message_type:
            _shorten(value)
        elif field.name in ("string_value", "schema_url"):
            setattr(message, field.name, value[:_CHARS_MAX])


def _field_names(descriptor: Any, seen: set[str]) -> set[str]:
    if descriptor.full_name in seen:
        return set()
    seen.add(descriptor.full_name)
    names: set[str] = set()
    for field in descriptor.fields:
        names.add(field.json_name)
        if field.message_type:
            names |= _field_names(field.message_type, seen)
    return names
