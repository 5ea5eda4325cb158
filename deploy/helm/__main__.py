"""`python -m deploy.helm`: write what is generated from the chart: its schema, its README's table, plain manifests.

Then the renderings that tests read where there is no helm: tests/kubernetes/rendered.
"""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.helm.chart import CHART, ROOT, HelmError, render, stamp
from deploy.helm.manifests import DIRECTORY, MODES, manifests
from deploy.helm.readme import readme
from deploy.helm.schema import schema

CASES = ROOT / "tests" / "kubernetes" / "values"
RENDERED = ROOT / "tests" / "kubernetes" / "rendered"
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"


def main() -> int:
    """Exit status: 0, or 1 with what helm said."""
    if RULES.exists():  # helm reads no file outside of the chart
        _write(CHART / "files" / "rules.yaml", RULES.read_text())
    _write(CHART / "values.schema.json", schema())
    _write(CHART / "README.md", readme((CHART / "README.md").read_text()))
    try:
        for mode in MODES:
            _write(DIRECTORY / f"{mode}.yaml", manifests(mode))
        for values_file in sorted(CASES.glob("*.yaml")):
            _write(RENDERED / values_file.name, stamp(values_file) + render(values_file))
    except HelmError as error:
        print(f"helm: {error}", file=sys.stderr)
        return 1
    return 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
