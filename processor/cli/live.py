"""One line for one session, as `sessions tail` writes it."""

from __future__ import annotations

from typing import Any, Final

from rich.text import Text

from processor.cli.following import Event
from processor.cli.render import cost, text
from processor.cli.units import count, counted, duration, moment

_STYLES: Final = {Event.SEEN: "dim", Event.NEW: "green", Event.CHANGED: "yellow"}
_ID_CELLS: Final = 18
_DATED_CELLS: Final = 100  # a terminal as wide has room for the date beside errors
_LABEL_CELLS_MIN: Final = 8
_GAP: Final = "  "

_Json = dict[str, Any]


def live_state(session: _Json) -> str:
    """What the line says of the session; two sessions that read alike are in the same state."""
    return _GAP.join([moment(session["end"]), *(fact.plain for fact in _facts(session)), _label(session)])


def live_line(event: Event, session: _Json, width: int) -> Text:
    """When it was last seen, the event, the id, its numbers, and as much of user and name as has room.

    The id is whole however narrow the terminal is; for it the date goes, then the columns, then duration and cost.
    """
    at = moment(session["end"])
    clock = Text(at[len("2026-11-20 ") :])
    when = Text(at[len("2026-") :]) if width >= _DATED_CELLS else clock
    what = Text(f"{event.value:7}", _STYLES[event])
    identifier = text(session["id"])
    wide = _facts(session)
    facts = [Text(fact.plain.strip(), fact.style) for fact in wide]
    _, tokens, dollars, *errors = facts
    forms = [
        [when, what, _padded(identifier), *wide],
        [clock, what, _padded(identifier), *wide],
        [clock, what, identifier, *facts],
        [clock, what, identifier, tokens, dollars, *errors],
        [clock, what, identifier, tokens, *errors],
    ]
    lines = [Text(_GAP).join(form) for form in forms]
    line = next((line for line in lines if line.cell_len <= width), lines[-1])
    label = text(_label(session), "dim")
    room = width - line.cell_len - len(_GAP)
    if room >= min(_LABEL_CELLS_MIN, label.cell_len):
        label.truncate(room, overflow="ellipsis")
        line += Text(_GAP) + label
    return line


def _facts(session: _Json) -> list[Text]:
    facts = [Text(f"{duration(session['latency_ms']):>7}"), Text(f"{count(session['total_tokens']):>7} tokens")]
    facts.append(Text(f"{cost(session['total_cost'], session['unpriced_span_count']):>7}"))
    if session["error_count"]:
        facts.append(Text(counted(session["error_count"], "error"), "red"))
    return facts


def _label(session: _Json) -> str:
    parts = [counted(session["trace_count"], "trace"), session["user_id"], session["name"]]
    return _GAP.join(part for part in parts if part)


def _padded(identifier: Text) -> Text:
    return identifier + Text(" " * (_ID_CELLS - identifier.cell_len))
