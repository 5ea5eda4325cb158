"""Plain manifests for people without helm: `deploy/kubernetes/*.yaml`, rendered from the chart.

The same objects but for what only helm can do: no tests, no hooks. A namespace comes first, in which Kubernetes itself
refuses pods that are not restricted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.helm.chart import ROOT, render, stamp

DIRECTORY: Final = ROOT / "deploy" / "kubernetes"
MODES: Final = ("all-in-one", "distributed")

_HEADER: Final = """\
# otel-sessions, mode {mode}, without helm. Written by `make manifests` from deploy/helm/otel-sessions and
# {values}; docs/kubernetes.md says what to change, and how.
#
#   kubectl apply -f deploy/kubernetes/{mode}.yaml
"""
_NAMESPACE: Final = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": "otel-sessions",
        "labels": {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        },
    },
}


def values_file(mode: str) -> Path:
    """What the manifests of a mode are rendered with."""
    return DIRECTORY / f"{mode}.values.yaml"


def manifests(mode: str) -> str:
    """One file. Errors: `HelmError`."""
    source = values_file(mode)
    documents = [_NAMESPACE, *_plain(render(source))]
    header = _HEADER.format(mode=mode, values=source.relative_to(ROOT)) + stamp(source)
    return header + "".join("---\n" + yaml.safe_dump(document, sort_keys=False, width=1000) for document in documents)


def _plain(rendered: str) -> list[dict[str, Any]]:
    found = []
    for document in yaml.safe_load_all(rendered):
        if document is None or _hook(document) == "test" or _is_for_tests(document):
            continue
        for metadata in _metadata(document):
            _drop(metadata, "labels", r"helm\.sh/|app\.kubernetes\.io/managed-by")
            _drop(metadata, "annotations", r"helm\.sh/")
        found.append(document)
    order = ["ServiceAccount", "ConfigMap", "NetworkPolicy", "Job"]
    return sorted(
        found, key=lambda document: order.index(document["kind"]) if document["kind"] in order else len(order)
    )


def _hook(document: dict[str, Any]) -> str | None:
    annotations = document["metadata"].get("annotations", {})
    hook: str | None = annotations.get("helm.sh/hook")
    return hook


def _is_for_tests(document: dict[str, Any]) -> bool:
    return bool(document["metadata"]["labels"].get("app.kubernetes.io/component") == "test")


def _metadata(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in _metadata(item)]
    if not isinstance(node, dict):
        return []
    own = [node["metadata"]] if isinstance(node.get("metadata"), dict) else []
    return own + [found for key, item in node.items() if key != "metadata" for found in _metadata(item)]


def _drop(metadata: dict[str, Any], section: str, pattern: str) -> None:
    kept = {key: value for key, value in metadata.get(section, {}).items() if not re.match(pattern, key)}
    if kept:
        metadata[section] = kept
    else:
        metadata.pop(section, None)
