"""`values.schema.json` out of `values.yaml`: a name that is not there is refused, a type is that of the default."""

from __future__ import annotations

import json
from typing import Any

from deploy.helm.chart import values
from deploy.helm.rules import BY_NAME, BY_PATH


def schema() -> str:
    """The whole file."""
    properties = {name: _of(value, name) for name, value in values().items()}
    # Helm hands this down to a chart that another depends on.
    properties["global"] = {"type": "object"}
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of otel-sessions",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    return json.dumps(document, indent=2) + "\n"


def _of(value: Any, path: str) -> dict[str, Any]:
    name = path.rpartition(".")[2]
    if (known := BY_PATH.get(path) or BY_NAME.get(name)) is not None:
        return known
    match value:
        case dict():
            properties = {key: _of(inner, f"{path}.{key}") for key, inner in value.items()}
            return {"type": "object", "additionalProperties": False, "properties": properties}
        case list():
            return {"type": "array", "items": {"type": "object", "minProperties": 1}}
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer", "minimum": 0} | ({"maximum": 3600} if name.endswith("Seconds") else {})
        case str():
            return {"type": "string"}
    raise AssertionError(f"values.yaml: {path} has no type that this knows")
