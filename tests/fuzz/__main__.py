"""`python -m tests.fuzz [TARGET ...] --seconds N`: coverage-guided fuzzing with atheris (libFuzzer).

New inputs that reach new code go to .fuzz/TARGET, what breaks a rule to .fuzz/findings. `--minimise` keeps, of both
corpora, the smallest set of small inputs that reaches as much, in tests/fuzz/corpus, which the tests replay.
Exit status: 1 when something was found.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CORPUS: Final = HERE / "corpus"
WORK: Final = HERE.parents[1] / ".fuzz"
FINDINGS: Final = WORK / "findings"
_SIZE_MAX: Final = 16_384
_KEPT_SIZE_MAX: Final = 4_096
_TARGETS: Final = ("traces", "logs", "metrics", "traces_json", "logs_json", "metrics_json", "config")


def main() -> int:
    """One process a target: coverage is counted for one at a time."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n", 1)[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(_TARGETS)}; all without one")
    parser.add_argument("--seconds", type=int, default=70, help="altogether")
    parser.add_argument("--minimise", action="store_true", help="fuzz nothing; keep what is worth it")
    options = parser.parse_args()
    targets = options.targets or list(_TARGETS)
    if unknown := set(targets) - set(_TARGETS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(_TARGETS)}")
    found = []
    for target in targets:
        if options.minimise:
            _minimise(target)
        elif _fuzz(target, max(options.seconds // len(targets), 1)):
            found.append(target)
    if found:
        print(f"\nfound something in: {', '.join(found)}; see {FINDINGS}, a file each, and the traces above")
    return 1 if found else 0


def _fuzz(target: str, seconds: int) -> bool:
    """Whether something was found."""
    from tests.fuzz.seeds import words, write_seeds  # noqa: PLC0415 (--help needs none of it)

    work = WORK / target
    write_seeds(target, work)
    FINDINGS.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-max_len={_SIZE_MAX}", f"-artifact_prefix={FINDINGS}/{target}-"]
    options += ["-timeout=30", "-rss_limit_mb=4096", "-print_final_stats=1", "-verbosity=1"]
    if known := words(target):
        dictionary = WORK / f"{target}.dict"
        quoted = [word.replace("\\", "\\\\").replace('"', '\\"') for word in known]
        dictionary.write_text("".join(f'"{word}"\n' for word in quoted))
        options.append(f"-dict={dictionary}")
    print(f"\n{target}: {seconds} s", flush=True)
    return _libfuzzer(target, *options, str(work), str(CORPUS / target)) != 0


def _minimise(target: str) -> None:
    kept = CORPUS / target
    into = WORK / f"{target}.kept"
    for folder in (kept, into):
        folder.mkdir(parents=True, exist_ok=True)
    for old in into.iterdir():
        old.unlink()
    code = _libfuzzer(target, "-merge=1", f"-max_len={_KEPT_SIZE_MAX}", str(into), str(kept), str(WORK / target))
    if code != 0:
        raise SystemExit(f"{target}: merging ended with {code}")
    for old in kept.iterdir():
        old.unlink()
    for new in into.iterdir():
        new.rename(kept / new.name)


def _libfuzzer(target: str, *arguments: str) -> int:
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(HERE / "process.py"), target, *arguments]
    return subprocess.run(command, check=False, cwd=HERE.parents[1]).returncode


if __name__ == "__main__":
    sys.exit(main())
