"""Custom resources keep to their definitions: the chart's are written out as TypeScript and checked by types and by
validators that were made of the definitions. `make helm-check` installs both from npm and fails without.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.kubernetes.objects import CUSTOM, FILES, HELM_CHECK, of_kind

CRDS = Path(__file__).parent / "crds"
MODULES = CRDS / "node_modules"
VERSIONS = {
    "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
    "gateway.networking.k8s.io/v1": "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1",
    "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
}

pytestmark = pytest.mark.skipif(not MODULES.exists() and not HELM_CHECK, reason="no definitions; make helm-check")


def source(types: bool) -> str:
    """A program that makes and validates every custom resource of every rendering."""
    lines: dict[str, None] = {}
    for name in FILES:
        for item in of_kind(name, *CUSTOM):
            kind = item["kind"]
            lines[f'import {{ {kind} }} from "{VERSIONS[item["apiVersion"]]}/{kind}";'] = None
            body = json.dumps({key: value for key, value in item.items() if key not in ("apiVersion", "kind")})
            lines[f"new {kind}({body}){'' if types else '.validate()'};"] = None
    return "\n".join(sorted(lines, key=lambda line: not line.startswith("import"))) + "\n"


def run(*command: str) -> None:
    """Errors: `AssertionError` with what was printed."""
    done = subprocess.run(command, cwd=CRDS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def program() -> Path:
    """Where it finds its modules; ignored by git, removed again by each test."""
    return CRDS / "program"


def test_every_field_is_known(program: Path) -> None:
    """By name and by type, however deep."""
    file = program.with_suffix(".ts")
    file.write_text(source(types=True))
    try:
        run("node_modules/.bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", file.name)
    finally:
        file.unlink()


def test_every_value_is_allowed(program: Path) -> None:
    """Required ones are there; lengths, patterns and enumerations hold."""
    file = program.with_suffix(".mjs")
    file.write_text(source(types=False))
    try:
        run("node", file.name)
    finally:
        file.unlink()


def test_every_kind_is_looked_at() -> None:
    """None of the chart's goes unchecked; rules come from a file that Prometheus' own tool checks."""
    seen = {item["kind"] for name in FILES for item in of_kind(name, *CUSTOM)}
    assert seen >= set(CUSTOM) - {"PrometheusRule"}
