"""SQL as data: what is asked, and what is bound in it. Values never stand in SQL text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

Row = dict[str, Any]
"""A row of an answer, by column name."""


BY_KEY: Final = "SETTINGS optimize_use_projections = 0, max_threads = 1"
"""The end of a statement about some rows by their keys: to weigh projections, or to part the work, takes longer."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` places, and what is bound to them."""

    sql: str
    parameters: dict[str, Any]
