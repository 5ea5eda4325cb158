"""The chart's files, and helm to render them with. Nothing here needs a cluster."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
CHART: Final = Path(__file__).parent / "otel-sessions"
KUBERNETES: Final = "1.34.0"
"""The version that is rendered for; helm asks a cluster otherwise."""

_RELEASE: Final = "otel-sessions"
_BUILT: Final = ROOT / ".helm" / "helm"
_MARK: Final = "# Of chart and values sha256:"


class HelmError(Exception):
    """What helm said, or that it is not there."""


def values() -> dict[str, Any]:
    """The chart's defaults."""
    loaded: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return loaded


def find_helm() -> str | None:
    """The helm that `make helm` built, or that of the machine."""
    return str(_BUILT) if _BUILT.exists() else shutil.which("helm")


def helm(*arguments: str) -> str:
    """What a helm command prints on stdout. Errors: `HelmError`."""
    command = find_helm()
    if command is None:
        raise HelmError("helm is not there; `make helm` builds it")
    with tempfile.TemporaryDirectory() as home:  # without configuration, plugins and repositories of whoever runs it
        environment = {"PATH": os.environ["PATH"], "HOME": home}
        done = subprocess.run(  # noqa: S603 (helm, with our own arguments)
            [command, *arguments], capture_output=True, text=True, check=False, env=environment
        )
    if done.returncode:
        raise HelmError((done.stderr or done.stdout).strip())
    return done.stdout


def render(values_file: Path | None) -> str:
    """Every object of the release `otel-sessions` in the namespace of that name. Errors: `HelmError`."""
    options = ["--values", str(values_file)] if values_file else []
    return helm("template", _RELEASE, str(CHART), "--namespace", _RELEASE, "--kube-version", KUBERNETES, *options)


def stamp(values_file: Path | None) -> str:
    """A line that changes with the chart's templates and with the values: whoever has no helm sees what is stale."""
    digest = hashlib.sha256()
    # Not what Python leaves beside a script.
    names = [path for path in CHART.rglob("*") if path.is_file() and path.suffix not in (".md", ".pyc")]
    for path in [*sorted(names), *([values_file] if values_file else [])]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{_MARK}{digest.hexdigest()}\n"


def stamp_of(rendered: str) -> str:
    """That line of a rendered file."""
    return next(line for line in rendered.splitlines(keepends=True) if line.startswith(_MARK))
