"""Compares what the REST API and the metrics say with the totals that `scenario` states."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import httpx
from play import read_metric
from processor_process import Processor
from scenario import CONVERSATIONS, SPANS_WITHOUT_SESSION, Totals

UNBOUND = "otel_sessions_unbound_spans"

_WAIT_S_MAX = 30
_NANOS = 1_000_000_000


def wait_for_totals(processor: Processor) -> list[str]:
    """What is still wrong when everything had time to be rolled up; empty as soon as everything is right."""
    deadline_s = time.monotonic() + _WAIT_S_MAX
    while (wrong := _differences(processor)) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    return wrong


def _differences(processor: Processor) -> list[str]:
    listed = httpx.get(f"{processor.url('sessions_api')}/v1/sessions", params={"limit": 1000}).json()["data"]
    found = {session["id"]: session for session in listed}
    wanted = {conversation.session: conversation.totals for conversation in CONVERSATIONS if conversation.totals}
    wrong = [f"session {session_id!r} is there and should not be" for session_id in found.keys() - wanted.keys()]
    for session_id, totals in wanted.items():
        if session_id in found:
            wrong += [f"session {session_id!r}: {text}" for text in _compare(found[session_id], totals)]
        else:
            wrong.append(f"session {session_id!r} is missing")
    unbound = read_metric(processor, UNBOUND)
    if unbound != SPANS_WITHOUT_SESSION:
        wrong.append(f"spans without a session: {unbound:.0f}, should be {SPANS_WITHOUT_SESSION} ({UNBOUND})")
    return wrong


def _compare(session: dict[str, Any], totals: Totals) -> list[str]:
    pairs = {
        "name": (session["name"], totals.name),
        "user": (session["user_id"], totals.user),
        "traces": (session["trace_count"], totals.traces),
        "spans": (session["span_count"], totals.spans),
        "model calls": (session["llm_call_count"], totals.llm_calls),
        "tool calls": (session["tool_call_count"], totals.tool_calls),
        "errors": (session["error_count"], totals.errors),
        "input tokens": (session["input_tokens"], totals.input_tokens),
        "output tokens": (session["output_tokens"], totals.output_tokens),
        "total tokens": (session["total_tokens"], totals.total_tokens),
        "nano-dollars": (round(session["total_cost"] * _NANOS), int(Decimal(totals.cost) * _NANOS)),
        "milliseconds": (session["latency_ms"], totals.seconds * 1000),
    }
    return [f"{what} {is_!r}, should be {should!r}" for what, (is_, should) in pairs.items() if is_ != should]
