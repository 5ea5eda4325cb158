"""The tables of a configured store: create what is missing, or only say what is different.

What is missing, and what different, is for `migrations` and `differences` to say; this connects them to a store.
"""

from __future__ import annotations

from processor.store.connection import StoreConfig, connect, driver_errors_translated
from processor.store.differences import differences
from processor.store.migrations import migrate


def migrate_schema(config: StoreConfig) -> list[str]:
    """Create what is missing, and say what was done.

    Errors: those of `connect` and `migrate`; `Permanent` for what the server refuses, `Retryable` for one that is away.
    """
    with connect(config) as client, driver_errors_translated():
        return migrate(client, config.target)


def check_schema(config: StoreConfig) -> list[str]:
    """How the tables differ from what this version needs, a sentence each. Changes nothing.

    Errors: those of `connect`; `Permanent` for what the server refuses, `Retryable` for one that is away.
    """
    with connect(config) as client, driver_errors_translated():
        return differences(client, config.target)
