"""Export requests to narrow rows: one dict a span, with the columns of `SESSION_SPANS`.

Spans that no rollup may see (malformed ids, absurd times, `skip_spans`) are left out here and nowhere else.
Source: attributes.yaml; processor/model.py for the columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from processor.model import Strength
from tests.oracle import tables
from tests.oracle.attributes import (
    Attributes,
    first_ranked_string,
    first_string,
    first_tokens,
    is_claude_code_request,
    provider_name,
    read_attributes,
    span_kind,
    stated_cost_nano_usd,
    to_string,
)

Row = dict[str, Any]

DAY_NS = 86_400 * 10**9
START_AGE_NS_MAX = 400 * DAY_NS
FUTURE_NS_MAX = DAY_NS


def read_request(tenant: str, request: ExportTraceServiceRequest | bytes, now_ns: int) -> Iterator[Row]:
    """The narrow rows of one request, in its order, duplicates included."""
    if isinstance(request, bytes):
        request = ExportTraceServiceRequest.FromString(request)
    for resource_spans in request.resource_spans:
        resource = read_attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                attributes = read_attributes(span.attributes)
                if not is_rejected(span, now_ns) and not is_skipped(attributes):
                    yield _read_span(tenant, resource, attributes, span)


def is_rejected(span: Span, now_ns: int) -> bool:
    """Whether the receiver refuses the span: it takes part in nothing."""
    return (
        len(span.trace_id) != 16
        or not any(span.trace_id)
        or len(span.span_id) != 8
        or not any(span.span_id)
        or len(span.parent_span_id) not in (0, 8)
        or span.start_time_unix_nano < now_ns - START_AGE_NS_MAX
        or span.start_time_unix_nano > now_ns + FUTURE_NS_MAX
        or span.end_time_unix_nano > now_ns + FUTURE_NS_MAX
    )


def is_skipped(attributes: Attributes) -> bool:
    """`skip_spans`: placeholders and patches that emitters send beside the real span."""
    return to_string(attributes.get("logfire.span_type")) == "pending_span" or _says(
        attributes, "lmnr.internal.metadata_only", "true"
    )


def _read_span(tenant: str, resource: Attributes, attributes: Attributes, span: Span) -> Row:
    session_id, strength = _own_session(resource, attributes)
    name_rank, session_name = first_ranked_string(attributes, tables.SESSION_NAMES) or (0, "")
    input_tokens = first_tokens(attributes, tables.INPUT_TOKENS, span.name)
    output_tokens = first_tokens(attributes, tables.OUTPUT_TOKENS, span.name)
    if input_tokens is None and output_tokens is None:
        total_tokens = first_tokens(attributes, tables.TOTAL_TOKENS, span.name)
    else:
        total_tokens = (input_tokens or 0) + (output_tokens or 0)
    return {
        "tenant": tenant,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() if any(span.parent_span_id) else "",
        "service": to_string(resource.get("service.name")) or "",
        "name": span.name,
        "kind": span_kind(attributes),
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "status_code": span.status.code if span.status.code in Status.StatusCode.values() else 0,
        "is_error": _is_error(attributes, span),
        "session_id": session_id,
        "session_strength": int(strength),
        "session_name": session_name,
        "session_name_rank": name_rank,
        "user_id": first_string(attributes, tables.USER_IDS) or "",
        "thread_id": first_string(attributes, tables.THREAD_IDS) or "",
        "model": first_string(attributes, tables.MODELS) or "",
        "provider": provider_name(attributes) or "",
        "input_tokens": input_tokens or 0,
        "output_tokens": output_tokens or 0,
        "total_tokens": total_tokens or 0,
        "cost_nano_usd": stated_cost_nano_usd(attributes) or 0,
    }


def _own_session(resource: Attributes, attributes: Attributes) -> tuple[str, Strength]:
    """The id that the span itself states, and how much it means."""
    if strong := first_string(attributes, tables.STRONG_SESSION_IDS):
        return strong, Strength.STRONG
    if weak := first_string(attributes, tables.WEAK_SESSION_IDS):
        return weak, Strength.WEAK
    if lowest := to_string(resource.get(tables.RESOURCE_SESSION_ID)):
        return lowest, Strength.RESOURCE
    return "", Strength.NONE


def _is_error(attributes: Attributes, span: Span) -> bool:
    return (
        span.status.code == Status.STATUS_CODE_ERROR
        or to_string(attributes.get("error.type")) is not None
        or _says(attributes, "langfuse.observation.level", "error")
        or any(event.name == "exception" for event in span.events)
        or (is_claude_code_request(attributes, span.name) and _says(attributes, "success", "false"))
    )


def _says(attributes: Attributes, key: str, word: str) -> bool:
    """Whether the attribute is this word, in either case, or the boolean of that name."""
    text = to_string(attributes.get(key))
    return text is not None and text.lower() == word
