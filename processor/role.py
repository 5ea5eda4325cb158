"""The parts of the processor that can be deployed by themselves. Imports nothing, so that `--help` is fast."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a process is for, of all that its file defines; without one, it does what the file's pipeline says."""

    RECEIVER = "receiver"
    WORKER = "worker"
    API = "api"
    ALL = "all"
