"""Log records of a session, one a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.text import Text

from processor.cli.render import console, one_line, text

_STYLES: Final = {"FATAL": "bold red", "ERROR": "red", "WARN": "yellow", "DEBUG": "dim", "TRACE": "dim"}
_GAP: Final = "  "

_Json = dict[str, Any]


def write_logs(records: Iterable[_Json]) -> None:
    """When, severity, service, event, body and attributes; whatever lines a body has, it stays on one."""
    out = console()
    for record in records:
        out.print(log_line(record), soft_wrap=True)


def log_line(record: _Json) -> Text:
    """A record as a line."""
    severity = record["severity"]
    parts = [Text(record["timestamp"][: len("2026-11-20T10:00:00.123")].replace("T", " "))]
    parts.append(text(f"{severity or '-':5}", _STYLES.get(severity.upper(), "")))
    parts += [text(value, "bold") for value in (record["service_name"], record["event_name"]) if value]
    if record["body"]:
        parts.append(text(one_line(record["body"])))
    attributes = " ".join(f"{key}={one_line(value)}" for key, value in record["attributes"].items())
    if attributes:
        parts.append(text(attributes, "dim"))
    return Text(_GAP).join(parts)
