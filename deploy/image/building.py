"""Builds the stages of the Dockerfile, each in an overlay over this machine's own root, which stands for the base.

Nothing outside of the overlay changes. Needs root and a mount namespace of its own: `python -m deploy.image` makes one.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.image.dockerfile import ROOT, Instruction, Stage, context

_SYSTEM: Final = f"{sys.base_prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED_ON: Final = ("PIP_", "SSL_", "HTTP", "http", "https", "NO_PROXY", "no_proxy")


class Root:
    """The file system of one stage, and the state that its instructions leave behind."""

    def __init__(self, work: Path, name: str) -> None:
        self.path = work / name / "root"
        self.environment = {"PATH": _SYSTEM}
        self.directory = "/"
        self.user = "0:0"
        upper, scratch = work / name / "upper", work / name / "work"
        for directory in (self.path, upper, scratch):
            directory.mkdir(parents=True)
        mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={scratch}", "overlay", str(self.path))
        mount("--rbind", "/proc", str(self.path / "proc"))
        mount("--rbind", "/dev", str(self.path / "dev"))
        mount("--rbind", "/sys", str(self.path / "sys"))
        # The interpreter may lie below /root here; an image's does not.
        (self.path / "root").chmod(0o755)

    def within(self, path: str) -> Path:
        """A path inside, as seen from outside."""
        return self.path / os.path.normpath(os.path.join("/", self.directory, path)).lstrip("/")

    def command(self, *arguments: str) -> list[str]:
        """A command line that runs inside, as the stage's user, without a capability or a way to one."""
        user, _, group = self.user.partition(":")
        fewer = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"] if user != "0" else []
        dropped = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *fewer]
        inside = ["sh", "-c", f'cd {shlex.quote(self.directory)} && exec "$@"', "sh", *arguments]
        return ["chroot", str(self.path), *dropped, *inside]


def mount(*arguments: str) -> None:
    """Errors: `CalledProcessError`; mount has said why."""
    subprocess.run(["mount", *arguments], check=True)  # noqa: S603, S607 (our own paths)


def build(work: Path, stages: list[Stage]) -> Root:
    """Every stage in order; gives the last.

    Errors: `CalledProcessError` for an instruction that fails.
    """
    roots: dict[str, Root] = {}
    for number, stage in enumerate(stages):
        root = roots[stage.name or str(number)] = Root(work, stage.name or f"stage-{number}")
        for instruction in stage.instructions[1:]:
            print(f"{instruction.name} {instruction.arguments}"[:110], flush=True)
            _perform(root, instruction, roots)
    return root


def _perform(root: Root, instruction: Instruction, roots: dict[str, Root]) -> None:
    match instruction.name:
        case "RUN":
            passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
            command = root.command("sh", "-c", instruction.arguments)
            subprocess.run(command, check=True, env=root.environment | passed)  # noqa: S603 (the Dockerfile's)
        case "COPY":
            *sources, target = instruction.words
            named = [word for word in instruction.arguments.split() if word.startswith("--from=")]
            if named:
                _copy([roots[named[0].partition("=")[2]].within(name) for name in sources], root.within(target))
            else:
                _copy_context(sources, root, target)
        case "ENV":
            for assignment in shlex.split(instruction.arguments):
                name, _, value = assignment.partition("=")
                root.environment[name] = value.replace("$PATH", root.environment["PATH"])
        case "WORKDIR":
            root.directory = instruction.arguments
            root.within(".").mkdir(parents=True, exist_ok=True)
        case "USER":
            root.user = instruction.arguments
        case _:
            pass  # what describes the image, and changes no file


def _copy(sources: list[Path], target: Path) -> None:
    for source in sources:
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def _copy_context(sources: list[str], root: Root, target: str) -> None:
    for name in sources:
        files = [path for path in context() if path == ROOT / name or path.is_relative_to(ROOT / name)]
        assert files, f"COPY {name}: not in the build context"
        for path in files:
            # A directory's contents are copied, a file keeps its name.
            inner = path.relative_to(ROOT / name) if (ROOT / name).is_dir() else Path(path.name)
            destination = root.within(target) / inner
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, destination)
