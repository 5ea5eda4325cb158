"""What all routes answer from."""

from __future__ import annotations

from dataclasses import dataclass, field

from processor.api.kept import Kept
from processor.api.pool import QueryPool
from processor.conventions.rules import Contents
from processor.pricing.prices import Prices


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for every tenant; whose rows are meant, a request says. `prices` are those of the rollups."""

    pool: QueryPool
    version: str
    prices: Prices
    contents: Contents
    kept: Kept = field(default_factory=Kept)
