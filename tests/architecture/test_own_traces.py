"""What is switched off costs nothing: the tracing SDK is imported where it is used, and by nobody else."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
COSTLY = ("opentelemetry.sdk", "opentelemetry.exporter")
LAZY = "processor/telemetry/traces.py"
EXPORTER = "processor.telemetry.traces_exporter"


def imported(nodes: list[ast.stmt]) -> set[str]:
    """Modules that these statements import, when they are run."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_nothing_imports_the_sdk_before_it_is_switched_on() -> None:
    """At the top of a module stands none of it, but for the one that `traces` imports in a function."""
    for path in sorted((ROOT / "processor").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        tree = ast.parse(path.read_text())
        top = imported(tree.body)
        assert EXPORTER not in top, name
        if name != f"{EXPORTER.replace('.', '/')}.py":
            assert not [module for module in top if module.startswith(COSTLY)], name
        if name != LAZY:
            inner = imported([node for node in ast.walk(tree) if isinstance(node, ast.stmt)])
            assert EXPORTER not in inner, name
