"""What Grafana makes of a dashboard's queries before it sends them, for the official ClickHouse data source.

In its order: `$__conditionalAll`, then the dashboard's variables, both in the browser; then the plugin's macros, in its
backend. Only what our dashboard may use is understood; anything else that looks like a macro is an error.
Sources: grafana/clickhouse-datasource, `docs/sources/query-editor.md` ("Macros") and `pkg/macros/macros.go` for the
macros, `docs/sources/template-variables.md` and `applyConditionalAll` of its data source for "All"; Grafana's "Variable
syntax" for `${name:singlequote}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[1] / "deploy" / "grafana"
PLUGIN: Final = "grafana-clickhouse-datasource"
DASHBOARD: Final[dict[str, Any]] = json.loads((FOLDER / "dashboards" / "sessions.json").read_text())
PANELS: Final[list[dict[str, Any]]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES: Final[list[dict[str, Any]]] = DASHBOARD["templating"]["list"]

TIME_SERIES, TABLE = 0, 1
"""`format` of a query: what the backend makes of its rows."""

ALL: Final = "$__all"
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
_MACRO: Final = re.compile(r"\$__(\w+)")
_CONDITIONAL: Final = "$__conditionalAll("


@dataclass(frozen=True, slots=True)
class Range:
    """The dashboard's time range and interval, in seconds."""

    from_s: int
    to_s: int
    interval_s: int


def expanded(sql: str, chosen: Mapping[str, str | list[str]], when: Range) -> str:
    """The text that reaches ClickHouse. `chosen` has the value of each variable; `["$__all"]` is All."""
    return _macros(_variables(_conditions(sql, chosen), chosen), when)


def _conditions(sql: str, chosen: Mapping[str, str | list[str]]) -> str:
    while (at := sql.rfind(_CONDITIONAL)) >= 0:
        (condition, variable), end = _arguments(sql, at + len(_CONDITIONAL))
        name = _VARIABLE.fullmatch(variable.strip())
        assert name is not None, f"{variable}: not a plain variable"
        value = chosen[name[1] or name[3]]
        # As in a browser: a list becomes its items with commas between.
        text = value if isinstance(value, str) else ",".join(value)
        sql = sql[:at] + ("1=1" if text in ("", ALL) else condition) + sql[end:]
    return sql


def _variables(sql: str, chosen: Mapping[str, str | list[str]]) -> str:
    def value(match: re.Match[str]) -> str:
        name, form = match[1] or match[3], match[2]
        if name not in chosen:
            return match[0]
        values = chosen[name]
        listed = [values] if isinstance(values, str) else values
        assert listed != [ALL], f"{name}: All where it is not the condition of $__conditionalAll"
        if form == "singlequote":
            return ",".join("'" + one.replace("'", "\\'") + "'" for one in listed)
        assert form is None, f"{form}: not a format that we use"
        assert isinstance(values, str), f"{name}: several values without a format"
        return values

    return _VARIABLE.sub(value, sql)


def _macros(sql: str, when: Range) -> str:
    start, end = f"toDateTime({when.from_s})", f"toDateTime({when.to_s})"
    interval = f"INTERVAL {max(when.interval_s, 1)} second"
    plain = {"fromTime": start, "toTime": end, "interval_s": str(max(when.interval_s, 1))}
    called: dict[str, Callable[[str], str]] = {
        "timeFilter": lambda column: f"{column} >= {start} AND {column} <= {end}",
        "timeInterval": lambda column: f"toStartOfInterval(toDateTime({column}), {interval})",
    }
    while (match := _MACRO.search(sql)) is not None:
        name, after = match[1], match.end()
        if name in plain:
            sql = sql[: match.start()] + plain[name] + sql[after:]
            continue
        assert name in called, f"${{__{name}}}: not a macro that we use"
        assert sql[after] == "("
        (column,), after = _arguments(sql, after + 1)
        sql = sql[: match.start()] + called[name](column) + sql[after:]
    return sql


def _arguments(sql: str, start: int) -> tuple[list[str], int]:
    """The arguments of a call whose parenthesis opened before `start`, and where the call ends."""
    found, depth, begin = [], 1, start
    for at in range(start, len(sql)):
        depth += (sql[at] == "(") - (sql[at] == ")")
        if depth == 0 or (sql[at] == "," and depth == 1):
            found.append(sql[begin:at])
            begin = at + 1
        if depth == 0:
            return found, at + 1
    raise AssertionError("a parenthesis is not closed")
