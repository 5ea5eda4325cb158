"""Who a request is from."""

from __future__ import annotations

from dataclasses import dataclass

from processor.model import DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class Identity:
    """A tenant, and what may be done with its rows: `may_write` spans (and delete), `may_read` sessions and SQL."""

    tenant: str
    may_read: bool
    may_write: bool


EVERYONE = Identity(DEFAULT_TENANT, may_read=True, may_write=True)
"""Whoever asks where no authentication is configured."""
