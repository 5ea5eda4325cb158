"""The oracle's reading of one span, column by column, against values worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.oracle import Row, narrow_rows
from tests.strategies import NOW_NS, any_value

START_NS = NOW_NS - 3600 * 10**9  # 2027-01-15T07:00:00Z

CLAUDE_CODE = {"span.type": "llm_request"}
AGENTOPS_SESSION = {"agentops.span.kind": "Session"}


def narrow(
    attributes: dict[str, Any],
    *,
    scope: str = "",
    resource: dict[str, Any] | None = None,
    name: str = "",
    status: tuple[int, str] = (0, ""),
    exceptions: Sequence[dict[str, Any]] = (),
) -> Row:
    """The row of one span."""
    span = Span(trace_id=b"\x01" * 16, span_id=b"\x01" * 8, name=name, start_time_unix_nano=START_NS)
    span.attributes.extend(_pairs(attributes))
    span.status.code, span.status.message = status
    span.events.extend(Span.Event(name="exception", attributes=_pairs(said)) for said in exceptions)
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(_pairs(resource or {}))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = scope
    scope_spans.spans.append(span)
    [row] = narrow_rows([("acme", request)], NOW_NS)
    return row


def _pairs(values: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


# --- Tokens ---


@pytest.mark.parametrize(
    ("usage", "columns"),
    [
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "prompt_tokens_details": {"cached_tokens": 60},
                "completion_tokens_details": {"reasoning_tokens": 8},
            },
            (100, 20, 60, 0, 8),
        ),
        ({"input_tokens": 50, "output_tokens": 6, "input_tokens_details": {"cached_tokens": 40}}, (50, 6, 40, 0, 0)),
        ({"input": 40, "input_cached_tokens": 60, "output": 15, "output_reasoning_tokens": 5}, (100, 20, 60, 0, 5)),
        ({"input": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 10}, (33, 0, 20, 10, 0)),
        ({"input": 3, "input_cache_creation_5m": 5, "input_cache_creation_1h": 6}, (14, 0, 0, 11, 0)),
        ({"total": 9}, (0, 0, 0, 0, 0)),
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_shapes_of_langfuse_usage(usage: dict[str, Any], columns: tuple[int, ...], as_text: bool) -> None:
    """OpenAI's two shapes include what was cached, Langfuse's own keys are disjoint; as a text or as a map."""
    row = narrow({"langfuse.observation.usage_details": json.dumps(usage) if as_text else usage})
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    assert tuple(row[name] for name in names) == columns


def test_a_write_that_lives_an_hour_is_a_write() -> None:
    """The larger of the two is what was written."""
    row = narrow({"anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 9, "gen_ai.usage.input_tokens": 10})
    assert (row["cache_write_tokens"], row["cache_write_1h_tokens"], row["input_tokens"]) == (9, 9, 10)


CACHED = {"gen_ai.usage.cache_read.input_tokens": 5, "gen_ai.usage.input_tokens": 30}
ANTHROPIC_CHAT = {"gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "chat"}


@pytest.mark.parametrize(
    ("attributes", "origin", "input_tokens"),
    [
        (CACHED, {}, 30),
        ({**CACHED, **CLAUDE_CODE}, {}, 35),
        (CACHED, {"name": "claude_code.llm_request"}, 35),
        ({**CACHED, **ANTHROPIC_CHAT}, {}, 30),
        ({**CACHED, **ANTHROPIC_CHAT}, {"scope": "openlit.otel.tracing"}, 35),
        ({**CACHED, **ANTHROPIC_CHAT}, {"scope": "@openlit/instrumentation-anthropic"}, 35),
        ({**CACHED, **ANTHROPIC_CHAT}, {"resource": {"telemetry.sdk.name": "openlit"}}, 35),
        ({**CACHED, **ANTHROPIC_CHAT, "gen_ai.provider.name": "openai"}, {"scope": "openlit"}, 30),
        ({**CACHED, "ai.model.provider": "anthropic.messages"}, {}, 30),
        ({**CACHED, "ai.model.provider": "anthropic.messages"}, {"scope": "ai"}, 35),
        ({**CACHED, "ai.model.provider": "amazon-bedrock", "ai.usage.promptTokens": 30}, {}, 35),
        (
            {**CACHED, "ai.model.provider": "anthropic.messages", "ai.usage.inputTokenDetails.noCacheTokens": 25},
            {"scope": "ai"},
            30,
        ),
        ({"gen_ai.usage.cache_read.input_tokens": 31, "gen_ai.usage.input_tokens": 30}, {}, 61),
        ({"gen_ai.usage.cache_read.input_tokens": 31, "gen_ai.usage.output_tokens": 1}, {}, 31),
        ({"gen_ai.usage.cache_read.input_tokens": 31, "gen_ai.usage.total_tokens": 40}, {}, 0),
        ({"gen_ai.usage.cache_read.input_tokens": 2**53, "gen_ai.usage.input_tokens": 1}, {}, 2**53),
    ],
)
def test_input_includes_what_was_cached(attributes: dict[str, Any], origin: dict[str, Any], input_tokens: int) -> None:
    """Added for the emitters that leave it out, and where more was cached than there was; once."""
    row = narrow(attributes, **origin)
    assert row["input_tokens"] == input_tokens
    if input_tokens:
        assert row["total_tokens"] == input_tokens + row["output_tokens"]


# --- Costs ---


@pytest.mark.parametrize(
    ("details", "columns"),
    [
        ('{"input": 0.25, "output": 0.5, "total": 1}', (1_000_000_000, 250_000_000, 500_000_000)),
        ('{"input": 0.25, "cache": 0.5}', (750_000_000, 250_000_000, 0)),
        ('{"total": -1, "input": 0.25}', (0, 250_000_000, 0)),
        ('{"total": 1', (0, 0, 0)),
    ],
)
def test_costs_of_langfuse(details: str, columns: tuple[int, int, int]) -> None:
    """The total, or without one the sum of what is there."""
    row = narrow({"langfuse.observation.cost_details": details})
    assert (row["cost_nano_usd"], row["input_cost_nano_usd"], row["output_cost_nano_usd"]) == columns


def test_parts_have_lists_of_their_own() -> None:
    """A total is not made of parts that are no pair."""
    row = narrow({"gen_ai.cost.input_cost": 1, "gen_ai.cost.output_cost": "2"})
    assert (row["cost_nano_usd"], row["input_cost_nano_usd"], row["output_cost_nano_usd"]) == (0, 10**9, 2 * 10**9)


# --- Labels ---


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (["b", " a ", "", "null"], ["a", "b"]),
        ('["b", 1, {"y": 1, "x": [true]}]', ["1", "b", '{"x":[true],"y":1}']),
        ("b, a,,b", ["a", "b"]),
        ('"b,a"', ["a", "b"]),
        ("[b", ["[b"]),
        ("x" * 1100, ["x" * 1024]),
        ([f"{number:02}" for number in range(70)], [f"{number:02}" for number in range(64)]),
        ({"a": "b"}, []),
        ("None", []),
    ],
)
def test_forms_of_tags(value: Any, tags: list[str]) -> None:
    """An array, a JSON array, a text with commas; sorted, each once, bounded."""
    row = narrow({"langfuse.tags": value})
    assert json.loads(row["tags"] or "[]") == tags
    assert (row["tags"] == "") is (tags == [])


def test_tags_of_all_keys_are_united() -> None:
    """And trace tags of MLflow have a key and a value."""
    row = narrow({"opik.tags": "b", "tag.tags": ["a", "b"], "mlflow.traceTag.tier": '"gold"'})
    assert row["tags"] == '["a","b","tier=gold"]'


def test_the_first_to_state_metadata_wins() -> None:
    """Prefixes in order, then blobs, then bare keys; what means nothing states nothing."""
    row = narrow(
        {
            "metadata.tier": "later prefix",
            "agentmark.metadata.tier": " gold ",
            "agentmark.metadata.plan": "null",
            "agentmark.metadata.user_id": "dropped",
            "metadata": '{"plan": "of the blob", "tier": "of the blob", "deep": {"b": 1, "a": null}, "none": {}}',
            "plan": "bare",
            "bare": 7,
            "model": "never",
            "with.dot": 1,
            **AGENTOPS_SESSION,
        }
    )
    assert row["metadata"] == '{"bare":"7","deep":"{\\"a\\":null,\\"b\\":1}","plan":"of the blob","tier":"gold"}'


@pytest.mark.parametrize("origin", [{}, {"scope": "openlit.x"}, {"scope": "@openlit/x"}])
def test_bare_keys_are_metadata_only_where_users_write_them(origin: dict[str, str]) -> None:
    """On OpenLIT's spans and AgentOps' sessions."""
    assert narrow({"bare": "x"}, **origin)["metadata"] == ('{"bare":"x"}' if origin else "")


def test_metadata_is_bounded() -> None:
    """64 keys in their order, 1024 characters of key and value."""
    row = narrow({"metadata": {f"{number:02}": "x" for number in range(70)}, "opik.metadata." + "0" * 1100: "y" * 1100})
    kept = json.loads(row["metadata"])
    assert list(kept) == sorted(["0" * 1024, *(f"{number:02}" for number in range(70))])[:64]
    assert kept["0" * 1024] == "y" * 1024


def test_the_environment_of_the_span_goes_before_its_resources() -> None:
    """Whatever the keys."""
    resource = {"langfuse.environment": "resource"}
    assert narrow({"gen_ai.environment": "span"}, resource=resource)["environment"] == "span"
    assert narrow({"gen_ai.environment": "null"}, resource=resource)["environment"] == "resource"


# --- Ends ---


@pytest.mark.parametrize(
    ("attributes", "state"),
    [
        ({**AGENTOPS_SESSION, "agentops.session.end_state": "tracestate.success"}, "success"),
        ({**AGENTOPS_SESSION, "agentops.session.end_state": "Fail"}, "error"),
        ({**AGENTOPS_SESSION, "agentops.session.end_state": "Shutdown"}, "unknown"),
        ({**AGENTOPS_SESSION, "agentops.session.end_state": "well"}, ""),
        ({"agentops.span.kind": "agent", "agentops.session.end_state": "Success"}, ""),
    ],
)
def test_the_end_state(attributes: dict[str, Any], state: str) -> None:
    """Of AgentOps' session span alone."""
    assert narrow(attributes)["end_state"] == state


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"status": (1, "fine")}, ""),
        ({"status": (2, "x" * 300)}, "x" * 256),
        ({"attributes": {"langfuse.observation.status_message": "reason"}, "exceptions": [{}]}, "reason"),
        ({"exceptions": [{"exception.message": "first"}, {"exception.message": "last"}]}, "last"),
        ({"exceptions": [{"exception.message": "first"}, {"exception.type": " E "}]}, "E"),
    ],
)
def test_the_message_of_an_error(said: dict[str, Any], message: str) -> None:
    """Status, reason, last exception; nothing without an error."""
    assert narrow(**{"attributes": {}, **said})["status_message"] == message


def test_agentops_sessions_are_named_by_their_spans() -> None:
    """Where no attribute names them."""
    row = narrow(AGENTOPS_SESSION, name="checkout.session")
    assert (row["session_name"], row["session_name_rank"]) == ("checkout", 17)
    assert narrow({**AGENTOPS_SESSION, "session.name": "x"}, name="checkout.session")["session_name"] == "x"


# --- Models, kinds, times ---


def test_the_request_model_is_told_only_where_it_differs() -> None:
    """It is a second try for the price table."""
    row = narrow({"gen_ai.response.model": "m-2", "gen_ai.request.model": "m"})
    assert (row["model"], row["request_model"]) == ("m-2", "m")
    assert narrow({"gen_ai.request.model": "m"})["request_model"] == ""


def test_a_claude_code_request_is_logged_too() -> None:
    """And its request id is the response's."""
    row = narrow({**CLAUDE_CODE, "request_id": "req_1"})
    assert (row["response_id"], row["also_logged"]) == ("req_1", True)
    row = narrow({"request_id": "req_1"})
    assert (row["response_id"], row["also_logged"]) == ("", False)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"braintrust.span_attributes": '{"type": "LLM"}'}, "llm"),
        ({"gen_ai.request.type": "rerank"}, "retrieval"),
        ({"gen_ai.operation.name": "chat", "gen_ai.request.model": "text-Embedding-3"}, "embedding"),
    ],
)
def test_kinds_of_later_lists(attributes: dict[str, Any], kind: str) -> None:
    """JSON forms, AgentOps' request type, models that only embed."""
    assert narrow(attributes)["kind"] == kind


@pytest.mark.parametrize(
    ("attributes", "scope", "ttft_ns"),
    [
        ({"gen_ai.response.time_to_first_chunk": "0.25"}, "", 250_000_000),
        ({"gen_ai.response.time_to_first_chunk": -1, "ttft_ms": 5}, "", 5_000_000),
        ({"gen_ai.response.time_to_first_chunk": 86_401, "ttft_ms": 5}, "", 5_000_000),
        ({"gen_ai.response.time_to_first_chunk": 0, "ttft_ms": 5}, "", 0),
        ({"gen_ai.response.time_to_first_chunk": 2.5e-9}, "", 2),
        ({"gen_ai.server.time_to_first_token": 820}, "", 820 * 10**9),
        ({"gen_ai.server.time_to_first_token": 820}, "strands.telemetry.tracer", 820_000_000),
        ({"langfuse.observation.completion_start_time": '"2027-01-15T08:00:00.5+01:00"'}, "", 500_000_000),
        ({"langfuse.observation.completion_start_time": "2027-01-15T06:59:59Z"}, "", 0),
        ({"langfuse.observation.completion_start_time": "2027-01-15T07:00:01"}, "", 0),
    ],
)
def test_the_time_to_the_first_token(attributes: dict[str, Any], scope: str, ttft_ns: int) -> None:
    """In seconds, in milliseconds, or as the time at which it came."""
    assert narrow(attributes, scope=scope)["ttft_ns"] == ttft_ns
