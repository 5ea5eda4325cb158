"""Who a request is from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from processor.errors import PermissionDenied
from processor.model import DEFAULT_TENANT

_TENANT: Final = re.compile(r"[A-Za-z0-9._@:+/|=~-]{1,128}")


@dataclass(frozen=True, slots=True)
class Identity:
    """A tenant, and what may be done with its rows: `may_write` spans (and delete), `may_read` sessions and SQL."""

    tenant: str
    may_read: bool
    may_write: bool

    def check_read(self) -> None:
        """Errors: `PermissionDenied`."""
        if not self.may_read:
            raise PermissionDenied("these credentials may not read; use some with the permission `read`")

    def check_write(self) -> None:
        """Errors: `PermissionDenied`."""
        if not self.may_write:
            raise PermissionDenied("these credentials may not write; use some with the permission `write`")


EVERYONE = Identity(DEFAULT_TENANT, may_read=True, may_write=True)
"""Whoever asks where no authentication is configured."""


def is_tenant(name: str) -> bool:
    """Whether a tenant may be called that: a name travels in record headers and stands in SQL, labels and logs."""
    return _TENANT.fullmatch(name) is not None
