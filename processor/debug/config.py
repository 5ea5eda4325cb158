"""Options of the `debug` exporter: the Collector's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class DebugExporterConfig:
    """Writes what goes through the pipeline to the log. Shows what clients send: not for production."""

    verbosity: Literal["basic", "normal", "detailed"] = field(
        default="basic",
        metadata={"help": "basic counts, normal writes a line an item, detailed writes every field."},
    )
    sampling_initial: int = field(
        default=2, metadata={"help": "Requests that are written each second in any case.", "min": 1}
    )
    sampling_thereafter: int = field(
        default=1, metadata={"help": "Of those after them, every how-many-eth is written; 1 is all.", "min": 1}
    )
    output_bytes_max: int = field(
        default=262_144,
        metadata={"help": "Bytes written of one request; the rest of it is only counted.", "min": 1_024},
    )
