"""What all routes answer from."""

from __future__ import annotations

from dataclasses import dataclass

from processor.api.pool import QueryPool
from processor.conventions.rules import Contents
from processor.pricing.prices import Prices


@dataclass(frozen=True, slots=True)
class Context:
    """One tenant's view of a store. `prices` are those that its rollups are made with."""

    pool: QueryPool
    tenant: str
    version: str
    prices: Prices
    contents: Contents
