"""What `sessions stats` shows: totals, percentiles, the series as a chart, and who took most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rich.text import Text

from processor.cli.chart import bars, grouped
from processor.cli.render import console, cost, table_of, text, write_facts
from processor.cli.units import count, dollars, duration, moment

SERIES_FIELDS = ["start", "session_count", "error_session_count", "error_count", "total_tokens", "total_cost"]
SERIES_FIELDS += ["latency_ms_p50", "latency_ms_p95"]

_CHARTED: Final[tuple[tuple[str, str, Callable[[Any], str]], ...]] = (
    ("sessions", "session_count", count),
    ("errors", "error_count", count),
    ("tokens", "total_tokens", count),
    ("cost", "total_cost", dollars),
)
_PERCENTILES: Final = ("p50", "p95", "p99")
_TOPS: Final = ("models", "users", "services", "environments", "tags")
_NOTE_CELLS: Final = len("sessions  ") + len("  at most 999,999,999")

_Json = dict[str, Any]


def write_stats(stats: _Json) -> None:
    """Everything, as wide as the terminal."""
    _write_totals(stats)
    if not stats["session_count"]:
        return
    _write_percentiles(stats)
    _write_chart(stats)
    for part in _TOPS:
        _write_top(part.removesuffix("s"), stats[f"top_{part}"])


def _write_totals(stats: _Json) -> None:
    when = f"{moment(stats['start'])} to {moment(stats['end'])} UTC" if stats["session_count"] else ""
    write_facts(
        ("sessions", f"{count(stats['session_count'])} ({count(stats['error_session_count'])} with errors)"),
        ("when", when),
        ("users", count(stats["user_count"])),
        ("traces", f"{count(stats['trace_count'])} ({count(stats['span_count'])} spans)"),
        ("errors", count(stats["error_count"])),
        ("model calls", count(stats["llm_call_count"])),
        ("tool calls", count(stats["tool_call_count"])),
        (
            "tokens",
            f"{count(stats['total_tokens'])} ({count(stats['input_tokens'])} in, {count(stats['output_tokens'])} out)",
        ),
        (
            "cost",
            f"{cost(stats['total_cost'], stats['unpriced_span_count'])} ({dollars(stats['input_cost'])} in, "
            f"{dollars(stats['output_cost'])} out)",
        ),
    )


def _write_percentiles(stats: _Json) -> None:
    table = table_of(["a session"], ["median", "p95", "p99"])
    for title, name, shown in (
        ("duration", "latency_ms", duration),
        ("tokens", "tokens", lambda number: count(round(number))),
        ("cost", "cost", dollars),
    ):
        table.add_row(Text(title), *(Text(shown(stats[name][percentile])) for percentile in _PERCENTILES))
    _print_below(table)


def _write_chart(stats: _Json) -> None:
    series = stats["series"]
    if not series:
        return
    out = console()
    cells = min(out.width, 200) - _NOTE_CELLS
    lines, each = [], 1
    for title, name, shown in _CHARTED:
        values, each = grouped([entry[name] for entry in series], cells)
        drawn = bars(values, ascii_only=out.options.ascii_only)
        lines.append(Text(f"{title:8}  ") + Text(drawn, "cyan") + Text(f"  at most {shown(max(values))}"))
    bar = f"{each} {stats['interval']}s" if each > 1 else f"one {stats['interval']}"
    out.print()
    out.print(Text(f"from {moment(series[0]['start'])} UTC, each bar {bar}", "bold"))
    for line in lines:
        out.print(line, soft_wrap=True)


def _write_top(title: str, rows: list[_Json]) -> None:
    if not rows:
        return
    table = table_of([title], ["sessions", "tokens", "cost"])
    for row in rows:
        table.add_row(
            text(row["name"] or "-"),
            Text(count(row["session_count"])),
            Text(count(row["total_tokens"])),
            Text(dollars(row["total_cost"])),
        )
    _print_below(table)


def _print_below(what: Any) -> None:
    out = console()
    out.print()
    out.print(what)
