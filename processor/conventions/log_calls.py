"""Log records that report a model call to narrow rows, as if each were the span of its call.

Pure and vectorized, but for one hash a call. Only what `log_rules` names is a call; which of these repeat a span is for
`rollup` to judge, over the whole set.

A record with trace context is a child of the span that it was written in. One without is a trace of its own, named
after the call (`call:` and the API's id of the request, or a hash of the record), so that a redelivered record is the
same row; what `turn_id` groups is one turn of its session.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.coerce import TOKENS_MAX
from processor.conventions.failures import STATUS_MESSAGE_CHARS
from processor.conventions.log_rules import (
    CLAUDE_CODE_EVENTS,
    CLAUDE_CODE_SCOPE,
    GEMINI_CLI,
    GENAI_EVENT,
    RULES,
    CallRule,
)
from processor.conventions.normalize import Normalizer
from processor.conventions.pick import Entries
from processor.conventions.records import Subjects
from processor.conventions.rules import Keys
from processor.decode.columns import Bools, Ints, to_bools
from processor.decode.logs import DecodedLogs
from processor.decode.otlp import DecodedSpans
from processor.decode.values import Attributes
from processor.model import (
    CALL_TRACE,
    LLM,
    MODEL_CALLS,
    NANOS_PER_MILLI,
    SESSION_SPANS,
    Source,
    StatusCode,
)

_GENAI: Final = len(RULES)
_EVENTS: Final = {**{event: place for place, rule in enumerate(RULES) for event in rule.events}, GENAI_EVENT: _GENAI}
_NONE: Final = -1
_ID_BYTES: Final = 8
_TIME_NS_MAX: Final = np.uint64(2**63 - 1)
_EVENT_LISTS: Final = pa.list_(pa.struct([("name", pa.string())]))


def log_calls(decoded: DecodedLogs, about: Subjects, normalizer: Normalizer, tenants: pa.StringArray) -> pl.DataFrame:
    """The calls that log records report.

    Shape: `tenants` has one entry a request; the result is `model.SESSION_SPANS`, one row a call, in order.
    Units: Unix nanoseconds, nano-dollars.
    Errors: none; a value that can't be read is treated as absent, a record without a time is no call.
    """
    names, rule = _recognized(decoded, about)
    calls = np.flatnonzero((rule != _NONE) & (decoded.time > 0))
    if not len(calls):
        return pl.DataFrame(schema=SESSION_SPANS)
    taken = pa.array(calls)
    lists = decoded.records.field("attributes").take(taken)
    attributes = Attributes.of(lists)
    entries = Entries(attributes, len(calls))
    end_ns: Ints = np.minimum(decoded.time[calls], _TIME_NS_MAX).astype(np.int64)
    # What any emitter may say (user, tags, environment, GenAI attributes) is read as of a span.
    rows = normalizer.normalize(_as_spans(decoded, calls, attributes, names.take(taken)), tenants).rows
    columns = {name: rows[name].to_numpy(writable=True) for name in rows.columns}
    duration_ns = np.zeros(len(calls), np.int64)
    for place, one in enumerate(RULES):
        mine = rule[calls] == place
        if mine.any():
            _read(one, mine, entries, names.take(taken), columns, duration_ns)
    hashes = _hashes(decoded, about, calls, attributes)
    _identify(columns, decoded, calls, hashes, _call_ids(rule[calls], entries))
    columns["start_ns"], columns["end_ns"] = np.maximum(end_ns - duration_ns, 0), end_ns
    columns["source"] = np.full(len(calls), Source.LOG, np.uint8)
    columns["session_id"] = _objects(about.session_id.take(taken))
    columns["session_strength"] = about.session_strength[calls]
    columns["service"] = _objects(about.service.take(taken))
    columns["also_logged"] = np.zeros(len(calls), np.bool_)
    found = pl.DataFrame(
        {
            name: pl.Series(name, columns[name].tolist() if columns[name].dtype == object else columns[name], dtype)
            for name, dtype in SESSION_SPANS.items()
        }
    )
    return found.filter(pl.Series(_is_call(found, rule[calls])))


def _recognized(decoded: DecodedLogs, about: Subjects) -> tuple[Any, Ints]:
    """The full name of each record's event, and the place of the rule for it, `_NONE` for those that are no calls."""
    known = pa.array(list(_EVENTS))
    name, body = about.event, decoded.body
    by_body = pc.if_else(pc.is_in(body, known), body, "")
    by_scope = pc.if_else(
        pc.starts_with(about.scope, CLAUDE_CODE_SCOPE), pc.binary_join_element_wise(CLAUDE_CODE_EVENTS, name, ""), ""
    )
    for better in (by_body, by_scope):
        name = pc.if_else(pc.is_in(name, known), name, pc.if_else(pc.equal(better, ""), name, better))
    place = pc.fill_null(pc.index_in(name, known), len(known)).to_numpy()
    rule = np.array([*_EVENTS.values(), _NONE], np.int64)[place]
    again = (rule == _GENAI) & (_is(about.scope, GEMINI_CLI) | _is(about.service, GEMINI_CLI))
    rule[again] = _NONE
    for number, one in enumerate(RULES):
        if one.only_if is not None and (rule == number).any():
            rule[(rule == number) & ~about.entries.says(*one.only_if)] = _NONE
    return name, rule


def _read(
    rule: CallRule, mine: Bools, entries: Entries, names: Any, columns: dict[str, Any], duration_ns: Ints
) -> None:
    """Fill in what one emitter says of its calls, `mine`."""
    read, write = entries.count(rule.cache_read).value, entries.count(rule.cache_write).value
    inputs, outputs = (_added_up(entries, lists) for lists in (rule.input, rule.output))
    excluded = (read + write > inputs) | (not rule.input_includes_cached)
    inputs = np.where(excluded, np.minimum(inputs + read + write, TOKENS_MAX), inputs)
    message = _objects(pc.utf8_slice_codeunits(entries.text(rule.error_message).value, 0, STATUS_MESSAGE_CHARS))
    failed = to_bools(pc.is_in(names, pa.array(rule.failed, pa.string())))
    failed |= (message != "") & (inputs + outputs == 0)
    said = {
        "kind": LLM,
        "provider": rule.provider,
        "input_tokens": inputs,
        "output_tokens": outputs,
        "total_tokens": inputs + outputs,
        "cache_read_tokens": read,
        "cache_write_tokens": write,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": entries.count(rule.reasoning).value,
        "cost_nano_usd": entries.cost(rule.cost).value,
        "ttft_ns": entries.duration(rule.ttft_ms, NANOS_PER_MILLI).value,
        "is_error": failed,
        "status_code": np.where(failed, StatusCode.ERROR, StatusCode.UNSET),
        "status_message": np.where(failed, message, ""),
        "response_id": _objects(entries.text(rule.call_id[:1]).value),
        "turn_id": _objects(entries.text(rule.turn_id).value),
    }
    for name, value in said.items():
        columns[name] = np.where(mine, value, columns[name])
    user = _objects(entries.text(rule.user_id).value)
    columns["user_id"] = np.where(mine & (columns["user_id"] == ""), user, columns["user_id"])
    duration_ns[mine] = entries.duration(rule.duration_ms, NANOS_PER_MILLI).value[mine]


def _identify(columns: dict[str, Any], decoded: DecodedLogs, calls: Ints, hashes: Any, call_ids: Any) -> None:
    """Trace, span and parent of each call."""
    taken = pa.array(calls)
    trace_id, span_id = _objects(decoded.trace_id.take(taken)), _objects(decoded.span_id.take(taken))
    has_trace = trace_id != ""
    named = np.where(call_ids == "", hashes, call_ids)
    columns["trace_id"] = np.where(has_trace, trace_id, CALL_TRACE + named)
    columns["parent_span_id"] = np.where(has_trace, span_id, "")
    columns["span_id"] = hashes
    columns["turn_id"] = np.where(has_trace, "", columns["turn_id"])


def _call_ids(rule: Ints, entries: Entries) -> Any:
    ids = np.full(len(rule), "", object)
    for place, one in enumerate(RULES):
        mine = rule == place
        if one.call_id and mine.any():
            ids[mine] = _objects(entries.text(one.call_id).value)[mine]
    return ids


def _hashes(decoded: DecodedLogs, about: Subjects, calls: Ints, attributes: Attributes) -> Any:
    """16 hex digits of each record's content: the same in every process and every version, or a redelivered record
    would be another call.
    """
    taken = pa.array(calls)
    pairs = pa.ListArray.from_arrays(
        attributes.offsets, pc.binary_join_element_wise(attributes.key, attributes.text, "\x1f")
    )
    parts = (
        pc.cast(pa.array(decoded.time[calls]), pa.string()),
        decoded.trace_id.take(taken),
        decoded.span_id.take(taken),
        about.service.take(taken),
        about.event.take(taken),
        decoded.body.take(taken),
        pc.binary_join(pairs, "\x1e"),
    )
    texts = pc.binary_join_element_wise(*parts, "\x1d").to_pylist()
    return np.array([blake2b(text.encode(), digest_size=_ID_BYTES).hexdigest() for text in texts], object)


def _is_call(rows: pl.DataFrame, rule: Ints) -> Bools:
    """Records that say what a call took, or that it failed. A GenAI record may be about something else than a call."""
    says = (rows["total_tokens"] > 0) | (rows["cost_nano_usd"] > 0) | rows["is_error"]
    is_model = rows["kind"].is_in(MODEL_CALLS).to_numpy() | (rule != _GENAI)
    found: Bools = says.to_numpy() & is_model
    return found


def _as_spans(decoded: DecodedLogs, calls: Ints, attributes: Attributes, names: Any) -> DecodedSpans:
    count = len(calls)
    nothing = pa.array([b""] * count, pa.binary())
    times = pa.array(decoded.time[calls])
    spans = pa.StructArray.from_arrays(
        [nothing, nothing, nothing, names, times, times, _no_status(count), pa.array([[]] * count, _EVENT_LISTS)],
        names=[
            "trace_id",
            "span_id",
            "parent_span_id",
            "name",
            "start_time_unix_nano",
            "end_time_unix_nano",
            "status",
            "events",
        ],
    )
    return DecodedSpans(
        spans=spans,
        attributes=attributes,
        record=decoded.record[calls],
        resource=decoded.resource[calls],
        scope=decoded.scope[calls],
        resources=decoded.resources,
        resource_attributes=decoded.resource_attributes,
        scopes=decoded.scopes,
    )


def _no_status(count: int) -> pa.StructArray:
    return pa.StructArray.from_arrays(
        [pa.array(np.zeros(count, np.int32)), pa.repeat("", count)], names=["code", "message"]
    )


def _added_up(entries: Entries, lists: tuple[Keys, ...]) -> Ints:
    total = np.zeros(entries.owners, np.int64)
    for keys in lists:
        total = total + entries.count(keys).value
    return np.minimum(total, TOKENS_MAX)


def _is(texts: Any, word: str) -> Bools:
    return to_bools(pc.equal(texts, word))


def _objects(texts: Any) -> Any:
    return texts.to_numpy(zero_copy_only=False)
