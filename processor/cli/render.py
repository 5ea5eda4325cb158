"""Results on stdout: tables for people, JSON and CSV for programs.

What telemetry says is data, never markup or a terminal command: control characters are shown as `�`.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from processor.cli.fitting import FLEXIBLE, TITLES, column_widths
from processor.cli.units import count, dollars, duration, moment

SESSION_FIELDS = ["id", "name", "user_id", "thread_id", "start", "end", "latency_ms", "active_ms", "llm_ms"]
SESSION_FIELDS += ["trace_count", "span_count", "error_count", "llm_call_count", "tool_call_count", "input_tokens"]
SESSION_FIELDS += ["output_tokens", "total_tokens", "total_cost", "unpriced_span_count"]
SESSION_FIELDS += ["models", "providers", "services", "status", "end_state", "end_reason", "tags", "metadata"]
SESSION_FIELDS += ["environment", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "input_cost"]
SESSION_FIELDS += ["output_cost", "ttft_ms", "input_preview", "output_preview"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WIDTH_WITHOUT_TERMINAL = 400  # nothing is cut where nobody looks

_Json = dict[str, Any]


def write_json(body: object) -> None:
    """The API's JSON, indented."""
    sys.stdout.write(json.dumps(body, indent=2) + "\n")


def write_ndjson(rows: Iterable[_Json]) -> None:
    """A line of JSON a row."""
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")


def write_csv(rows: Iterable[_Json], fields: Sequence[str]) -> None:
    """One line a row under a header, as the API writes lists: lists are joined by `|`, mappings are JSON.

    A text that a spreadsheet would take for a formula begins with a single quote.
    """
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(fields)
    for row in rows:
        writer.writerow([_cell(row[field]) for field in fields])


def _cell(value: object) -> object:
    if isinstance(value, list):
        value = "|".join(value)
    elif isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_sessions(sessions: Iterable[_Json]) -> None:
    """A line a session; ids are folded rather than cut, so that they can be copied."""
    rows = [
        {
            "id": text(session["id"]),
            "name": text(session["name"]),
            "user": text(session["user_id"]),
            "start (UTC)": Text(moment(session["start"])),
            "duration": Text(duration(session["latency_ms"])),
            "traces": Text(count(session["trace_count"])),
            "errors": Text(count(session["error_count"]), style="red" if session["error_count"] else ""),
            "tokens": Text(count(session["total_tokens"])),
            "cost": Text(cost(session["total_cost"], session["unpriced_span_count"])),
        }
        for session in sessions
    ]
    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    widths = column_widths(
        {title: max(len(title), *(row[title].cell_len for row in rows), 0) for title in TITLES}, out.width
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
    out.print(table)


def write_session(session: _Json) -> None:
    """A line a field."""
    write_facts(
        ("id", session["id"]),
        ("name", session["name"]),
        ("user", session["user_id"]),
        ("thread", session["thread_id"]),
        ("environment", session["environment"]),
        ("tags", ", ".join(session["tags"])),
        ("metadata", ", ".join(f"{key}={value}" for key, value in session["metadata"].items())),
        ("start", f"{moment(session['start'])} UTC"),
        ("end", f"{moment(session['end'])} UTC"),
        ("ended as", ": ".join(filter(None, [session["end_state"], session["end_reason"]]))),
        ("duration", duration(session["latency_ms"])),
        ("active", duration(session["active_ms"])),
        ("in model calls", duration(session["llm_ms"])),
        ("first token", "" if session["ttft_ms"] is None else duration(session["ttft_ms"])),
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
        ("cached tokens", _parts(read=session["cache_read_tokens"], written=session["cache_write_tokens"])),
        ("reasoning", _parts(tokens=session["reasoning_tokens"])),
        ("cost", cost(session["total_cost"], session["unpriced_span_count"])),
        ("input cost", dollars(session["input_cost"])),
        ("output cost", dollars(session["output_cost"])),
        ("models", ", ".join(session["models"])),
        ("providers", ", ".join(session["providers"])),
        ("services", ", ".join(session["services"])),
        ("first input", one_line(session["input_preview"])),
        ("last output", one_line(session["output_preview"])),
    )


def write_facts(*facts: tuple[str, str]) -> None:
    """A line a fact, `-` for one that nothing says."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for title, value in facts:
        table.add_row(title, text(value or "-"))
    console().print(table)


def table_of(names: Sequence[str], numbers: Sequence[str]) -> Table:
    """An empty table: columns of text, which are folded where there is no room, then columns of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in names:
        table.add_column(title, overflow="fold")
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _parts(**numbers: int) -> str:
    return ", ".join(f"{count(number)} {what}" for what, number in numbers.items() if number)


def write_traces(traces: Iterable[_Json]) -> None:
    """A tree a trace."""
    out = console()
    for trace in traces:
        facts = [moment(trace["start"]), duration(trace["latency_ms"]), f"{count(trace['tokens'])} tokens"]
        facts.append(dollars(trace["cost"]))
        tree = Tree(text(trace["name"], "bold") + text(f"  {trace['id']}  {'  '.join(facts)}") + _error(trace))
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
        out.print(tree)


def _span(span: _Json) -> Text:
    facts = [span["kind"], span["model"] or "", duration(span["duration_ms"])]
    if span["tokens"]:
        # A wrapper's tokens are those of the spans below it once more.
        facts.append(f"{count(span['tokens'])} tokens{'' if span['counts'] else ' (not counted)'}")
    if span["cost"]:
        facts.append(dollars(span["cost"]))
    return text(span["name"]) + text("  " + "  ".join(filter(None, facts)), "dim") + _error(span)


def _error(row: _Json) -> Text:
    if row["status"] != "ERROR":
        return Text()
    return text(f"  error {row.get('status_message', '')}".rstrip(), "red")


def cost(usd: float, unpriced: int) -> str:
    """Dollars, with a mark where tokens have no price: that is never shown as free."""
    return f"{dollars(usd)}+?" if unpriced else dollars(usd)


def text(value: str, style: str = "") -> Text:
    """What telemetry says, fit for a terminal."""
    return Text(printable(value), style=style)


def printable(value: str, keep: str = "") -> str:
    """Without what would command a terminal; characters in `keep` are left as they are."""
    return "".join(c if c.isprintable() or c in keep else "�" for c in value)


def one_line(value: str) -> str:
    """Its lines and columns, each behind the last with a space between."""
    return " ".join(value.split())


class _Paper(Console):
    """A console that leaves a closed pipe to `bundles`; rich would end the process, with exit code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Stdout, as wide as the terminal; without one, as wide as anything. Styles only on a terminal without NO_COLOR."""
    plain: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    out = _Paper(highlight=False, stderr=stderr, color_system=plain)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out = _Paper(highlight=False, stderr=stderr, color_system=plain, width=_WIDTH_WITHOUT_TERMINAL)
    return out
