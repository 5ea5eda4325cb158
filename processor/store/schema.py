"""The tables of a configured store: create what is missing and keep rows as long as it says, or only say what differs.

What is missing, and what different, is for `migrations` and `differences` to say; this connects them to a store.
"""

from __future__ import annotations

from processor.store.connection import StoreConfig, connect, driver_errors_translated
from processor.store.differences import differences
from processor.store.migrations import migrate
from processor.store.retention import retention_differences, set_retention


def migrate_schema(config: StoreConfig) -> list[str]:
    """Create what is missing, and say what was done.

    Errors: those of `connect` and `migrate`; `Permanent` for what the server refuses, `Retryable` for one that is away.
    """
    with connect(config) as client, driver_errors_translated():
        return migrate(client, config.target) + set_retention(client, config.target, config.ttl)


def check_schema(config: StoreConfig, *, retention: bool = True) -> list[str]:
    """How the tables differ from what this version needs and, with `retention`, from how long the configuration keeps
    rows; a sentence each. Changes nothing.

    Errors: those of `connect`; `Permanent` for what the server refuses, `Retryable` for one that is away.
    """
    with connect(config) as client, driver_errors_translated():
        found = differences(client, config.target)
        return found + list(retention_differences(client, config.target, config.ttl) if retention else ())
