"""SQL as data: what is asked, and what is bound in it. Values never stand in SQL text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
"""A row of an answer, by column name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` places, and what is bound to them."""

    sql: str
    parameters: dict[str, Any]
