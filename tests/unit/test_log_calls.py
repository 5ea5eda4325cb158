"""Log records that report model calls, as their emitters write them: what a row says of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from processor.log.base import Record
from processor.model import EMBEDDING, LLM, SESSION_SPANS, Source, StatusCode, Strength
from processor.signals import Signal
from processor.worker.batch import Batch, BatchMaker
from tests.strategies import NOW_NS, any_value

MAKER = BatchMaker()
OPENLIT = Path(__file__).parents[1] / "data" / "captures" / "py-openlit"
MS = 1_000_000
Row = dict[str, Any]


def record(attributes: dict[str, Any], **fields: Any) -> LogRecord:
    """One log record, at `NOW_NS` unless it says otherwise."""
    pairs = [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]
    body = fields.pop("body", None)
    return LogRecord(
        **{"time_unix_nano": NOW_NS, **fields}, attributes=pairs, body=None if body is None else any_value(body)
    )


def batch_of(*records: LogRecord, scope: str = "", service: str = "", tenant: str = "acme") -> Batch:
    """What the worker would store of one request."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    if service:
        resource.resource.attributes.add(key="service.name").value.string_value = service
    scope_logs = resource.scope_logs.add()
    scope_logs.scope.name = scope
    scope_logs.log_records.extend(records)
    return MAKER.make([Record(tenant, request.SerializeToString())], NOW_NS, Signal.LOGS)


def calls(*records: LogRecord, **about: str) -> list[Row]:
    """The rows of `session_spans`."""
    batch = batch_of(*records, **about)
    assert batch.narrow.schema == SESSION_SPANS
    assert len(batch.wide) == len(records)
    return list(batch.narrow.iter_rows(named=True))


CLAUDE_CODE = {
    "event.name": "api_request",
    "session.id": "s-1",
    "user.id": "u-1",
    "prompt.id": "p-1",
    "model": "claude-sonnet-5",
    "input_tokens": "2",
    "output_tokens": "100",
    "cache_read_tokens": "80000",
    "cache_creation_tokens": "500",
    "cost_usd": "0.0312",
    "duration_ms": "1500",
    "request_id": "req_1",
}
CLAUDE_CODE_BODY = {"body": "claude_code.api_request"}
CODEX = {
    "event.name": "codex.sse_event",
    "event.kind": "response.completed",
    "conversation.id": "c-1",
    "user.account_id": "acct",
    "model": "gpt-5-codex",
    "input_token_count": "100",
    "output_token_count": "10",
    "cached_token_count": 40,
    "reasoning_token_count": 5,
    "tool_token_count": "110",
    "ttft_ms": 250,
}
GEMINI_CLI = {
    "event.name": "gemini_cli.api_response",
    "session.id": "g-1",
    "prompt_id": "g-1########0",
    "user.email": "user@example.com",
    "model": "gemini-2.5-pro",
    "duration_ms": 1200.0,
    "input_token_count": 12000,
    "output_token_count": 350,
    "cached_content_token_count": 8000,
    "thoughts_token_count": 420,
    "tool_token_count": 7,
    "total_token_count": 12777,
}
GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 411,
    "gen_ai.usage.output_tokens": 53,
    "gen_ai.usage.cache_read.input_tokens": 11,
    "session.id": "x-1",
    "user.id": "u-2",
}
GENAI_EVENT = "gen_ai.client.inference.operation.details"


def test_claude_code() -> None:
    """The session, and a trace named after the request; cached tokens are no part of what it calls input."""
    (row,) = calls(record(CLAUDE_CODE, **CLAUDE_CODE_BODY), service="claude-code")
    assert row["source"] == Source.LOG
    assert (row["session_id"], row["session_strength"]) == ("s-1", Strength.STRONG)
    assert (row["trace_id"], row["parent_span_id"], row["turn_id"]) == ("call:req_1", "", "p-1")
    assert (row["user_id"], row["service"], row["response_id"]) == ("u-1", "claude-code", "req_1")
    assert (row["model"], row["provider"], row["kind"]) == ("claude-sonnet-5", "anthropic", LLM)
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (80_502, 100, 80_602)
    assert (row["cache_read_tokens"], row["cache_write_tokens"]) == (80_000, 500)
    assert row["cost_nano_usd"] == 31_200_000
    assert (row["start_ns"], row["end_ns"]) == (NOW_NS - 1500 * MS, NOW_NS)
    assert (row["is_error"], row["status_code"]) == (False, StatusCode.UNSET)
    assert row["name"] == "claude_code.api_request"
    assert len(row["span_id"]) == 16


@pytest.mark.parametrize(
    ("fields", "scope"),
    [
        (CLAUDE_CODE_BODY, ""),
        ({}, "com.anthropic.claude_code.events"),
        ({"event_name": "claude_code.api_request"}, ""),
        ({"event_name": "api_request"}, "com.anthropic.claude_code.events"),
    ],
)
def test_claude_code_is_known_by_any_of_its_marks(fields: Row, scope: str) -> None:
    """Its attribute `event.name` says no more than `api_request`, which others may say too."""
    assert len(calls(record(CLAUDE_CODE, **fields), scope=scope)) == 1
    assert calls(record(CLAUDE_CODE, body="something else"), scope="another") == []


def test_a_failed_request_of_claude_code() -> None:
    """A call that took nothing and failed, with what it said, bounded."""
    said = {**CLAUDE_CODE, "event.name": "api_error", "error": "overloaded " * 100, "client_request_id": "client"}
    for key in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "cost_usd"):
        del said[key]
    (row,) = calls(record(said, body="claude_code.api_error"))
    assert (row["is_error"], row["status_code"]) == (True, StatusCode.ERROR)
    assert row["status_message"] == ("overloaded " * 100)[:256]
    assert (row["total_tokens"], row["kind"]) == (0, LLM)
    del said["request_id"]
    (row,) = calls(record(said, body="claude_code.api_error"))
    assert (row["trace_id"], row["response_id"]) == ("call:client", "")


def test_other_events_of_claude_code_are_no_calls() -> None:
    """Its prompts and tool results are in `otel_logs` and nowhere else."""
    for name in ("user_prompt", "tool_result", "api_refusal", "assistant_response", "api_request_body"):
        assert calls(record({**CLAUDE_CODE, "event.name": name}, body=f"claude_code.{name}")) == []


def test_codex() -> None:
    """Its conversation is the session; counts are strings, cached and reasoning tokens within them."""
    (row,) = calls(record(CODEX), service="codex_cli_rs")
    assert (row["session_id"], row["session_strength"]) == ("c-1", Strength.STRONG)
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (100, 10, 110)
    assert (row["cache_read_tokens"], row["reasoning_tokens"], row["ttft_ns"]) == (40, 5, 250 * MS)
    assert (row["model"], row["provider"], row["user_id"]) == ("gpt-5-codex", "openai", "acct")
    assert row["trace_id"] == f"call:{row['span_id']}"
    assert calls(record({**CODEX, "event.kind": "response.output_item.done"})) == []


def test_codex_with_tracing_on() -> None:
    """A record that bears trace context is a child of that span, and no turn of its own."""
    (row,) = calls(record(CODEX, trace_id=b"\1" * 16, span_id=b"\2" * 8))
    assert (row["trace_id"], row["parent_span_id"], row["turn_id"]) == ("01" * 16, "02" * 8, "")
    assert row["span_id"] != "02" * 8


def test_a_response_of_codex_that_failed() -> None:
    """An error instead of counts."""
    said = {key: value for key, value in CODEX.items() if "token" not in key} | {"error.message": "stream closed"}
    (row,) = calls(record(said))
    assert (row["is_error"], row["status_message"], row["total_tokens"]) == (True, "stream closed", 0)


def test_a_conversation_is_a_session_for_codex_only() -> None:
    """The name is too general: for others it says nothing."""
    sessions = [
        batch_of(record({"event.name": name, "conversation.id": "c"})).wide["SessionId"].to_pylist()
        for name in ("codex.user_prompt", "app.login")
    ]
    assert sessions == [["c"], [""]]


def test_gemini_cli() -> None:
    """Thoughts are beside the output, tool results beside the input; the call is counted once, though said twice."""
    again = {**GENAI, "event.name": GENAI_EVENT, "session.id": "g-1"}
    (row,) = calls(record(GEMINI_CLI), record(again), scope="gemini-cli", service="gemini-cli")
    assert (row["session_id"], row["turn_id"], row["user_id"]) == ("g-1", "g-1########0", "user@example.com")
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (12_007, 770, 12_777)
    assert (row["cache_read_tokens"], row["reasoning_tokens"]) == (8_000, 420)
    assert (row["provider"], row["start_ns"]) == ("gcp.gemini", NOW_NS - 1200 * MS)
    (failed,) = calls(record({"event.name": "gemini_cli.api_error", "session.id": "g-1", "error": "429"}))
    assert (failed["is_error"], failed["status_message"]) == (True, "429")


def test_genai_events() -> None:
    """Read by the rules of spans; the record is a child of the call's own span."""
    (row,) = calls(record(GENAI, event_name=GENAI_EVENT, trace_id=b"\1" * 16, span_id=b"\2" * 8))
    assert (row["trace_id"], row["parent_span_id"], row["session_id"]) == ("01" * 16, "02" * 8, "x-1")
    assert (row["input_tokens"], row["output_tokens"], row["cache_read_tokens"]) == (411, 53, 11)
    assert (row["model"], row["provider"], row["response_id"]) == ("gpt-4o", "openai", "chatcmpl-1")
    no_call = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 4}
    assert calls(record(no_call, event_name=GENAI_EVENT)) == []
    assert calls(record({"gen_ai.operation.name": "chat"}, event_name=GENAI_EVENT)) == []


def test_the_same_record_is_the_same_row_and_another_is_another() -> None:
    """Whatever stands beside it; a hundredth of a second later it is another call."""
    (first,) = calls(record(CODEX))
    assert first["span_id"] == "9fee67f647cdbb54"  # in every version, or a redelivered record would count twice
    beside = calls(record({"event.name": "other"}), record(CODEX), record(CODEX, time_unix_nano=NOW_NS - 10 * MS))
    assert beside[0] == first
    assert beside[1]["span_id"] != first["span_id"]


def test_a_record_without_a_time_is_no_call() -> None:
    """It would begin its session in 1970. With the time at which it was seen, it is one."""
    assert calls(record(CODEX, time_unix_nano=0)) == []
    assert len(calls(record(CODEX, time_unix_nano=0, observed_time_unix_nano=NOW_NS))) == 1


def test_records_of_several_emitters_in_one_request() -> None:
    """Each by its own rules."""
    rows = calls(record(GEMINI_CLI), record(CLAUDE_CODE, **CLAUDE_CODE_BODY), record({"a": 1}), record(CODEX))
    assert [row["provider"] for row in rows] == ["gcp.gemini", "anthropic", "openai"]
    assert [row["input_tokens"] for row in rows] == [12_007, 80_502, 100]
    assert [row["cost_nano_usd"] for row in rows] == [0, 31_200_000, 0]


def test_openlit_as_captured() -> None:
    """Exports of OpenLIT 1.45: each record is its span's child, with the usage of the call."""
    values = [file.read_bytes() for file in sorted(OPENLIT.glob("*.logs.pb"))]
    batch = MAKER.make([Record("acme", value) for value in values], NOW_NS, Signal.LOGS)
    rows = list(batch.narrow.iter_rows(named=True))
    assert {row["session_id"] for row in rows} == {"cap-openlit-A", "cap-openlit-B"}
    assert {row["kind"] for row in rows} == {LLM, EMBEDDING}
    assert all(row["parent_span_id"] and row["input_tokens"] for row in rows)
