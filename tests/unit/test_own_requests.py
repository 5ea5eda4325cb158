"""Our own spans are known by their bytes, as the SDK writes them."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from processor.errors import ConfigError
from processor.telemetry.metrics import Metrics
from processor.telemetry.own import SERVICE_NAME, all_own, is_own
from processor.telemetry.traces import OwnTraces, TracesConfig


def request(service: str, **attributes: Any) -> bytes:
    """One span of a service, as its exporter would send it."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    provider.get_tracer("tests").start_span("chat", attributes=attributes).end()
    return encode_spans(kept.get_finished_spans()).SerializeToString()


@pytest.mark.parametrize(
    ("service", "own"),
    [(SERVICE_NAME, True), ("agent", False), (f"{SERVICE_NAME}-2", False), (f"my-{SERVICE_NAME}", False)],
)
def test_a_request_is_ours_when_its_resource_says_so(service: str, own: bool) -> None:
    """The whole name, and no other."""
    assert is_own(request(service)) == own


def test_a_mention_of_our_name_is_not_enough() -> None:
    """Of a span's own attributes, `service.name` alone would count, which no exporter writes there."""
    assert not is_own(request("agent", peer=SERVICE_NAME))
    assert not is_own(b"")


def test_a_batch_is_ours_when_all_of_it_is() -> None:
    """One request of others, and the batch is told of."""
    ours, theirs = request(SERVICE_NAME), request("agent")
    assert all_own([ours, ours])
    assert not all_own([ours, theirs])


def test_nothing_is_told_where_nothing_is_configured() -> None:
    """No tracer but the no-op, before and after a start."""
    traces = OwnTraces(None, Metrics())
    off = traces.tracer
    traces.start()
    assert traces.tracer is off
    with traces.batch("batch", [b"x"]) as work, work.step("decode"):
        pass
    with traces.tick("tick") as work, work.step("roll up"):
        pass
    traces.stop()


def test_ticks_are_told_of_after_batches_of_others_alone() -> None:
    """A tick over nothing, or over our own spans, would be the next tick's news."""
    traces = OwnTraces(TracesConfig(endpoint="127.0.0.1:1", timeout_s=0.1, schedule_delay_s=60), Metrics())
    traces.start()
    try:

        def tells(request: bytes | None) -> bool:
            if request is not None:
                with traces.batch("batch", [request]):
                    pass
            with traces.tick("tick") as work, work.step("roll up"):
                return bool(work.recording)

        assert [tells(each) for each in (None, request(SERVICE_NAME), request("agent"), None)] == [
            False,
            False,
            True,
            False,
        ]
    finally:
        traces.stop()


def test_a_header_that_is_none_is_refused_without_being_quoted() -> None:
    """It may be a secret."""
    with pytest.raises(ConfigError, match=r"headers\[1\]: expected name=value") as refused:
        TracesConfig(headers=("a=b", "hunter2"))
    assert "hunter2" not in str(refused.value)
