"""What we install is what the lock says, and under licences that we accept: `make audit` without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.audit import ALLOWED, ALLOWED_TOOLS, advisories, closure, complaints, is_allowed, locked

ROOT = Path(__file__).parents[2]


def test_the_lock_is_whole_and_every_licence_is_accepted() -> None:
    """Everything needed is in it at the version that is installed, nothing else is, and nothing forbids to ship it."""
    wrong = complaints((ROOT / "pyproject.toml").read_text(), (ROOT / "requirements.lock").read_text())
    assert not wrong, "\n".join(wrong)


def test_what_is_missing_changed_or_left_over_is_told() -> None:
    """A lock without a package, with another version of one, or with one that nobody needs."""
    project = '[project]\ndependencies = ["httpx"]\n[dependency-groups]\ndev = []\n'
    names = closure(["httpx"])
    lock = "".join(f"{name}==0.0.1 --hash=sha256:00\n" for name in names - {"h11"}) + "pyyaml==6.0.3\n"
    told = complaints(project, lock)
    assert "h11: needed, and not in the lock; run make lock" in told
    assert "pyyaml: in the lock, and nothing needs it; run make lock" in told
    assert "pyyaml: no hash in the lock; run make lock" in told
    assert any(sentence.startswith("httpx: the lock has 0.0.1, installed is ") for sentence in told)


def test_a_lock_is_read_with_its_hashes_and_markers() -> None:
    """Continued lines, comments, and what only another system installs."""
    one = "# about\none==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    text = one + "two==2 ; sys_platform == 'win32'\nThree==3\n"
    assert {name: package.has_hash for name, package in locked(text).items()} == {"one": True, "three": False}


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("MIT", True),
        ("MIT AND Apache-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("MPL-2.0 AND (GPL-2.0-only OR MIT)", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_licence_expressions(expression: str, may: bool) -> None:
    """One of `OR`, all of `AND`; what can't be read is not accepted."""
    assert is_allowed(expression, ALLOWED) is may


def test_a_package_without_advisories_is_not_a_safe_one() -> None:
    """Nothing known against all of them is 0, a flaw is 1, and what could not be asked about is 3, never 0."""
    safe = {"name": "one", "version": "1", "vulns": []}
    flawed = {"name": "two", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    unknown = {"name": "three", "skip_reason": "not found on PyPI"}
    assert advisories({"dependencies": [safe]})[1] == 0
    assert advisories({"dependencies": [safe, flawed, unknown]}) == (["two 2: PYSEC-1, mended in 3"], 1)
    assert advisories({"dependencies": [safe, unknown]})[1] == 3
    assert advisories({"dependencies": []})[1] == 3


def test_tools_may_be_what_is_never_shipped() -> None:
    """The GPL of a tool on CI asks for nothing of what we ship."""
    assert is_allowed("GPL-3.0-or-later", ALLOWED_TOOLS)
    assert not is_allowed("GPL-3.0-or-later", ALLOWED)
