"""Trace rows to session rows, in the engine's own words: one row a (tenant, session).

The one rollup that is SQL. A session is recomputed from all of its trace rows whenever one of them changes, so this
reads far more rows than it writes: the engine does it in a tenth of the time that fetching the rows and rolling them up
here took, and without a row leaving the store (ADR 0010).

The version of a session's row is the sum of the versions of its trace rows, vanished ones included: every change of a
trace makes it larger, so a row computed from an older view always loses.
"""

from __future__ import annotations

from typing import Final

from processor.model import COSTS, LABELS_MAX, SESSION_ROLLUPS, SUMMED, TOKENS, Source

_LISTS: Final = ("models", "providers", "services")
_FIRST_STATED: Final = ("user_id", "thread_id", "environment", "input_preview")
_LAST_STATED: Final = ("end_reason", "output_preview")
_SPANS: Final = f"t.span_count > 0 AND t.source = {Source.SPAN:d}"
_LOGS: Final = f"t.span_count > 0 AND t.source = {Source.LOG:d}"
_REPORTED: Final = "(t.span_count > 0)"
_COUNTED: Final = f"(t.source = {Source.METRIC:d})"
# As one text: comparing tuples takes two fifths of the whole query. Times that are admitted have all 16 digits.
_BY_START: Final = "hex(toUInt64(t.start_ns)), t.trace_id"
_BY_END: Final = "hex(toUInt64(t.end_ns)), t.trace_id"
_ESCAPED_SLASH: Final = r"\\/"  # as the engine writes it, and nobody else
_END_OF_ORDER: Final = r"'\0'"  # stands in no trace id


def session_rollups(database: str, condition: str, counters: bool = False) -> str:
    """A query for the session rows of the sessions that `condition` selects from `session_traces`, by its key alone.

    The condition stands before FINAL: rows of one key share what it asks about, so older versions are merged only among
    rows that are wanted, for half the time of the whole query.
    With `counters`, what counters add up to stands in for tokens and cost where spans and log records report neither;
    asking for it costs a fifth more, so it is for databases that have any.
    Shape: `model.SESSION_ROLLUPS`. A session without a live trace gets a row with `row_count = 0`.
    Units: Unix nanoseconds, nano-dollars; `active_ns` is the length of the union of the traces' intervals.
    """
    live = f"({_REPORTED} OR {_COUNTED})" if counters else _REPORTED
    columns = {
        "tenant": "t.tenant",
        "session_id": "t.session_id",
        "version": "sum(t.version)",
        "row_count": f"toInt64(countIf({live}))",
        "name": f"if({_any('t.session_name', live)}, {_named(live)}, {_first('t.name', live)})",
        **{name: _first(f"t.{name}", live) for name in _FIRST_STATED},
        **{name: _last(f"t.{name}", live) for name in _LAST_STATED},
        "end_state": f"if({_any('t.end_state', live)}, {_last('t.end_state', live)}, {_last_status(live)})",
        "metadata": _metadata(live),
        # What only log records tell of has turns instead of traces.
        "trace_count": f"toInt64(countIf({_SPANS}) + uniqExactIf(if(t.turn_id = '', t.trace_id, t.turn_id), {_LOGS}))",
        "active_ns": f"toInt64(intervalLengthSumIf(t.start_ns, t.end_ns, {_REPORTED}))",
        "start_ns": _of_reported("minIf(t.start_ns, {})", counters),
        # Of a session that all traces have left, too: its row expires by it, and not before an older version.
        "end_ns": f"if(countIf({live}) > 0, {_of_reported('maxIf(t.end_ns, {})', counters)}, max(t.end_ns))",
        **{name: f"sum(t.{name})" for name in SUMMED},
        **{name: f"arraySort(groupUniqArrayArray(t.{name}))" for name in _LISTS},
        "tags": f"arraySlice(arraySort(groupUniqArrayArray(t.tags)), 1, {LABELS_MAX:d})",
    }
    if counters:
        columns |= {name: _last_resort(f"t.{name}") for name in (*TOKENS, *COSTS, "unpriced_span_count")}
    selected = ", ".join(f"{columns[name]} AS {name}" for name in SESSION_ROLLUPS.names())
    return (
        f"SELECT {selected} FROM {database}.session_traces AS t FINAL PREWHERE {condition} "
        "GROUP BY t.tenant, t.session_id ORDER BY t.tenant, t.session_id"
    )


def _of_reported(aggregate: str, counters: bool) -> str:
    """Over what spans and log records report; of a session that only counters tell of, over them."""
    reported = aggregate.format(_REPORTED)
    return f"if(countIf({_REPORTED}) > 0, {reported}, {aggregate.format(_COUNTED)})" if counters else reported


def _last_resort(amount: str) -> str:
    reported = f"sumIf(t.total_tokens + t.cost_nano_usd, NOT {_COUNTED}) > 0"
    return f"if({reported}, sumIf({amount}, NOT {_COUNTED}), sumIf({amount}, {_COUNTED}))"


def _any(text: str, live: str) -> str:
    return f"countIf({text} != '' AND {live}) > 0"


def _named(live: str) -> str:
    order = f"hex(t.session_name_rank), {_BY_START}"
    return f"argMinIf(t.session_name, concat({order}), t.session_name != '' AND {live})"


def _first(text: str, live: str) -> str:
    return f"argMinIf({text}, concat({_BY_START}), {text} != '' AND {live})"


def _last(text: str, live: str) -> str:
    return f"argMaxIf({text}, concat({_BY_END}), {text} != '' AND {live})"


def _last_status(live: str) -> str:
    """The end state of a session that states none: how its last trace ended."""
    status = f"argMaxIf(t.status_code, concat({_BY_END}), {live})"
    return f"transform({status}, [1, 2], ['success', 'error'], 'unknown')"


def _metadata(live: str) -> str:
    """Of each of the first keys the value of the earliest trace, as JSON: values are ordered behind their trace."""
    of_trace = "JSONExtract(t.metadata, 'Map(String, String)')"
    ordered = f"mapApply((k, v) -> (k, concat({_BY_START}, {_END_OF_ORDER}, v)), {of_trace})"
    first = f"minMapIf({ordered}, t.metadata != '' AND {live})"
    plain = f"mapSort(mapApply((k, v) -> (k, substring(v, position(v, {_END_OF_ORDER}) + 1)), {first}))"
    keys, values = (f"arraySlice({part}({plain}), 1, {LABELS_MAX:d})" for part in ("mapKeys", "mapValues"))
    bounded = f"mapFromArrays({keys}, {values})"
    return f"if({_any('t.metadata', live)}, replaceAll(toJSONString({bounded}), '{_ESCAPED_SLASH}', '/'), '')"
