"""Export requests to narrow rows: one dict a span, with the columns of `SESSION_SPANS`.

Spans that no rollup may see (malformed ids, absurd times, `skip_spans`) are left out here and nowhere else.
Source: attributes.yaml; processor/model.py for the columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from processor.model import Source, Strength
from tests.oracle import tables
from tests.oracle.attributes import Sent, first_ranked_string, first_string, provider_name, span_kind
from tests.oracle.labels import end_reason, end_state, metadata_text, tags_text
from tests.oracle.usage import cost_columns, token_columns
from tests.oracle.values import read_attributes, to_length_ns, to_string, to_time_ns

Row = dict[str, Any]

DAY_NS = 86_400 * 10**9
START_AGE_NS_MAX = 400 * DAY_NS
FUTURE_NS_MAX = DAY_NS
STATUS_MESSAGE_CHARS_MAX = 256


def read_request(tenant: str, request: ExportTraceServiceRequest | bytes, now_ns: int) -> Iterator[Row]:
    """The narrow rows of one request, in its order, duplicates included."""
    if isinstance(request, bytes):
        request = ExportTraceServiceRequest.FromString(request)
    for resource_spans in request.resource_spans:
        resource = read_attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                sent = Sent(resource, scope_spans.scope.name, read_attributes(span.attributes), span)
                if not is_rejected(span, now_ns) and not is_skipped(sent):
                    yield _read_span(tenant, sent)


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


def is_skipped(sent: Sent) -> bool:
    """`skip_spans`: placeholders and patches that emitters send beside the real span."""
    return to_string(sent.attributes.get("logfire.span_type")) == "pending_span" or sent.says(
        "lmnr.internal.metadata_only", "true"
    )


def _read_span(tenant: str, sent: Sent) -> Row:
    span = sent.span
    session_id, strength = _own_session(sent)
    name_rank, session_name = _session_name(sent)
    model = first_string(sent, tables.MODELS) or ""
    request_model = first_string(sent, tables.REQUEST_MODELS) or ""
    return {
        "tenant": tenant,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() if any(span.parent_span_id) else "",
        "source": int(Source.SPAN),
        "turn_id": "",
        "scope": sent.scope,
        "service": to_string(sent.resource.get("service.name")) or "",
        "name": span.name,
        "kind": span_kind(sent),
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "status_code": span.status.code if span.status.code in Status.StatusCode.values() else 0,
        "is_error": _is_error(sent),
        "status_message": _status_message(sent),
        "session_id": session_id,
        "session_strength": int(strength),
        "session_name": session_name,
        "session_name_rank": name_rank,
        "user_id": first_string(sent, tables.USER_IDS) or "",
        "thread_id": first_string(sent, tables.THREAD_IDS) or "",
        "environment": _environment(sent),
        "end_state": end_state(sent),
        "end_reason": end_reason(sent),
        "tags": tags_text(sent),
        "metadata": metadata_text(sent),
        "model": model,
        "request_model": request_model if request_model != model else "",
        "provider": provider_name(sent) or "",
        "response_id": first_string(sent, tables.RESPONSE_IDS) or "",
        "also_logged": sent.is_claude_code_request,
        **token_columns(sent),
        **cost_columns(sent),
        "ttft_ns": _ttft_ns(sent),
        "input_preview": "",  # previews have tests by example
        "output_preview": "",
    }


def _own_session(sent: Sent) -> tuple[str, Strength]:
    """The id that the span itself states, and how much it means."""
    if strong := first_string(sent, tables.STRONG_SESSION_IDS):
        return strong, Strength.STRONG
    if weak := first_string(sent, tables.WEAK_SESSION_IDS):
        return weak, Strength.WEAK
    if lowest := to_string(sent.resource.get(tables.RESOURCE_SESSION_ID)):
        return lowest, Strength.RESOURCE
    trace_id = sent.span.trace_id.hex()
    if any(key.startswith(tables.AGENTUITY_PREFIX) for key in (*sent.attributes, *sent.resource)):
        return f"sess_{trace_id}", Strength.DERIVED
    if tables.AGENTOPS_KIND in sent.attributes:
        return trace_id, Strength.DERIVED
    return "", Strength.NONE


def _session_name(sent: Sent) -> tuple[int, str]:
    """The name with its rank, which means nothing without a name."""
    ranked = first_ranked_string(sent, tables.SESSION_NAMES)
    if ranked is not None:
        return ranked
    if sent.is_agentops_session:
        return len(tables.SESSION_NAMES), sent.span.name.removesuffix(".session")
    return 0, ""


def _environment(sent: Sent) -> str:
    """On the span, else on its resource."""
    on_resource = Sent({}, "", sent.resource, sent.span)
    return first_string(sent, tables.ENVIRONMENTS) or first_string(on_resource, tables.ENVIRONMENTS) or ""


def _is_error(sent: Sent) -> bool:
    return (
        sent.span.status.code == Status.STATUS_CODE_ERROR
        or to_string(sent.attributes.get("error.type")) is not None
        or sent.says("langfuse.observation.level", "error")
        or any(event.name == "exception" for event in sent.span.events)
        or (sent.is_claude_code_request and sent.says("success", "false"))
    )


def _status_message(sent: Sent) -> str:
    """Of an error, what it says: the status, the reason, or the last exception."""
    if not _is_error(sent):
        return ""
    message = sent.span.status.message or end_reason(sent)
    exceptions = [event for event in sent.span.events if event.name == "exception"]
    if not message and exceptions:
        last = read_attributes(exceptions[-1].attributes)
        message = to_string(last.get("exception.message")) or to_string(last.get("exception.type")) or ""
    return message[:STATUS_MESSAGE_CHARS_MAX]


def _ttft_ns(sent: Sent) -> int:
    """The first usable time to the first token, zero included; 0 for none."""
    for key, unit in tables.TTFT:
        value = sent.attributes.get(key)
        if unit == "iso":
            time_ns = to_time_ns(value)
            length_ns = None if time_ns is None else time_ns - sent.span.start_time_unix_nano
            if length_ns is not None and length_ns < 0:
                length_ns = None
        else:
            is_milli = unit == "ms" or (unit == "s, ms of Strands" and sent.is_strands)
            length_ns = to_length_ns(value, 1e6 if is_milli else 1e9)
        if length_ns is not None:
            return length_ns
    return 0
