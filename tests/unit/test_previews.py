"""What sessions show of inputs and outputs: short, readable, redacted, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from processor.conventions.previews import PreviewConfig
from processor.errors import ConfigError
from processor.log.base import Record
from processor.worker.batch import BatchMaker
from tests.strategies import NOW_NS, any_value


def shown(attributes: dict[str, Any], config: PreviewConfig | None = None, parent_id: bytes = b"") -> tuple[str, str]:
    """First input and last output of a span, at the top of its trace unless it has a parent."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(
        trace_id=b"\x01" * 16,
        span_id=b"\x02" * 8,
        parent_span_id=parent_id,
        start_time_unix_nano=NOW_NS,
        end_time_unix_nano=NOW_NS,
        attributes=[KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()],
    )
    rows = BatchMaker(previews=config).make([Record("t", request.SerializeToString())], NOW_NS).narrow
    return rows["input_preview"][0], rows["output_preview"][0]


MESSAGES = '[{"role":"system","content":"Be brief."},{"role":"user","content":"Where is \\"it\\"?\\nHere?"}]'
PARTS = '[{"role":"user","parts":[{"type":"text","content":"Hello there"}]}]'


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({"input.value": "plain", "output.value": "answer"}, ("plain", "answer")),
        ({"gen_ai.input.messages": MESSAGES}, ('Where is "it"?\nHere?', "")),
        ({"gen_ai.input.messages": PARTS}, ("Hello there", "")),
        ({"lmnr.span.input": '["What is it?"]'}, ("What is it?", "")),
        ({"mlflow.spanOutputs": '"quoted"'}, ("", "quoted")),
        ({"traceloop.entity.input": '{"args": [], "kwargs": {}}', "gen_ai.prompt": "asked"}, ("", "")),
        ({"input.value": '{"city": "Bern"}'}, ('{"city": "Bern"}', "")),
        ({"input.value": ["a", "b"]}, ("", "")),
    ],
    ids=["text", "messages", "parts", "list", "quoted", "no arguments", "no content", "array"],
)
def test_the_first_content_is_shown(attributes: dict[str, Any], wanted: tuple[str, str]) -> None:
    """Of JSON of all makes, what somebody said."""
    assert shown(attributes) == wanted


def test_previews_are_bounded() -> None:
    """In characters, not bytes."""
    assert shown({"input.value": "ü" * 1000}, PreviewConfig(chars_max=7))[0] == "ü" * 7


def test_patterns_are_redacted_before_the_cut() -> None:
    """Half of a secret is one, too."""
    config = PreviewConfig(chars_max=20, redact=(r"sk-[a-z0-9]+", r"\b\d{4} \d{4}\b"))
    assert shown({"input.value": "key sk-abcdefgh123456789 and 1234 5678"}, config)[0] == "key [redacted] and ["
    assert "5678" not in shown({"output.value": "1234 5678"}, config)[1]


def test_nothing_is_kept_where_previews_are_off() -> None:
    """`otel_traces` still has the attribute, which is another table's business."""
    assert shown({"input.value": "secret", "output.value": "secret"}, PreviewConfig(enabled=False)) == ("", "")


def test_steps_inside_of_a_trace_show_nothing() -> None:
    """A session's first input comes from the top of a trace or from a model call."""
    inside = b"\x03" * 8
    assert shown({"input.value": "step"}, parent_id=inside) == ("", "")
    assert shown({"input.value": "call", "gen_ai.operation.name": "chat"}, parent_id=inside) == ("call", "")


def test_a_pattern_that_is_none_is_refused() -> None:
    """With its place and what is wrong."""
    with pytest.raises(ConfigError, match=r"redact\[1\]: '\(' is no regular expression of RE2"):
        PreviewConfig(redact=("fine", "("))
