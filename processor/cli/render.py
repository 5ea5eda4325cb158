"""Results on stdout: tables for people, JSON and CSV for programs.

What telemetry says is data, never markup or a terminal command: control characters are shown as `�`.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from processor.cli.fitting import FLEXIBLE, TITLES, column_widths
from processor.cli.units import count, dollars, duration, moment

SESSION_FIELDS = ["id", "name", "user_id", "thread_id", "start", "end", "latency_ms", "active_ms", "llm_ms"]
SESSION_FIELDS += ["trace_count", "span_count", "error_count", "llm_call_count", "tool_call_count", "input_tokens"]
SESSION_FIELDS += ["output_tokens", "total_tokens", "total_cost", "unpriced_span_count"]
SESSION_FIELDS += ["models", "providers", "services"]
TRACE_FIELDS = ["id", "name", "status", "start", "end", "latency_ms", "span_count", "error_count", "tokens", "cost"]

_WIDTH_WITHOUT_TERMINAL = 400  # nothing is cut where nobody looks

_Json = dict[str, Any]


def write_json(body: object) -> None:
    """The API's JSON, indented."""
    sys.stdout.write(json.dumps(body, indent=2) + "\n")


def write_csv(rows: Iterable[_Json], fields: Sequence[str]) -> None:
    """One line a row under a header; lists are joined by `|`."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(fields)
    for row in rows:
        cells = (row[field] for field in fields)
        writer.writerow(["|".join(cell) if isinstance(cell, list) else cell for cell in cells])


def write_sessions(sessions: Iterable[_Json]) -> None:
    """A line a session; ids are folded rather than cut, so that they can be copied."""
    rows = [
        {
            "id": _text(session["id"]),
            "name": _text(session["name"]),
            "user": _text(session["user_id"]),
            "start (UTC)": Text(moment(session["start"])),
            "duration": Text(duration(session["latency_ms"])),
            "traces": Text(count(session["trace_count"])),
            "errors": Text(count(session["error_count"]), style="red" if session["error_count"] else ""),
            "tokens": Text(count(session["total_tokens"])),
            "cost": Text(_cost(session)),
        }
        for session in sessions
    ]
    console = _console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    widths = column_widths(
        {title: max(len(title), *(row[title].cell_len for row in rows), 0) for title in TITLES}, console.width
    )
    for title, width in widths.items():
        flexible = title in FLEXIBLE
        table.add_column(
            title,
            width=width,
            justify="left" if flexible or title == "start (UTC)" else "right",
            overflow="fold" if title == "id" else "ellipsis",
            no_wrap=title != "id",
        )
    for row in rows:
        table.add_row(*(row[title] for title in widths))
    console.print(table)


def write_session(session: _Json) -> None:
    """A line a field."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for title, value in (
        ("id", session["id"]),
        ("name", session["name"]),
        ("user", session["user_id"]),
        ("thread", session["thread_id"]),
        ("start", f"{moment(session['start'])} UTC"),
        ("end", f"{moment(session['end'])} UTC"),
        ("duration", duration(session["latency_ms"])),
        ("active", duration(session["active_ms"])),
        ("in model calls", duration(session["llm_ms"])),
        ("traces", count(session["trace_count"])),
        ("spans", count(session["span_count"])),
        ("errors", count(session["error_count"])),
        ("model calls", count(session["llm_call_count"])),
        ("tool calls", count(session["tool_call_count"])),
        (
            "tokens",
            f"{count(session['total_tokens'])} ({count(session['input_tokens'])} in, "
            f"{count(session['output_tokens'])} out)",
        ),
        ("cost", _cost(session)),
        ("models", ", ".join(session["models"])),
        ("providers", ", ".join(session["providers"])),
        ("services", ", ".join(session["services"])),
    ):
        table.add_row(title, _text(value or "-"))
    _console().print(table)


def write_traces(traces: Iterable[_Json]) -> None:
    """A tree a trace."""
    console = _console()
    for trace in traces:
        facts = [moment(trace["start"]), duration(trace["latency_ms"]), f"{count(trace['tokens'])} tokens"]
        facts.append(dollars(trace["cost"]))
        tree = Tree(_text(trace["name"], "bold") + _text(f"  {trace['id']}  {'  '.join(facts)}") + _error(trace))
        children: dict[str | None, list[_Json]] = defaultdict(list)
        known = {span["id"] for span in trace["spans"]}
        for span in trace["spans"]:
            children[span["parent_id"] if span["parent_id"] in known else None].append(span)
        # Without recursion, and each span once: parents may be missing, form a chain of thousands, or a circle.
        waiting = [(tree, span) for span in reversed(children.pop(None, []))]
        while waiting:
            branch, span = waiting.pop()
            below = branch.add(_span(span))
            waiting.extend((below, child) for child in reversed(children.pop(span["id"], [])))
        console.print(tree)


def _span(span: _Json) -> Text:
    facts = [span["kind"], span["model"] or "", duration(span["duration_ms"])]
    if span["tokens"]:
        facts.append(f"{count(span['tokens'])} tokens")
    if span["cost"]:
        facts.append(dollars(span["cost"]))
    return _text(span["name"]) + _text("  " + "  ".join(filter(None, facts)), "dim") + _error(span)


def _error(row: _Json) -> Text:
    if row["status"] != "ERROR":
        return Text()
    return _text(f"  error {row.get('status_message', '')}".rstrip(), "red")


def _cost(session: _Json) -> str:
    text = dollars(session["total_cost"])
    # A span with tokens and no price is never shown as free.
    return f"{text}+?" if session["unpriced_span_count"] else text


def _text(value: str, style: str = "") -> Text:
    return Text("".join(c if c.isprintable() else "�" for c in value), style=style)


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in console._environ:
        console = Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)
    return console
