"""The table of values in the chart's README, out of the comments in `values.yaml`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from deploy.helm.chart import CHART
from deploy.helm.rules import BY_NAME, BY_PATH, MEANINGS

BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"


def readme(text: str) -> str:
    """The README with its table written anew."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    rows = "".join(f"| `{path}` | `{default}` | {meaning} |\n" for path, default, meaning in table())
    return f"{before}{BEGIN}\n| value | default | |\n|---|---|---|\n{rows}{END}{after}"


def table() -> list[tuple[str, str, str]]:
    """Path, default and meaning of every value, in the file's order."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    root = yaml.compose("\n".join(lines))
    assert isinstance(root, yaml.MappingNode)
    return [
        (path, _shown(node), _comment(lines, key) or _choices(path) or _known(path))
        for path, key, node in _leaves(root, "")
    ]


def _leaves(mapping: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    for key, node in mapping.value:
        path = f"{prefix}{key.value}"
        whole = path in BY_PATH or key.value in BY_NAME
        if isinstance(node, yaml.MappingNode) and node.value and not whole:
            yield from _leaves(node, f"{path}.")
        else:
            yield path, key, node


def _comment(lines: list[str], key: yaml.Node) -> str:
    found: list[str] = []
    for line in reversed(lines[: key.start_mark.line]):
        if not (comment := re.fullmatch(r"\s*# ?(.*)", line)):
            break
        found.insert(0, comment.group(1))
    return " ".join(found)


def _choices(path: str) -> str:
    choices = BY_PATH.get(path, {}).get("enum")
    return f"One of {', '.join(choices)}." if choices else ""


def _known(path: str) -> str:
    return MEANINGS[path.rpartition(".")[2]]


def _shown(node: yaml.Node) -> str:
    value: Any = yaml.safe_load(yaml.serialize(node))
    return json.dumps(value)
