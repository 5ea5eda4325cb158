"""Decoded spans to narrow rows: what each span says about session, user, model, tokens, cost, kind and error.

Pure and vectorized; a span speaks only for itself here. What it inherits from its trace is `rollup`'s business.

Source: attributes.yaml; `conventions.table` holds the rules.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions import table
from processor.conventions.coerce import Counts
from processor.conventions.pick import Entries, Picked
from processor.conventions.table import Key
from processor.decode.columns import Bools, Ints, hex_strings, to_bools
from processor.decode.otlp import DecodedSpans
from processor.model import OTHER, SESSION_SPANS, StatusCode, Strength

_NO_PARENT: Final = "0" * 16
_TIME_NS_MAX: Final = np.uint64(2**63 - 1)


@dataclass(frozen=True, slots=True)
class Normalized:
    """Shape: `rows` has the columns of `model.SESSION_SPANS`, one row a span, in order; `takes_part` one entry a span,
    false for those that `table.SKIP` keeps out of rollups.
    """

    rows: pl.DataFrame
    takes_part: Bools

    @property
    def session_spans(self) -> pl.DataFrame:
        """The rows that take part in rollups."""
        return self.rows if self.takes_part.all() else self.rows.filter(pl.Series(self.takes_part))


def normalize(decoded: DecodedSpans, tenants: pa.StringArray) -> Normalized:
    """What each span says.

    Shape: `tenants` has one entry a record.
    Units: Unix nanoseconds, nano-dollars.
    Errors: none; a value that can't be read is treated as absent.
    """
    if not len(decoded):
        return Normalized(pl.DataFrame(schema=SESSION_SPANS), np.zeros(0, np.bool_))
    spans = decoded.spans
    names = spans.field("name")
    entries = Entries(decoded.attributes, names)
    parent = hex_strings(spans.field("parent_span_id"))
    own, strength = _session_ids(entries, decoded)
    session_name = entries.text(table.SESSION_NAME)
    inputs, outputs = entries.count(table.INPUT_TOKENS), entries.count(table.OUTPUT_TOKENS)
    totals = entries.count(table.TOTAL_TOKENS)
    status = _status_codes(spans)
    columns = {
        "tenant": tenants.take(pa.array(decoded.record)),
        "trace_id": hex_strings(spans.field("trace_id")),
        "span_id": hex_strings(spans.field("span_id")),
        "parent_span_id": pc.if_else(pc.equal(parent, _NO_PARENT), "", parent),
        "service": service_names(decoded),
        # Copied: the parser's arrays are released as one, and a row that is kept must not keep the whole poll.
        "name": names.take(pa.array(np.arange(len(names)))),
        "kind": _kinds(entries),
        "start_ns": span_times(spans, "start_time_unix_nano"),
        "end_ns": span_times(spans, "end_time_unix_nano"),
        "status_code": status,
        "is_error": _errors(entries, decoded, status),
        "session_id": own,
        "session_strength": strength,
        "session_name": session_name.value,
        "session_name_rank": session_name.rank.astype(np.uint8),
        "user_id": entries.text(table.USER_ID).value,
        "thread_id": entries.text(table.THREAD_ID).value,
        "model": entries.text(table.MODEL).value,
        "provider": _providers(entries),
        "input_tokens": inputs.value,
        "output_tokens": outputs.value,
        "total_tokens": np.where(inputs.valid | outputs.valid, inputs.value + outputs.value, totals.value),
        "cost_nano_usd": _costs(entries),
    }
    return Normalized(pl.DataFrame(columns, schema=SESSION_SPANS), ~_skipped(entries))


def service_names(decoded: DecodedSpans) -> pa.StringArray:
    """`service.name` of each span's resource; '' where it has none."""
    return _resource_texts(decoded, "service.name").take(pa.array(decoded.resource))


def span_times(spans: pa.StructArray, field: str) -> Ints:
    """A time of each span as int64 nanoseconds."""
    times: Ints = np.minimum(spans.field(field).to_numpy(), _TIME_NS_MAX).astype(np.int64)
    return times


def _resource_texts(decoded: DecodedSpans, key: str) -> pa.StringArray:
    names = pa.repeat("", len(decoded.resources))
    return Entries(decoded.resource_attributes, names).text([Key(key)]).value


def _session_ids(entries: Entries, decoded: DecodedSpans) -> tuple[pa.StringArray, Ints]:
    """Each span's own session id and its strength."""
    found: Picked = entries.text(table.SESSION_ID)
    has_own = to_bools(pc.not_equal(found.value, ""))
    strengths = np.array(table.SESSION_STRENGTHS, np.uint8)[found.rank]
    if not pc.any(pc.equal(decoded.resource_attributes.key, table.RESOURCE_SESSION_ID)).as_py():
        return found.value, np.where(has_own, strengths, Strength.NONE).astype(np.uint8)
    inherited = _resource_texts(decoded, table.RESOURCE_SESSION_ID).take(pa.array(decoded.resource))
    weakest = np.where(to_bools(pc.not_equal(inherited, "")), Strength.RESOURCE, Strength.NONE)
    own = pc.if_else(pa.array(has_own), found.value, inherited)
    return own, np.where(has_own, strengths, weakest).astype(np.uint8)


def _providers(entries: Entries) -> pa.StringArray:
    """The provider, normalized; frameworks that call themselves a provider are passed over."""
    result = pa.repeat("", entries.spans)
    for key in table.PROVIDER:
        if entries.has(key.name):
            encoded = pc.dictionary_encode(entries.text([key]).value)
            words = pa.array([_provider(word) for word in encoded.dictionary.to_pylist()], pa.string())
            result = pc.if_else(pc.equal(result, ""), words.take(encoded.indices), result)
    return result


def _provider(word: str) -> str:
    word = word.lower()
    if word in table.NOT_A_PROVIDER:
        return ""
    return word if word.startswith(table.DOTTED_PROVIDER_PREFIXES) else word.split(".", 1)[0]


def _kinds(entries: Entries) -> pa.StringArray:
    kind = entries.mapped(table.KIND)
    for keys, value in table.KIND_BY_PRESENCE:
        if any(entries.has(key) for key in keys):
            undecided = pc.and_(pc.equal(kind, ""), pa.array(entries.present(keys)))
            kind = pc.if_else(undecided, value, kind)
    return pc.if_else(pc.equal(kind, ""), OTHER, kind)


def _costs(entries: Entries) -> Ints:
    stated = entries.cost(table.COST)
    cost, known = stated.value, stated.valid
    for keys in table.COST_SUMS:
        parts: list[Counts] = [entries.cost([key]) for key in keys]
        some = functools.reduce(operator.or_, [part.valid for part in parts]) & ~known
        cost = np.where(some, sum(part.value for part in parts), cost)
        known = known | some
    return cost


def _status_codes(spans: pa.StructArray) -> Ints:
    """0 to 2; a span without a status, or with one that OTLP does not know, is UNSET."""
    codes = pc.fill_null(pc.struct_field(spans, ["status", "code"]), 0).to_numpy()
    known = (codes == StatusCode.OK) | (codes == StatusCode.ERROR)
    return np.where(known, codes, StatusCode.UNSET).astype(np.uint8)


def _errors(entries: Entries, decoded: DecodedSpans, status: Ints) -> Bools:
    error: Bools = (status == StatusCode.ERROR) | entries.present([table.ERROR_TYPE])
    if entries.has(table.ERROR_LEVEL):
        level = pc.utf8_upper(entries.text([Key(table.ERROR_LEVEL)]).value)
        error |= to_bools(pc.equal(level, "ERROR"))
    if entries.has(table.SUCCESS):
        failed = to_bools(pc.equal(entries.text([Key(table.SUCCESS)]).value, "false"))
        error |= failed & entries.claude_code_requests()
    events = decoded.spans.field("events")
    exceptions = pc.equal(events.flatten().field("name"), table.EXCEPTION_EVENT)
    if pc.any(exceptions).as_py():
        error[pc.list_parent_indices(events).filter(exceptions).to_numpy()] = True
    return error


def _skipped(entries: Entries) -> Bools:
    skipped = np.zeros(entries.spans, np.bool_)
    for key, text in table.SKIP:
        if entries.has(key):
            skipped |= to_bools(pc.equal(entries.text([Key(key)]).value, text))
    return skipped
