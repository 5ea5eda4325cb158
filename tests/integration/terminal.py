"""A command in a pseudo-terminal of a given size, as a person has it: keys go in, characters and styles come out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from typing import Self

from tests.integration.process import COMMAND, TIMEOUT_S, own_environment

_PATIENCE_S = 5

CTRL_C = "\x03"
CTRL_D = "\x04"
TAB = "\t"

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78cDEHMNOZ])")


class Terminal:
    """A process whose input, output and errors are one terminal; with `out`, output goes to that file or pipe."""

    def __init__(
        self, *command: str, columns: int = 80, lines: int = 50, out: int | None = None, **environment: str
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],  # the terminal is its own, so that Ctrl-C reaches it
            stdin=theirs,
            stdout=theirs if out is None else out,
            stderr=theirs,
            env=own_environment() | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | environment,
        )
        os.close(theirs)
        self._is_open = True
        self.raw = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        """The window goes away, whatever runs in it. Safe to call twice."""
        if self._is_open:
            self._is_open = False
            os.close(self._ours)

    @property
    def text(self) -> str:
        """What was written so far, without styles and movements of the cursor."""
        return without_escapes(self.raw)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def read_until(self, text: str, after: int = 0) -> str:
        """Wait until `text` has been written, not counting the first `after` characters; gives all of it.

        Errors: `AssertionError` when the process ends, or a deadline passes, without it.
        """
        deadline_s = time.monotonic() + TIMEOUT_S
        while text not in self.text[after:]:
            assert time.monotonic() < deadline_s, f"{text!r} is not in {self.text!r}"
            assert self._read(), f"ended without {text!r}: {self.text!r}"
        return self.text

    def press_until(self, key: str, text: str, after: int) -> None:
        """Press a key, and again as often as nothing comes of it for a while, until `text` has been written.

        Errors: `AssertionError` when a deadline passes without it.
        """
        deadline_s = time.monotonic() + TIMEOUT_S
        while text not in self.text[after:]:
            assert time.monotonic() < deadline_s, f"{text!r} is not in {self.text!r}"
            self.type(key)
            while text not in self.text[after:] and select.select([self._ours], [], [], _PATIENCE_S)[0]:
                assert self._read(), f"ended without {text!r}: {self.text!r}"

    def wait(self) -> int:
        """Read to the end; gives the exit code."""
        while self._read():
            pass
        return self.process.wait(TIMEOUT_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], TIMEOUT_S)
        assert ready, f"nothing more was written after {self.text!r}"
        chunk = b""
        with contextlib.suppress(OSError):  # Linux: nobody holds the other side any more
            chunk = os.read(self._ours, 65_536)
        self.raw += chunk.decode(errors="replace")
        return bool(chunk)


def in_terminal(*arguments: str, columns: int = 80, **environment: str) -> tuple[int, str]:
    """Run `otel-sessions` to its end in a terminal; gives exit code and all that was written, styles included."""
    with Terminal(COMMAND, *arguments, columns=columns, **environment) as terminal:
        code = terminal.wait()
        return code, terminal.raw.replace("\r\n", "\n")


def without_escapes(text: str) -> str:
    """Characters alone, without bells."""
    return _ESCAPES.sub("", text).replace("\x07", "")
