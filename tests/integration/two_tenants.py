"""What two tenants send: the same ids wherever ids can be the same, and words that tell whose a row is."""

from __future__ import annotations

import time
from typing import Any, Final

from tests.integration.guarded import ACME, GLOBEX, Guarded

TRACE: Final = "ab" * 16  # of both, with the same span ids
BORDER: Final = "cd" * 16  # its root is one's and names a session; its child is the other's and names none
SPAN: Final = "1" * 16
SHARED: Final = "shared"  # a session of both
OWN: Final = {ACME: "own-of-the-first", GLOBEX: "own-of-the-second"}
THREAD: Final = "thread"
WORDS: Final = {ACME: "zebra", GLOBEX: "walrus"}
"""Stands in everything that a tenant says but its ids."""


def pairs(said: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP/JSON has them."""
    return [
        {"key": key, "value": {"intValue": value} if isinstance(value, int) else {"stringValue": value}}
        for key, value in said.items()
    ]


def span(trace: str, span_id: str, parent: str = "", **said: Any) -> dict[str, Any]:
    """A model call."""
    start_ns = time.time_ns() - 10**9
    return {
        "traceId": trace,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": said.pop("name"),
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + 10**8),
        "attributes": pairs({"gen_ai.operation.name": "chat", **said}),
    }


def spans_of(tenant: str) -> list[dict[str, Any]]:
    """A call in the session that both have, and one in a session of its own, with every word of the tenant's."""
    word, other = WORDS[tenant], next(name for name in WORDS if name != tenant)
    said = {
        "name": f"{word} chat",
        "session.name": f"{word} name",
        "user.id": f"{word} user",
        "gen_ai.request.model": f"{word}-model",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.input.messages": f'[{{"role": "user", "content": "{word} said"}}]',
        "agentmark.metadata.secret": f"{word} metadata",
        "@agentuity/threadId": THREAD,
        # What a caller says of tenants is an attribute like any other.
        "tenant": other,
        "tenant.id": other,
        "x-scope-orgid": other,
    }
    return [
        span(TRACE, SPAN, **said, **{"session.id": SHARED}),
        span(f"{tenant.encode().hex():0<32}", SPAN, **said, **{"session.id": OWN[tenant]}),
    ]


def logs_of(tenant: str) -> list[dict[str, Any]]:
    """A record in the trace that both have, and one that names the session of the other."""
    now = str(time.time_ns())
    other = next(name for name in WORDS if name != tenant)
    body = {"stringValue": f"{WORDS[tenant]} record"}
    return [
        {"timeUnixNano": now, "body": body, "traceId": TRACE, "spanId": SPAN},
        {"timeUnixNano": now, "body": body, "attributes": pairs({"session.id": OWN[other]})},
    ]


def send_everything(process: Guarded) -> None:
    """As both tenants, and each pretending to be the other wherever a caller can say something."""
    for tenant, word in WORDS.items():
        other = next(name for name in WORDS if name != tenant)
        pretending = {"x-scope-orgid": other, "x-tenant": other, "tenant": other, "x-tenant-id": other}
        resource = {"attributes": pairs({"service.name": f"{word} service", "tenant": other})}
        spans = [{"resource": resource, "scopeSpans": [{"spans": spans_of(tenant)}]}]
        process.send(tenant, "traces", {"resourceSpans": spans}, pretending)
        records = [{"resource": resource, "scopeLogs": [{"logRecords": logs_of(tenant)}]}]
        process.send(tenant, "logs", {"resourceLogs": records}, pretending)
    root = span(BORDER, "2" * 16, name="zebra root", **{"session.id": OWN[ACME]})
    child = span(BORDER, "3" * 16, "2" * 16, name="walrus child")
    for tenant, it in ((ACME, root), (GLOBEX, child)):
        process.send(tenant, "traces", {"resourceSpans": [{"scopeSpans": [{"spans": [it]}]}]})
