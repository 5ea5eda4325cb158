"""Options of the worker; those of rollups stand beside `Rollups`."""

from __future__ import annotations

from dataclasses import dataclass, field

from processor.decode.verdicts import Admission
from processor.worker.rollups import RollupConfig


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """How much is taken from the log at once, and the components below."""

    poll_bytes_max: int = field(
        default=12 * 1024 * 1024,
        metadata={"help": "Bytes of requests in one batch.", "min": 64 * 1024, "max": 256 * 1024 * 1024},
    )
    poll_linger_s: float = field(
        default=0.1,
        metadata={
            "help": "Seconds that a batch waits to fill up: larger inserts for a later answer. 0 takes what is there.",
            "min": 0.0,
            "max": 5.0,
        },
    )
    decode_processes: int = field(
        default=1,
        metadata={
            "help": "Processes that decode, one batch each at a time; 0 decodes in a thread of the main process.",
            "min": 0,
            "max": 64,
        },
    )
    stop_timeout_s: float = field(
        default=20.0,
        metadata={
            "help": "Seconds a stop may take to bring rollups up to date; what is left then, the next start does. A "
            "tick that is under way is waited for.",
            "min": 0,
            "max": 3600,
        },
    )
    admission: Admission = field(default_factory=Admission, metadata={"help": "Which spans are accepted."})
    rollups: RollupConfig = field(default_factory=RollupConfig, metadata={"help": "How rollups keep up."})
