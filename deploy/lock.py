"""Write the locks anew: `make lock`. Every version that a lock has is kept, unless pyproject.toml no longer allows it.

    requirements.lock               everything, for people and CI
    deploy/requirements.lock        what the image runs, a part of the first
    deploy/requirements-build.lock  what builds our wheel there

Each names every file that it takes by its hash. `--upgrade` takes the newest versions instead.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHOLE, RUN, BUILD = (
    ROOT / name for name in ("requirements.lock", "deploy/requirements.lock", "deploy/requirements-build.lock")
)


def main(upgrade: bool) -> None:
    """Resolve the whole first; the parts follow it.

    Errors: `CalledProcessError` when there is no solution, or no registry; uv has said which on stderr.
    """
    project = ROOT / "pyproject.toml"
    with tempfile.TemporaryDirectory() as temporary:
        before, backend = Path(temporary, "before.txt"), Path(temporary, "backend.in")
        before.write_text("" if upgrade or not WHOLE.exists() else WHOLE.read_text())
        backend.write_text("hatchling\n")
        _compile(WHOLE, "Everything, for people and CI", before, str(project), "--group", f"{project}:dev")
        _compile(RUN, "What the image runs", WHOLE, str(project))
        _compile(BUILD, "What builds the image's wheel", WHOLE, str(backend))


def _compile(lock: Path, what: str, constraints: Path, *sources: str) -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    options = ["--generate-hashes", "--no-annotate", "--no-header", "--constraints", str(constraints)]
    done = subprocess.run(  # noqa: S603 (uv, with our own arguments)
        [*command, *options, *sources], check=True, stdout=subprocess.PIPE, text=True
    )
    lock.write_text(f"# {what}. Written by `make lock`.\n{done.stdout}")


if __name__ == "__main__":
    main(upgrade="--upgrade" in sys.argv[1:])
