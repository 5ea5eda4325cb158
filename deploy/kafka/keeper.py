"""Runs one command for as long as the process that started this one lives: `python keeper.py COMMAND...`.

Prints the command's process id, then waits. Standard input is the leash: at its end, however the other side ended, the
command is killed. Should this process be killed itself, the kernel kills the command (Linux). Must never leave the
command running; imports nothing of ours, so that it starts fast and from anywhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """The exit status of the command, as a shell would give it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Ctrl-C is for the owner, who stops the command in order. Not SIG_IGN: the command would inherit it.
        signal.signal(number, lambda *_: None)
    # The thread that forks must outlive the command for the kernel's signal to mean anything: it is this one.
    process = subprocess.Popen(  # noqa: S603 (the owner's own command)
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,  # ours has one reader, for one line
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 (no thread runs yet)
    )
    os.write(sys.stdout.fileno(), f"{process.pid}\n".encode())

    def hold_leash() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    threading.Thread(target=hold_leash, daemon=True).start()
    status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    os._exit(main())  # the thread may still sit in `read`
