"""Rows of a store that has been in use for a while, as SQL over trace numbers: the same turn of an agent as the load.

Everything is an expression over `t`, the number of a trace, and `s`, the place of a span in it; so the three tables say
the same, and a row is the same however often it is written. `benchmarks.fill` holds samples against `processor.rollup`.
"""

from __future__ import annotations

from typing import Final

from benchmarks import spans
from benchmarks.load import SESSION_PREFIX
from benchmarks.spans import SHAPE, SPANS_PER_TRACE
from benchmarks.templates import SESSION_DIGITS
from processor.conventions.rules import Conventions
from processor.model import AGENT, CHAIN, DEFAULT_TENANT, LLM, OTHER, RETRIEVAL, TOOL, Strength

FILL_BATCH_SEQ: Final = 1

_KINDS: Final = {
    spans.AGENT: AGENT,
    spans.PLAN: CHAIN,
    spans.FIRST_CALL: LLM,
    spans.TOOL: TOOL,
    spans.TOOL_REQUEST: OTHER,
    spans.SECOND_CALL: LLM,
    spans.RETRIEVAL: RETRIEVAL,
    spans.LAST_CALL: LLM,
}
_CALLS: Final = (spans.FIRST_CALL, spans.SECOND_CALL, spans.LAST_CALL)
_NAME_RANK: Final = [key.name for key in Conventions.load().session_name].index("gen_ai.conversation.name")

_TRACE_ID: Final = (
    "lower(concat(hex(reinterpretAsFixedString(cityHash64(t))), hex(reinterpretAsFixedString(cityHash64(t, 1)))))"
)
_USER_ID: Final = "concat('user-', leftPad(toString(cityHash64(t, 7) % 10000), 6, '0'))"
_FAILED: Final = "cityHash64(t, 6) % 100 = 0"


def insert_spans(database: str, first: int, traces: int, sessions: int, start_ns: int, step_ns: int) -> str:
    """Rows of `session_spans`: traces `first` to `first + traces - 1`, one every `step_ns` from `start_ns` on."""
    is_call = f"s IN {_CALLS}"
    named = f"(t % 2 = 0 OR s = {spans.AGENT})"
    service = f"if(s = {spans.TOOL_REQUEST}, 'tools-gateway', {_service()})"
    failed = f"(s = {spans.TOOL} AND {_FAILED})"
    parents = [-1 if shape.parent is None else shape.parent for shape in SHAPE]
    models = [spans.CALLS[slot][1] if slot in spans.CALLS else "" for slot in range(SPANS_PER_TRACE)]
    providers = [spans.CALLS[slot][2] if slot in spans.CALLS else "" for slot in range(SPANS_PER_TRACE)]
    providers[spans.AGENT] = "openai"
    columns = {
        "tenant": f"'{DEFAULT_TENANT}'",
        "trace_id": _TRACE_ID,
        "span_id": _span_id("s"),
        "parent_span_id": f"if({_pick(parents)} < 0, '', {_span_id(_pick(parents))})",
        "service": service,
        "name": _pick([shape.name for shape in SHAPE]),
        "kind": _pick([_KINDS[slot] for slot in range(SPANS_PER_TRACE)]),
        "start_ns": f"{_start(start_ns, step_ns)} + {_pick([shape.start_ms for shape in SHAPE])} * 1000000",
        "end_ns": f"{_start(start_ns, step_ns)} + {_pick([shape.end_ms for shape in SHAPE])} * 1000000",
        "status_code": f"if({failed}, 2, 0)",
        "is_error": failed,
        "session_id": f"if({named}, {_session_id(sessions)}, '')",
        "session_strength": f"if({named}, {int(Strength.STRONG)}, 0)",
        "session_name": f"if(s = {spans.AGENT}, 'Support chat', '')",
        "session_name_rank": f"if(s = {spans.AGENT}, {_NAME_RANK}, 0)",
        "user_id": f"if(s = {spans.AGENT}, {_USER_ID}, '')",
        "thread_id": "''",
        "model": _pick(models),
        "provider": _pick(providers),
        "input_tokens": f"if({is_call}, {_input('s')}, 0)",
        "output_tokens": f"if({is_call}, {_output('s')}, 0)",
        "total_tokens": f"if({is_call}, {_input('s')} + {_output('s')}, 0)",
        "cost_nano_usd": f"if({is_call}, {_cost('s')}, 0)",
        "batch_seq": str(FILL_BATCH_SEQ),
    }
    return _insert(f"{database}.session_spans", columns, first, traces, f"ARRAY JOIN range({SPANS_PER_TRACE}) AS s")


def insert_session_traces(database: str, first: int, traces: int, sessions: int, start_ns: int, step_ns: int) -> str:
    """The rollups of the same traces: rows of `session_traces`."""
    start = _start(start_ns, step_ns)
    call_ms = sum(SHAPE[slot].end_ms - SHAPE[slot].start_ms for slot in _CALLS)
    columns = {
        "tenant": f"'{DEFAULT_TENANT}'",
        "session_id": _session_id(sessions),
        "trace_id": _TRACE_ID,
        "version": str(SPANS_PER_TRACE),
        "name": f"'{SHAPE[spans.AGENT].name}'",
        "status_code": "0",
        "session_name": "'Support chat'",
        "session_name_rank": str(_NAME_RANK),
        "user_id": _USER_ID,
        "thread_id": "''",
        "start_ns": start,
        "end_ns": f"{start} + {SHAPE[spans.AGENT].end_ms} * 1000000",
        "llm_ns": str(call_ms * 1_000_000),
        "span_count": str(SPANS_PER_TRACE),
        "error_count": f"toInt64({_FAILED})",
        "llm_call_count": str(len(_CALLS)),
        "tool_call_count": "1",
        "input_tokens": " + ".join(_input(str(slot)) for slot in _CALLS),
        "output_tokens": " + ".join(_output(str(slot)) for slot in _CALLS),
        "total_tokens": " + ".join(f"{_input(str(slot))} + {_output(str(slot))}" for slot in _CALLS),
        "cost_nano_usd": " + ".join(_cost(str(slot)) for slot in _CALLS),
        "unpriced_span_count": "0",
        "models": str(sorted({spans.CALLS[slot][1] for slot in _CALLS})),
        "providers": str(sorted({spans.CALLS[slot][2] for slot in _CALLS})),
        "services": f"[{_service()}, 'tools-gateway']",  # sorted: every agent's name comes before
    }
    return _insert(f"{database}.session_traces", columns, first, traces)


def insert_trace_sessions(database: str, first: int, traces: int, sessions: int) -> str:
    """Which session each of the traces belongs to: rows of `trace_sessions`."""
    columns = {
        "tenant": f"'{DEFAULT_TENANT}'",
        "trace_id": _TRACE_ID,
        "version": str(SPANS_PER_TRACE),
        "session_ids": f"[{_session_id(sessions)}]",
        "span_count": str(SPANS_PER_TRACE),
        "unbound_span_count": "0",
    }
    return _insert(f"{database}.trace_sessions", columns, first, traces)


def session_id(number: int) -> str:
    """The session of this number, as the load writes it."""
    return f"{SESSION_PREFIX}{number:0{SESSION_DIGITS}}"


def _insert(table: str, columns: dict[str, str], first: int, traces: int, join: str = "") -> str:
    chosen = ",\n    ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return (
        f"INSERT INTO {table} ({', '.join(columns)})\nSELECT\n    {chosen}\n"
        f"FROM (SELECT number AS t FROM numbers({first}, {traces})) {join}"
    )


def _pick(values: list[str] | list[int]) -> str:
    return f"{values}[s + 1]"


def _span_id(slot: str) -> str:
    return f"lower(hex(reinterpretAsFixedString(cityHash64(t, 2, toUInt8(greatest({slot}, 0))))))"


def _session_id(sessions: int) -> str:
    number = f"cityHash64(t, 3) % {sessions}"
    return f"concat('{SESSION_PREFIX}', leftPad(toString({number}), {SESSION_DIGITS}, '0'))"


def _service() -> str:
    return f"{list(spans.AGENT_SERVICES)}[t % {len(spans.AGENT_SERVICES)} + 1]"


def _start(start_ns: int, step_ns: int) -> str:
    return f"toInt64({start_ns} + t * {step_ns})"


def _input(slot: str) -> str:
    return f"toInt64(200 + cityHash64(t, 4, toUInt8({slot})) % 8800)"


def _output(slot: str) -> str:
    return f"toInt64(20 + cityHash64(t, 5, toUInt8({slot})) % 880)"


def _cost(slot: str) -> str:
    return f"({_input(slot)} * 1250 + {_output(slot)} * 10000)"
