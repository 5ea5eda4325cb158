"""`deploy/Dockerfile` as instructions, and what its build context holds. Only of what that file makes use of.

Source: Docker's "Dockerfile reference" and ".dockerignore files".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"
IGNORE: Final = ROOT / "deploy" / "Dockerfile.dockerignore"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, with its arguments on one line."""

    name: str
    arguments: str

    @property
    def words(self) -> list[str]:
        """Its arguments, flags left out."""
        return [word for word in self.arguments.split() if not word.startswith("--")]


@dataclass(frozen=True, slots=True)
class Stage:
    """What begins with FROM; `base` with its ARG put in."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def of(self, name: str) -> list[Instruction]:
        """Its instructions of one name."""
        return [item for item in self.instructions if item.name == name]


def stages(text: str) -> list[Stage]:
    """All stages, in order; ARGs ahead of the first are only there for FROM."""
    arguments: dict[str, str] = {}
    found: list[Stage] = []
    collected: list[Instruction] = []
    for item in _instructions(text):
        if item.name == "FROM":
            base, *rest = item.words
            base = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match.group(1)], base)
            collected = []
            found.append(Stage(rest[1] if rest else "", base, ()))
        elif not found:
            assert item.name == "ARG"
            name, _, value = item.arguments.partition("=")
            arguments[name] = value
        if found:
            collected.append(item)
            found[-1] = Stage(found[-1].name, found[-1].base, tuple(collected))
    return found


def context() -> list[Path]:
    """The files that a build is sent: of a pattern's last match, `!` takes in what an earlier one kept out."""
    patterns = [line for line in IGNORE.read_text().splitlines() if line and not line.startswith("#")]
    tops = {pattern[1:].partition("/")[0] for pattern in patterns if pattern.startswith("!")}
    files = [
        path
        for top in sorted(tops)
        for path in sorted((ROOT / top).rglob("*") if (ROOT / top).is_dir() else [ROOT / top])
    ]
    return [path for path in files if path.is_file() and not _ignored(path.relative_to(ROOT).as_posix(), patterns)]


def _ignored(path: str, patterns: list[str]) -> bool:
    ignored = False
    for pattern in patterns:
        wanted = pattern.removeprefix("!")
        if wanted.startswith("**/"):
            matches = wanted.removeprefix("**/") in path.split("/")
        else:
            matches = path == wanted or path.startswith(f"{wanted}/") or fnmatch(path, wanted)
        if matches:
            ignored = not pattern.startswith("!")
    return ignored


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    pairs = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [Instruction(name.upper(), arguments) for name, arguments in pairs]
