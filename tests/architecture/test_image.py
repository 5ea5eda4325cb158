"""The image: its base stays the same, everything from an index is held to a hash, and it may do little.

There is no Docker engine where these run. `make image-check` carries out the Dockerfile's steps without one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.image.dockerfile import DOCKERFILE, ROOT, context, stages

WHOLE, RUN, BUILD = (
    ROOT / name for name in ("requirements.lock", "deploy/requirements.lock", "deploy/requirements-build.lock")
)
STAGES = stages(DOCKERFILE.read_text())


def pinned(lock: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """The hashes of each name and version; a name may stand twice, for two Pythons."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    entries = lock.read_text().replace("\\\n", " ").splitlines()
    for entry in [line for line in entries if not line.startswith("#")]:
        requirement = Requirement(re.sub(r"--hash=\S+", "", entry).strip())
        (version,) = requirement.specifier
        assert version.operator == "=="
        found[canonicalize_name(requirement.name), version.version] = tuple(re.findall(r"--hash=(\S+)", entry))
    return found


def test_hadolint_has_nothing_to_say() -> None:
    """But for what the file itself gives a reason for."""
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_stage_has_one_base_named_by_digest() -> None:
    """A tag alone is another image tomorrow. The one that builds is the one that runs: its venv names its Python."""
    (base,) = {stage.base for stage in STAGES}
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)


def test_it_runs_as_a_number_that_is_not_root_and_stops_on_sigterm() -> None:
    """Kubernetes can only see that a number isn't root's."""
    last = STAGES[-1]
    assert [item.arguments for item in last.of("USER")] == ["10001:10001"]
    assert [item.arguments for item in last.of("STOPSIGNAL")] == ["SIGTERM"]
    assert last.of("HEALTHCHECK")
    assert {"title", "version", "revision", "licenses"} <= set(
        re.findall(r"org\.opencontainers\.image\.(\w+)", last.of("LABEL")[0].arguments)
    )


def test_what_comes_from_an_index_is_held_to_a_hash() -> None:
    """And is a wheel: nothing is run to install it. The rest is from files that are there."""
    installs = [
        part for stage in STAGES for run in stage.of("RUN") for part in run.arguments.split("&&") if "pip " in part
    ]
    fetching = [part for part in installs if " install " in part and "--no-index" not in part]
    assert len(fetching) == 2
    assert all("--require-hashes" in part and "--only-binary :all:" in part for part in fetching)
    assert all("--no-deps" in part for part in installs if " wheel " in part or "--no-index" in part)
    assert all("--no-build-isolation" in part for part in installs if " wheel " in part)


def test_the_context_is_what_is_copied() -> None:
    """No more than that, and no bytecode."""
    copied = [name for item in STAGES[0].of("COPY") + STAGES[1].of("COPY") for name in item.words[:-1]]
    sources = [ROOT / name for name in copied if not name.startswith("/")]
    files = context()
    assert all(any(file == source or file.is_relative_to(source) for source in sources) for file in files)
    assert all(any(file == source or file.is_relative_to(source) for file in files) for source in sources)
    assert not [file for file in files if "__pycache__" in file.parts]


@pytest.mark.parametrize("lock", [WHOLE, RUN, BUILD], ids=lambda lock: lock.name)
def test_a_lock_names_its_files_by_hash(lock: Path) -> None:
    """Of every package; one without would make pip refuse the whole."""
    assert all(hashes and all(len(found) == 7 + 64 for found in hashes) for hashes in pinned(lock).values())


@pytest.mark.parametrize("lock", [RUN, BUILD], ids=lambda lock: lock.name)
def test_the_image_runs_what_was_tested(lock: Path) -> None:
    """Its locks are parts of the one that tests are installed from. `make lock` writes all three."""
    whole = pinned(WHOLE)
    assert {key: whole.get(key) for key in pinned(lock)} == pinned(lock)


def test_the_lock_has_all_that_the_project_needs_and_nothing_of_the_tests() -> None:
    """What depends on what is asked of the packages that are installed here."""
    locked = {name for name, _ in pinned(RUN)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    waiting, seen = list(project["project"]["dependencies"]), set[str]()
    while waiting:
        needed = Requirement(waiting.pop())
        name = canonicalize_name(needed.name)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        assert name in locked, f"{name} is missing in deploy/requirements.lock; run make lock"
        if name not in seen:
            seen.add(name)
            waiting += requires(name) or []
            # What an extra adds is asked for under its name.
            waiting += [
                text.partition(";")[0]
                for text in requires(name) or []
                if (marker := Requirement(text).marker)
                and any(marker.evaluate({"extra": extra}) for extra in needed.extras)
            ]
    tests_only = {canonicalize_name(Requirement(text).name) for text in project["dependency-groups"]["dev"]}
    assert not tests_only & locked


def test_the_bill_of_materials_has_every_package(tmp_path: Path) -> None:
    """`make sbom`: each with its version."""
    path = tmp_path / "sbom.json"
    command = [sys.executable, "deploy/sbom.py", str(path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    document = json.loads(path.read_text())
    assert document["bomFormat"] == "CycloneDX"
    assert {(canonicalize_name(item["name"]), item["version"]) for item in document["components"]} == set(pinned(RUN))
    assert document["metadata"]["component"]["name"] == "otel-sessions"
