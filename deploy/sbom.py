"""`make sbom`: what the image is made of, as CycloneDX JSON in dist/otel-sessions.cdx.json, or the file that is named.

Out of the image's lock, so that it is there before the image is; every component has version, hashes and package URL.
Debian's packages in the base image are not in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SBOM = ROOT / "dist" / "otel-sessions.cdx.json"


def main(path: Path) -> int:
    """Exit status: that of cyclonedx-py, which has said why."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = ROOT / "deploy" / "requirements.lock"
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--output-file", str(path)]
    status = subprocess.run(  # noqa: S603 (cyclonedx-py, with our own arguments)
        [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", *options, str(lock)], check=False
    ).returncode
    if status == 0:
        print(f"{path}: {len(json.loads(path.read_text())['components'])} components")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else SBOM))
