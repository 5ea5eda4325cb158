"""Options of the worker; those of rollups stand beside `Rollups`."""

from __future__ import annotations

from dataclasses import dataclass, field

from processor.conventions.previews import PreviewConfig
from processor.conventions.rules import ConventionsConfig
from processor.decode.attribute_limits import AttributeLimits
from processor.decode.verdicts import Admission
from processor.pricing.config import PricingConfig
from processor.worker.budgets.config import BudgetsConfig
from processor.worker.rollups import RollupConfig


@dataclass(frozen=True, slots=True)
class ThreadsConfig:
    """How the view `threads` tells active from idle."""

    idle_after_s: int = field(
        default=3600,
        metadata={"help": "Seconds without a span after which a thread is idle.", "min": 1, "max": 10 * 366 * 86_400},
    )


@dataclass(frozen=True, slots=True)
class DeletionConfig:
    """What a deleted session is kept away by, and when it is gone."""

    block_days: int = field(
        default=30,
        metadata={
            "help": "Days for which late spans do not bring a deleted session back: they are removed as well. Then its "
            "id may be used anew.",
            "min": 1,
            "max": 3650,
        },
    )
    purge_interval_s: float = field(
        default=10.0,
        metadata={
            "help": "Seconds between two purges. Each removes all that was deleted since the last, by writing the "
            "parts anew that hold some of it.",
            "min": 0.1,
            "max": 86_400,
        },
    )


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """How much is taken from the log at once, and the components below."""

    poll_bytes_max: int = field(
        default=12 * 1024 * 1024,
        metadata={"help": "Bytes of requests in one batch.", "min": 64 * 1024, "max": 256 * 1024 * 1024},
    )
    poll_linger_s: float = field(
        default=0.5,
        metadata={
            "help": "Seconds that a batch waits to fill up under a steady load: larger inserts for a later answer. "
            "After a pause it waits a tenth of that. 0 takes what is there.",
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
    limits: AttributeLimits = field(
        default_factory=AttributeLimits, metadata={"help": "How much of spans and log records is stored."}
    )
    conventions: ConventionsConfig = field(
        default_factory=ConventionsConfig, metadata={"help": "Your own attribute keys, ahead of the built-in ones."}
    )
    previews: PreviewConfig = field(
        default_factory=PreviewConfig, metadata={"help": "What sessions show of inputs and outputs."}
    )
    pricing: PricingConfig = field(default_factory=PricingConfig, metadata={"help": "What tokens cost."})
    threads: ThreadsConfig = field(
        default_factory=ThreadsConfig, metadata={"help": "What is shown of threads, which sessions may belong to."}
    )
    deletion: DeletionConfig = field(default_factory=DeletionConfig, metadata={"help": "Deleted sessions."})
    budgets: BudgetsConfig = field(
        default_factory=BudgetsConfig, metadata={"help": "Sessions that webhooks are told of."}
    )
    rollups: RollupConfig = field(default_factory=RollupConfig, metadata={"help": "How rollups keep up."})
