"""Trace rows to session rows, in the engine's own words: one row a (tenant, session).

The one rollup that is SQL. A session is recomputed from all of its trace rows whenever one of them changes, so this
reads far more rows than it writes: the engine does it in a tenth of the time that fetching the rows and rolling them up
here took, and without a row leaving the store (ADR 0010).

The version of a session's row is the sum of the versions of its trace rows, vanished ones (`span_count = 0`) included:
every change of a trace makes it larger, so a row computed from an older view always loses.
"""

from __future__ import annotations

from typing import Final

from processor.model import SESSION_ROLLUPS

_SUMMED: Final = (
    "llm_ns", "span_count", "error_count", "llm_call_count", "tool_call_count", "input_tokens", "output_tokens",
    "total_tokens", "cost_nano_usd", "unpriced_span_count",
)  # fmt: skip
_LISTS: Final = ("models", "providers", "services")
_LIVE: Final = "t.span_count > 0"
# As one text: comparing tuples takes two fifths of the whole query. Times that are admitted have all 16 digits.
_BY_START: Final = "hex(toUInt64(t.start_ns)), t.trace_id"


def session_rollups(database: str, condition: str) -> str:
    """A query for the session rows of the sessions that `condition` selects from `session_traces`.

    Shape: `model.SESSION_ROLLUPS`. A session without a live trace gets a row with `trace_count = 0`.
    Units: Unix nanoseconds, nano-dollars; `active_ns` is the length of the union of the traces' intervals.
    """
    columns = {
        "tenant": "t.tenant",
        "session_id": "t.session_id",
        "version": "sum(t.version)",
        "name": _first_stated("t.session_name", f"hex(t.session_name_rank), {_BY_START}"),
        "user_id": _first_stated("t.user_id", _BY_START),
        "thread_id": _first_stated("t.thread_id", _BY_START),
        "trace_count": f"toInt64(countIf({_LIVE}))",
        "active_ns": f"toInt64(intervalLengthSumIf(t.start_ns, t.end_ns, {_LIVE}))",
        "start_ns": f"minIf(t.start_ns, {_LIVE})",
        "end_ns": f"maxIf(t.end_ns, {_LIVE})",
        **{name: f"sum(t.{name})" for name in _SUMMED},
        **{name: f"arraySort(groupUniqArrayArray(t.{name}))" for name in _LISTS},
    }
    selected = ", ".join(f"{columns[name]} AS {name}" for name in SESSION_ROLLUPS.names())
    return (
        f"SELECT {selected} FROM {database}.session_traces AS t FINAL WHERE {condition} "
        "GROUP BY t.tenant, t.session_id ORDER BY t.tenant, t.session_id"
    )


def _first_stated(text: str, order: str) -> str:
    return f"argMinIf({text}, concat({order}), {text} != '' AND {_LIVE})"
