"""Turns of an agent as OTLP/JSON spans, for tests of the command line."""

from __future__ import annotations

from typing import Any

from processor.clock import now_ns

_S = 1_000_000_000


def turn(
    number: int,
    session_id: str,
    *,
    name: str = "",
    user: str = "ada",
    age_s: int = 60,
    error: str = "",
    **attributes: object,
) -> list[dict[str, Any]]:
    """A root that names the session and one model call below it, of 1,200 tokens for $0.0123; two seconds long.

    `number` is the trace; `attributes` with `__` for a dot stand on the root. With `error` the call has failed.
    """
    end_ns = now_ns() - age_s * _S

    def span(span_id: int, parent: int, title: str, about: dict[str, object], message: str = "") -> dict[str, Any]:
        return {
            "traceId": f"{number:032x}",
            "spanId": f"{span_id:016x}",
            "parentSpanId": f"{parent:016x}" if parent else "",
            "name": title,
            "startTimeUnixNano": str(end_ns - 2 * _S),
            "endTimeUnixNano": str(end_ns),
            "status": {"code": 2, "message": message} if message else {},
            "attributes": [{"key": key, "value": _value(value)} for key, value in about.items()],
        }

    about: dict[str, object] = {"session.id": session_id, "user.id": user, "gen_ai.operation.name": "invoke_agent"}
    about |= {"agentmark.session_name": name} if name else {}
    about |= {key.replace("__", "."): value for key, value in attributes.items()}
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.output_tokens": 200,
        "gen_ai.usage.cost": 0.0123,
    }
    return [span(1, 0, "invoke_agent", about), span(2, 1, "chat gpt-5", call, error)]


def _value(value: object) -> dict[str, object]:
    kind = {int: "intValue", float: "doubleValue", str: "stringValue"}[type(value)]
    return {kind: value}
