"""The clients' environments: pinned, each SDK in one of its own, since their pins contradict each other.

They are made on first use below `.sdks/`, out of `requirements.txt` or `package-lock.json` beside the client, and made
again when that file changes. This is the only moment that needs the registries.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".sdks"
INSTALL_TIMEOUT_S, RUN_TIMEOUT_S = 900, 120
# Nothing that a client reports about itself leaves the machine, whatever its switches say.
_NO_NETWORK = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
}
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "SSL_CERT_FILE", "TMPDIR")


def run_client(name: str, environment: dict[str, str]) -> None:
    """Play the client `name` to its end. Errors: `AssertionError` with what it wrote, when it fails."""
    kept = {key: value for key, value in os.environ.items() if key in _KEPT}
    if (HERE / name / "client.py").exists():
        command = [str(_python(name)), str(HERE / name / "client.py")]
        environment = {"PYTHONPATH": str(HERE / "application"), **environment}
    else:
        # Node looks for packages beside the file.
        command = ["node", str(shutil.copy(HERE / name / "client.mjs", _node(name)))]
    done = subprocess.run(
        command,
        env=kept | _NO_NETWORK | environment,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{name} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"


def _python(name: str) -> Path:
    """The interpreter of the client's virtual environment."""
    python = CACHE / name / "bin" / "python"
    requirements = HERE / name / "requirements.txt"
    if not _is_current(name, requirements):
        shutil.rmtree(CACHE / name, ignore_errors=True)
        _install(sys.executable, "-m", "venv", str(CACHE / name))
        # The file names every package: nothing is left to resolve, and nothing to pip's idea of pre-releases.
        _install(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(requirements))
        _stamp(name, requirements)
    return python


def _node(name: str) -> Path:
    """The directory with the client's packages."""
    lock = HERE / name / "package-lock.json"
    if not _is_current(name, lock):
        shutil.rmtree(CACHE / name, ignore_errors=True)
        (CACHE / name).mkdir(parents=True)
        for file in (HERE / name / "package.json", lock):
            shutil.copy(file, CACHE / name)
        _install("npm", "ci", "--ignore-scripts", "--prefix", str(CACHE / name))
        _stamp(name, lock)
    return CACHE / name


def _install(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"


def _is_current(name: str, pins: Path) -> bool:
    stamp = CACHE / name / "installed"
    return stamp.exists() and stamp.read_text() == _digest(pins)


def _stamp(name: str, pins: Path) -> None:
    (CACHE / name / "installed").write_text(_digest(pins))


def _digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()
