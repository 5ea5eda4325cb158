"""Apache Kafka's published Maven artifacts, fetched once into `.kafka/` under the checkout.

Java and Maven are taken from the machine; where Maven fetches from is Maven's own configuration. A new `pom.xml` is a
new directory, so that an interrupted or outdated fetch is never run.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from deploy.kafka.failure import BrokerError, Unavailable

HERE: Final = Path(__file__).parent
CACHE: Final = HERE.parents[1] / ".kafka"
"""Ignored by git; `rm -rf` is always safe."""

_POM: Final = HERE / "pom.xml"
_FETCH_S_MAX: Final = 600
_WHAT_MAVEN_SAYS: Final = 2000  # characters of its output in an error


def missing_tools() -> str:
    """What this machine lacks to fetch and run a broker, as a sentence; '' when nothing is."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if missing == ["mvn"] and _libraries().is_dir():
        return ""  # fetched before
    return f"not on the PATH: {' and '.join(missing)}" if missing else ""


def fetch() -> Path:
    """The directory with Kafka's jars, fetched if it is not there. Safe to call from several processes at once.

    Errors: `Unavailable` when Java or Maven is missing or Maven can't reach its repository.
    """
    if missing := missing_tools():
        raise Unavailable(f"no broker can be started here, {missing}")
    libraries = _libraries()
    if libraries.is_dir():
        return libraries
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libraries.is_dir():
            _copy_dependencies(libraries)
    return libraries


def _libraries() -> Path:
    return CACHE / f"libs-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"


def _copy_dependencies(target: Path) -> None:
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(_POM), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
    try:
        done = subprocess.run(  # noqa: S603 (our own command)
            command, capture_output=True, text=True, timeout=_FETCH_S_MAX, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"Maven did not fetch Apache Kafka within {_FETCH_S_MAX} s") from error
    if done.returncode != 0:
        raise Unavailable(f"Maven can't fetch Apache Kafka: {(done.stdout + done.stderr)[-_WHAT_MAVEN_SAYS:]}")
    if not any(partial.glob("kafka_*.jar")):
        raise BrokerError(f"Maven left no broker in {partial}")
    os.replace(partial, target)
