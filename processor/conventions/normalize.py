"""Decoded spans to narrow rows: what each span says about session, user, model, tokens, cost, kind and error.

Pure and vectorized; a span speaks only for itself here. What it inherits from its trace is `rollup`'s business.

Source: attributes.yaml, by way of `rules.Conventions`.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions import labels
from processor.conventions.coerce import Counts
from processor.conventions.conditions import judged
from processor.conventions.failures import STATUS_MESSAGE_CHARS, errors, status_codes, status_messages
from processor.conventions.pick import Entries
from processor.conventions.previews import PreviewConfig, previews
from processor.conventions.rules import Conventions, Key, Keys
from processor.conventions.sessions import session_ids, session_names
from processor.conventions.ttft import times_to_first_token
from processor.conventions.usage import usage
from processor.decode.columns import Bools, Ints, hex_strings, to_bools
from processor.decode.otlp import DecodedSpans
from processor.model import (
    AGENT,
    EMBEDDING,
    LLM,
    OTHER,
    SESSION_SPANS,
    Source,
)

_SERVICE_NAME: Final = (Key("service.name"),)
_NO_PARENT: Final = "0" * 16
_TIME_NS_MAX: Final = np.uint64(2**63 - 1)


@dataclass(frozen=True, slots=True)
class Normalized:
    """Shape: `rows` has the columns of `model.SESSION_SPANS`, one row a span, in order; `takes_part` one entry a span,
    false for those that the rules skip.
    """

    rows: pl.DataFrame
    takes_part: Bools

    @property
    def session_spans(self) -> pl.DataFrame:
        """The rows that take part in rollups."""
        return self.rows if self.takes_part.all() else self.rows.filter(pl.Series(self.takes_part))


@dataclass(frozen=True, slots=True)
class Normalizer:
    """What each span says, by these rules."""

    conventions: Conventions
    preview_config: PreviewConfig

    def normalize(self, decoded: DecodedSpans, tenants: pa.StringArray) -> Normalized:
        """Read the spans.

        Shape: `tenants` has one entry a record.
        Units: Unix nanoseconds, nano-dollars.
        Errors: none; a value that can't be read is treated as absent.
        """
        if not len(decoded):
            return Normalized(pl.DataFrame(schema=SESSION_SPANS), np.zeros(0, np.bool_))
        rules, spans = self.conventions, decoded.spans
        names = spans.field("name")
        scope = scope_names(decoded)
        entries = Entries(decoded.attributes, len(decoded), functools.partial(judged, decoded, scope))
        resource = Entries(decoded.resource_attributes, len(decoded.resources))
        parent = pc.if_else(pc.equal(found := hex_strings(spans.field("parent_span_id")), _NO_PARENT), "", found)
        trace_id = hex_strings(spans.field("trace_id"))
        own, strength = session_ids(entries, resource, rules, decoded, trace_id)
        session_name, name_rank = session_names(entries, rules, names)
        model = entries.text(rules.model).value
        kind = _kinds(entries, rules, model)
        provider = _providers(entries, rules)
        tokens = usage(entries, rules, provider)
        status = status_codes(spans)
        is_error = errors(entries, rules, decoded, status)
        start_ns = span_times(spans, "start_time_unix_nano")
        seen = to_bools(pc.or_(pc.equal(parent, ""), pc.is_in(kind, pa.array([LLM, AGENT]))))
        columns = {
            "tenant": tenants.take(pa.array(decoded.record)),
            "trace_id": trace_id,
            "span_id": hex_strings(spans.field("span_id")),
            "parent_span_id": parent,
            "source": np.full(len(decoded), Source.SPAN, np.uint8),
            "turn_id": pa.repeat("", len(decoded)),
            "scope": scope,
            "service": resource.text(_SERVICE_NAME).value.take(pa.array(decoded.resource)),
            # Copied: the parser's arrays are released as one, and a row that is kept must not keep the whole poll.
            "name": names.take(pa.array(np.arange(len(names)))),
            "kind": kind,
            "start_ns": start_ns,
            "end_ns": span_times(spans, "end_time_unix_nano"),
            "status_code": status,
            "is_error": is_error,
            "status_message": status_messages(entries, rules, decoded, is_error),
            "session_id": own,
            "session_strength": strength,
            "session_name": session_name,
            "session_name_rank": name_rank,
            "user_id": entries.text(rules.user_id).value,
            "thread_id": entries.text(rules.thread_id).value,
            "environment": _own_or_resource(entries, resource, rules.environment, decoded),
            **_end_states(entries, rules),
            "tags": labels.tags(entries, rules),
            "metadata": labels.metadata(entries, rules),
            "model": model,
            "request_model": _unlike(entries.text(rules.request_model).value, model),
            "provider": provider,
            "response_id": entries.text(rules.response_id).value,
            "also_logged": functools.reduce(operator.or_, [entries.holds(which) for which in rules.also_logged]),
            "input_tokens": tokens.input,
            "output_tokens": tokens.output,
            "total_tokens": tokens.total,
            "cache_read_tokens": tokens.cache_read,
            "cache_write_tokens": tokens.cache_write,
            "cache_write_1h_tokens": tokens.cache_write_1h,
            "reasoning_tokens": tokens.reasoning,
            **_costs(entries, rules),
            "ttft_ns": times_to_first_token(entries, rules.ttft, start_ns),
            "input_preview": previews(entries, rules.input_preview, seen, self.preview_config),
            "output_preview": previews(entries, rules.output_preview, seen, self.preview_config),
        }
        return Normalized(pl.DataFrame(columns, schema=SESSION_SPANS), ~_skipped(entries, rules))


def scope_names(decoded: DecodedSpans) -> pa.StringArray:
    """The name of each span's instrumentation scope; '' where it has none."""
    named = pc.fill_null(pc.struct_field(decoded.scopes, ["scope", "name"]), "")
    return named.take(pa.array(decoded.scope))


def span_times(spans: pa.StructArray, field: str) -> Ints:
    """A time of each span as int64 nanoseconds."""
    times: Ints = np.minimum(spans.field(field).to_numpy(), _TIME_NS_MAX).astype(np.int64)
    return times


def _own_or_resource(entries: Entries, resource: Entries, keys: Keys, decoded: DecodedSpans) -> Any:
    own = entries.text(keys).value
    if not any(resource.has(key.name) for key in keys):
        return own
    return pc.if_else(pc.equal(own, ""), resource.text(keys).value.take(pa.array(decoded.resource)), own)


def _end_states(entries: Entries, rules: Conventions) -> dict[str, Any]:
    stated = entries.text(rules.end_state).value
    encoded = pc.dictionary_encode(stated)
    words = [rules.end_states.get(word.lower(), "") for word in encoded.dictionary.to_pylist()]
    return {
        "end_state": pa.array(words, pa.string()).take(encoded.indices),
        "end_reason": pc.utf8_slice_codeunits(entries.text(rules.end_reason).value, 0, STATUS_MESSAGE_CHARS),
    }


def _unlike(text: Any, other: Any) -> Any:
    """The texts that say something else than the other; '' for the rest."""
    return pc.if_else(pc.equal(text, other), "", text)


def _providers(entries: Entries, rules: Conventions) -> Any:
    """The provider, normalized; frameworks that call themselves a provider are passed over."""
    result = pa.repeat("", entries.owners)
    for key in rules.provider:
        if entries.has(key.name):
            encoded = pc.dictionary_encode(entries.text((key,)).value)
            words = pa.array([_provider(word, rules) for word in encoded.dictionary.to_pylist()], pa.string())
            result = pc.if_else(pc.equal(result, ""), words.take(encoded.indices), result)
    return result


def _provider(word: str, rules: Conventions) -> str:
    word = word.lower()
    if word in rules.not_a_provider:
        return ""
    return word if word.startswith(rules.dotted_providers) else word.split(".", 1)[0]


def _kinds(entries: Entries, rules: Conventions, model: Any) -> Any:
    kind: Any = entries.mapped(rules.kind)
    for keys, value in rules.kind_by_presence:
        present = entries.present(keys)
        if present.any():
            kind = pc.if_else(pc.and_(pc.equal(kind, ""), pa.array(present)), value, kind)
    encoded = pc.dictionary_encode(model)
    embeds = pc.match_substring_regex(encoded.dictionary, rules.embedding_model)
    if pc.any(embeds).as_py():
        kind = pc.if_else(pc.and_(pc.equal(kind, LLM), embeds.take(encoded.indices)), EMBEDDING, kind)
    return pc.if_else(pc.equal(kind, ""), OTHER, kind)


def _costs(entries: Entries, rules: Conventions) -> dict[str, Ints]:
    """What is stated; a total that is not may be the sum of its parts."""
    total = entries.cost(rules.cost["total"])
    cost, known = total.value, total.valid
    for pair in rules.cost_pairs:
        parts: list[Counts] = [entries.cost((key,)) for key in pair]
        some = functools.reduce(operator.or_, [part.valid for part in parts]) & ~known
        cost = np.where(some, sum(part.value for part in parts), cost)
        known = known | some
    return {
        "cost_nano_usd": cost,
        "input_cost_nano_usd": entries.cost(rules.cost["input"]).value,
        "output_cost_nano_usd": entries.cost(rules.cost["output"]).value,
    }


def _skipped(entries: Entries, rules: Conventions) -> Bools:
    skipped = np.zeros(entries.owners, np.bool_)
    for key, text in rules.skip:
        skipped |= entries.says(key, text)
    return skipped
