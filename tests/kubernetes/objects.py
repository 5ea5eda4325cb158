"""What the chart writes, as tests read it: renderings that are kept in the repository, so that nobody needs helm."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.helm.__main__ import CASES, RENDERED
from deploy.helm.manifests import DIRECTORY, MODES
from processor.config import Config, read_config

Object = dict[str, Any]

CASE_NAMES: Final = sorted(path.stem for path in CASES.glob("*.yaml"))
FILES: Final[dict[str, Path]] = {
    **{name: RENDERED / f"{name}.yaml" for name in CASE_NAMES},
    **{f"manifests-{mode}": DIRECTORY / f"{mode}.yaml" for mode in MODES},
}
WORKLOADS: Final = ("Deployment", "StatefulSet", "Job", "Pod")
CUSTOM: Final = ("ScaledObject", "TriggerAuthentication", "ServiceMonitor", "PrometheusRule", "HTTPRoute", "GRPCRoute")

_VARIABLE: Final = re.compile(r"\$\{env:(\w+)\}")
HELM_CHECK: Final = bool(os.environ.get("HELM_CHECK"))
"""Set by `make helm-check`: what a check needs and is not there is a failure then."""


@functools.cache
def objects(name: str) -> list[Object]:
    """Every object of one rendering."""
    return [found for found in yaml.load_all(FILES[name].read_text(), yaml.CSafeLoader) if found]


def of_kind(name: str, *kinds: str) -> list[Object]:
    """Its objects of these kinds."""
    return [found for found in objects(name) if found["kind"] in kinds]


@dataclass(frozen=True, eq=False)
class Workload:
    """Something that starts pods, with the rest of its rendering."""

    rendering: str
    object: Object

    def __str__(self) -> str:
        return f"{self.rendering}:{self.object['metadata']['name']}"

    @property
    def pod(self) -> Object:
        """The pod's `metadata` and `spec`."""
        template: Object = self.object if self.object["kind"] == "Pod" else self.object["spec"]["template"]
        return template

    @property
    def spec(self) -> Object:
        """The pod's specification."""
        spec: Object = self.pod["spec"]
        return spec

    @property
    def container(self) -> Object:
        """Its only container."""
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def labels(self) -> dict[str, str]:
        """The pod's labels."""
        return dict(self.pod["metadata"]["labels"])

    @property
    def config_text(self) -> str:
        """The configuration file that is mounted at /conf."""
        (name,) = [volume["configMap"]["name"] for volume in self.spec["volumes"] if volume["name"] == "config"]
        (found,) = [item for item in of_kind(self.rendering, "ConfigMap") if item["metadata"]["name"] == name]
        return str(found["data"]["config.yaml"])

    @property
    def variables(self) -> set[str]:
        """The environment variables that its configuration refers to."""
        return set(_VARIABLE.findall(self.config_text))

    @functools.cached_property
    def config(self) -> Config:
        """What its process makes of the file, with every variable that the container has."""
        stand_ins = {"CLICKHOUSE_URL": "http://user:password@clickhouse:8123"}
        names = [entry["name"] for entry in self.container.get("env", [])]
        return read_config(self.config_text, {name: stand_ins.get(name, "value") for name in names})


@functools.cache
def workloads(*kinds: str) -> list[Workload]:
    """All workloads of all renderings."""
    kinds = kinds or WORKLOADS
    return [Workload(name, found) for name in FILES for found in of_kind(name, *kinds)]


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether labels have everything that a selector asks for."""
    return selector.items() <= labels.items()


def mappings(node: Any) -> Iterator[Object]:
    """Every mapping in an object."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from mappings(item)
