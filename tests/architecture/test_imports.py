"""Imports point one way: DESIGN, "Layout".

Read from the syntax tree, so that an import inside a function or under TYPE_CHECKING counts as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "processor"

_BASE = {"model", "errors", "clock", "endpoint", "role", "signals", "metric_model", "row_versions"}
_PURE = {"decode", "conventions", "pricing", "rollup"}
_EDGES = {"telemetry"}  # metrics and logging: the shell around the pure core may report what it does
_WHO = {"auth.authenticator", "auth.config", "auth.identity"}  # who asks, for whatever is served

MAY_IMPORT: dict[str, set[str]] = {
    "allocators": set(),
    "model": set(),
    "errors": set(),
    "clock": set(),
    "endpoint": {"errors"},
    "reloading": {"errors"},
    "tls": {"errors", "reloading", "tls"},
    "exposure": {"config", "endpoint"},
    "auth": _BASE | {"auth", "config.document", "config.fields", "reloading"},
    "draining": set(),
    "role": set(),
    "signals": set(),
    "metric_model": set(),
    "row_versions": set(),
    "asgi": {"endpoint", "errors", "http_heads", "tls"},
    "http_heads": set(),
    **{name: {"model", "errors", "signals", "metric_model", "row_versions"} | _PURE for name in _PURE},
    "telemetry": _BASE | {"telemetry", "tls.config"},
    "receiver": _BASE | _EDGES | _WHO | {"asgi", "decode.outline", "receiver", "log.base", "tls"},
    "log": _BASE | _EDGES | {"decode.outline", "log"},
    "store": _BASE | _EDGES | {"store"},
    "debug": _BASE | {"debug", "log.base"},
    "worker": _BASE | _EDGES | _PURE | {"allocators", "log", "store", "worker"},
    "api": _BASE | _WHO | {"api", "conventions", "pricing", "rollup", "store.queries", "store.deletions", "tls.config"},
    "clickhouse_http": _BASE | _WHO | {"clickhouse_http", "store.connection", "tls.config"},
    "config": _BASE
    | _EDGES
    | {
        "config",
        "draining",
        "api.config",
        "auth.config",
        "clickhouse_http.config",
        "debug.config",
        "receiver",
        "log",
        "store",
        "tls.config",
        "worker",
    },
    "control": _BASE | {"control"},
    "operations": _BASE | {"config", "control", "pricing", "store", "worker"},
    "service": _BASE
    | _EDGES
    | {
        "api",
        "asgi",
        "auth",
        "clickhouse_http",
        "config",
        "control",
        "debug",
        "exposure",
        "operations",
        "receiver",
        "log",
        "pricing",
        "store",
        "tls",
        "worker",
    },
    "process": {"config", "service"},
    "repricing": {"config", "errors", "pricing", "store", "worker"},
    "cli": {
        *(
            "allocators",
            "auth.identity",
            "auth.tokens",
            "cli",
            "config",
            "errors",
            "log.kafka",
            "operations",
            "process",
            "repricing",
            "role",
            "store",
        ),
        "telemetry.logging",
    },
}
"""What each part of `processor` may import of the rest; a dotted name is one module of a part."""

EFFECTS = ["asyncio", "grpc", "aiokafka", "clickhouse_connect", "chdb", "logging", "structlog", "prometheus_client"]
EFFECTS += ["httpx", "uvicorn", "fastapi", "starlette", "socket", "subprocess", "threading", "time", "processor.clock"]
EFFECTS += ["genai_prices.update_prices"]  # which fetches prices in a thread of its own
"""What a pure module must not even import."""


def imports(source: str, module: str) -> Iterator[str]:
    """Every module name that `source`, which is `module`, imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            # `from processor import clock` imports a module, `from processor.model import LLM` a name of one.
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module"):
            yield from (argument.value for argument in node.args if _is_text(argument))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def part(name: str) -> str:
    """The part of `processor` that a module belongs to."""
    return name.split(".")[1]


def within(name: str, module: str) -> bool:
    """Whether `name` is `module`, or something inside of it."""
    return name == module or name.startswith(f"{module}.")


def complaints(source: str, module: str) -> list[str]:
    """What is wrong with the imports of one module."""
    allowed = [f"{PACKAGE}.{name}" for name in MAY_IMPORT[part(module)]]
    wrong = []
    for name in imports(source, module):
        if within(name, PACKAGE) and not any(within(name, module_allowed) for module_allowed in allowed):
            wrong.append(f"{module} imports {name}")
        if part(module) in _PURE | {"model", "errors"} and any(within(name, effect) for effect in EFFECTS):
            wrong.append(f"{module} is pure and imports {name}")
    return wrong


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        # A package's own file is one level deeper than its name, so that relative imports resolve alike.
        found[".".join(parts)] = path
    del found[f"{PACKAGE}.__init__"]
    return found


MODULES = modules()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    """The direction of DESIGN's layout holds for every file."""
    assert complaints(MODULES[module].read_text(), module) == []


def test_the_package_itself_imports_nothing_of_itself() -> None:
    """`import processor` costs nothing."""
    assert list(imports((ROOT / PACKAGE / "__init__.py").read_text(), f"{PACKAGE}.__init__")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("processor.rollup.x", "def f():\n    import asyncio"),
        ("processor.rollup.x", "from processor import clock"),
        ("processor.rollup.x", "from processor.clock import now_ns"),
        ("processor.decode.x", "from ..store import base"),
        ("processor.decode.x", "import importlib\nimportlib.import_module('processor.store')"),
        ("processor.conventions.x", "import logging.handlers"),
        ("processor.store.x", "import processor.receiver.status"),
        ("processor.receiver.x", "from processor.log.memory import MemoryLog"),
        ("processor.receiver.x", "from processor.decode.otlp import Decoder"),
        ("processor.log.x", "from processor.decode import wide"),
        ("processor.api.x", "from processor.store.connection import connect"),
        ("processor.api.x", "from processor.worker.rollups import Rollups"),
        ("processor.clickhouse_http.x", "from processor.api.pool import QueryPool"),
        ("processor.clickhouse_http.x", "from processor.receiver.compression import decompress"),
        ("processor.worker.x", "from processor.service import Service"),
        ("processor.model", "import clickhouse_connect"),
    ],
)
def test_a_forbidden_import_is_found_wherever_it_stands(module: str, source: str) -> None:
    """The rules catch what they are there to catch."""
    assert complaints(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("processor.receiver.x", "from processor.log.base import LogWriter"),
        ("processor.log.x", "from processor.decode.outline import outline_of"),
        ("processor.api.x", "from processor.store.queries import SessionQueries"),
        ("processor.rollup.x", "from processor.model import LLM\nimport polars"),
        ("processor.worker.x", "from . import batch\nimport asyncio"),
    ],
)
def test_an_allowed_import_is_left_alone(module: str, source: str) -> None:
    """The rules do not catch what they should not."""
    assert complaints(source, module) == []
