"""`make audit`: what we install, whether we may, and whether it is known to be unsafe.

Offline, and in the tests: `requirements.lock` has everything that is needed and nothing that is not installed; every
licence is one that we accept. Online: pip-audit asks PyPI's and OSV's advisories about the lock.
Exit status: 0, 1 for a finding, 3 when only the advisories could not be asked.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements.lock"
PIP_AUDIT: Final = ROOT / ".audit" / "bin" / "pip-audit"
"""In an environment of its own: it needs seventeen packages that nothing else here does."""

ALLOWED: Final = frozenset(
    [
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    ]
)
"""What may be shipped. MPL-2.0 asks for its own files alone, which we do not change."""

ALLOWED_TOOLS: Final = ALLOWED | {"GPL-3.0-only", "GPL-3.0-or-later", "LGPL-3.0-or-later"}
"""What may run beside ours on a developer's machine or on CI, and is never shipped."""

SAID: Final[Mapping[str, str]] = {
    "axe-playwright-python": "MIT",  # the wheel's LICENSE file; its metadata names none
}
"""Licences of packages whose metadata say nothing, and where it is said instead."""

_OLD_NAMES: Final[Mapping[str, str]] = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gpl-3.0": "GPL-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
_TOKEN: Final = re.compile(r"\(|\)|[\w.+-]+")
_VULNERABILITIES, _UNREACHABLE = 1, 3


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of the lock that this interpreter installs."""

    name: str
    version: str
    has_hash: bool


def locked(text: str) -> dict[str, Locked]:
    """Packages by name; those whose marker is false here are left out."""
    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        stated, *hashes = line.partition("#")[0].split("--hash=")
        if not stated.strip():
            continue
        requirement = Requirement(stated.strip())
        if requirement.marker is None or requirement.marker.evaluate():
            (pin,) = requirement.specifier
            name = canonicalize_name(requirement.name)
            found[name] = Locked(name, pin.version, bool(hashes))
    return found


def complaints(project: str, lock: str) -> list[str]:
    """What is wrong with the lock and with the licences of what it names; a sentence each.

    `project` is the text of pyproject.toml, `lock` that of requirements.lock.
    """
    table, packages = tomllib.loads(project), locked(lock)
    shipped = table["project"]["dependencies"]
    tools = table["dependency-groups"]["dev"]
    needed = closure([*shipped, *tools])
    wrong = [f"{name}: needed, and not in the lock; run make lock" for name in sorted(needed - packages.keys())]
    wrong += [f"{name}: in the lock, and nothing needs it; run make lock" for name in sorted(packages.keys() - needed)]
    wrong += _hashes(packages.values())
    for name in sorted(packages.keys() & needed):
        found = _installed(name)
        if found is None or found.version != packages[name].version:
            have = found.version if found else "none"
            wrong.append(f"{name}: the lock has {packages[name].version}, installed is {have}; run make install")
    for names, allowed, what in (
        (closure(shipped), ALLOWED, "ship"),
        (needed - closure(shipped), ALLOWED_TOOLS, "use"),
    ):
        for name in sorted(names):
            licence = licence_of(name)
            if not is_allowed(licence, allowed):
                wrong.append(f"{name}: we do not {what} {licence or 'what names no licence'}; see deploy/audit.py")
    return wrong


def closure(requirements: Iterable[str]) -> set[str]:
    """Names of all that these need here, by what is installed; what is not installed needs nothing more."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        extras = requirement.extras or {""}
        if requirement.marker is not None and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras
        ):
            continue
        name = canonicalize_name(requirement.name)
        key = f"{name}[{','.join(sorted(requirement.extras))}]" if requirement.extras else name
        if key in found:
            continue
        found |= {name, key}
        waiting += _needs(name, requirement.extras or {""})
    return {name for name in found if "[" not in name}


def licence_of(name: str) -> str:
    """An SPDX expression, as far as the package's metadata can be read as one; '' where they say nothing."""
    found = _installed(name)
    if name in SAID or found is None:
        return SAID.get(name, "")
    stated = found.metadata.get("License-Expression")
    if stated:
        return str(stated)
    classifiers = [text.rpartition("::")[2].strip() for text in found.metadata.get_all("Classifier") or []]
    names = [_OLD_NAMES[text.lower()] for text in classifiers if text.lower() in _OLD_NAMES]
    if names:
        return " AND ".join(sorted(set(names)))
    first = (found.metadata.get("License") or "").strip().partition("\n")[0]
    return _OLD_NAMES.get(first.lower(), first)


def is_allowed(expression: str, allowed: Iterable[str]) -> bool:
    """Whether an SPDX expression can be met: one of `OR`, all of `AND`, which binds tighter."""
    tokens = _TOKEN.findall(expression)
    return bool(tokens) and _or(tokens, frozenset(allowed)) and not tokens


def main() -> int:
    """Everything, online part last."""
    wrong = complaints((ROOT / "pyproject.toml").read_text(), LOCK.read_text())
    for sentence in wrong:
        print(sentence)
    if wrong:
        return 1
    print("the lock is whole, and every licence is one that we accept")
    options = ["--require-hashes"] if "--hash=" in LOCK.read_text() else ["--no-deps"]
    command = [str(PIP_AUDIT), "--requirement", str(LOCK), "--disable-pip", "--format", "json", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 (our own words)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = {"dependencies": []}
        print(done.stderr)
    sentences, status = advisories(report)
    print("\n".join(sentences))
    return status


def advisories(report: Mapping[str, Any]) -> tuple[list[str], int]:
    """What pip-audit's JSON report says, and the exit status: a package it knows nothing of is not a safe one.

    pip-audit itself calls that success: where a mirror of PyPI has no advisories, it skips every package.
    """
    packages = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {' '.join(flaw['fix_versions']) or '?'}"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    if found:
        return found, _VULNERABILITIES
    if skipped or not packages:
        asked = len(packages) - len(skipped)
        sentence = f"advisories were asked for {asked} of {len(packages)} packages; try where PyPI is"
        return [sentence], _UNREACHABLE
    return [f"no advisory is known against any of {len(packages)} packages"], 0


def _hashes(packages: Iterable[Locked]) -> Iterator[str]:
    """All or none: with one hash pip wants all."""
    every = list(packages)
    bare = [package.name for package in every if not package.has_hash]
    if bare and len(bare) < len(every):
        yield f"{', '.join(bare[:5])}{', …' if bare[5:] else ''}: no hash in the lock; run make lock"


def _needs(name: str, extras: Iterable[str]) -> Iterator[Requirement]:
    found = _installed(name)
    for text in (found.requires or []) if found else []:
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            requirement.marker = None
            yield requirement


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _or(tokens: list[str], allowed: frozenset[str]) -> bool:
    holds = _and(tokens, allowed)
    while tokens and tokens[0].upper() == "OR":
        tokens.pop(0)
        holds = _and(tokens, allowed) or holds
    return holds


def _and(tokens: list[str], allowed: frozenset[str]) -> bool:
    holds = _one(tokens, allowed)
    while tokens and tokens[0].upper() == "AND":
        tokens.pop(0)
        holds = _one(tokens, allowed) and holds
    return holds


def _one(tokens: list[str], allowed: frozenset[str]) -> bool:
    token = tokens.pop(0)
    if token != "(":  # noqa: S105
        return token in allowed
    holds = _or(tokens, allowed)
    return bool(tokens) and tokens.pop(0) == ")" and holds


if __name__ == "__main__":
    sys.exit(main())
