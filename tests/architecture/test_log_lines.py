"""Every line from warning up says what to do, and events are names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEVERE = {"warning", "error", "exception", "critical"}


def lines_of(path: Path) -> Iterator[ast.Call]:
    """Calls of a module's logger."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            logger = node.func.value
            if isinstance(logger, ast.Name) and logger.id == "_log":
                yield node


LOGGING = [path for path in sorted((ROOT / "processor").rglob("*.py")) if any(lines_of(path))]


@pytest.mark.parametrize("path", LOGGING, ids=lambda path: str(path.relative_to(ROOT)))
def test_severe_lines_have_an_action_and_a_name(path: Path) -> None:
    """`_log.warning("what_happened", where=…, action="what to do")`; values stand in fields, never in the event."""
    for call in lines_of(path):
        assert isinstance(call.func, ast.Attribute)
        if call.func.attr not in SEVERE:
            continue
        (event,) = call.args
        assert isinstance(event, ast.Constant), f"{path}:{call.lineno}: the event is not a constant"
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", str(event.value)), f"{path}:{call.lineno}: {event.value}"
        assert "action" in {keyword.arg for keyword in call.keywords}, f"{path}:{call.lineno}: no action"
