"""What `otel-sessions reprice` does: opens the store that a configuration names, and makes its roll-ups anew."""

from __future__ import annotations

import logging
from collections.abc import Callable

from processor.config import Config
from processor.errors import ConfigError
from processor.pricing.prices import Prices
from processor.store.clickhouse import open_store
from processor.store.data_directory import DataDirectory
from processor.worker.config import WorkerConfig
from processor.worker.reprice import reprice


def reprice_stored(config: Config, since_ns: int, progress: Callable[[int, int], None]) -> str:
    """Reprice every trace with a span that starts at `since_ns` or later; a sentence about it comes back.

    `progress` gets the traces and sessions done so far.
    Errors: `ConfigError` for a configuration without a store, and for an embedded store that a running process holds;
    those of the store.
    """
    # What the driver would say on stderr stands in the one sentence that the user gets.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    exporter = config.exporters.clickhouse
    if exporter is None:
        raise ConfigError("exporters.clickhouse is not defined; reprice needs to know whose sessions")
    prices = Prices((config.sessions or WorkerConfig()).pricing.prices)
    directory = DataDirectory(exporter)
    directory.claim()
    try:
        store = open_store(exporter)
        try:
            done = reprice(store, prices, since_ns, progress)
        finally:
            store.close()
    finally:
        directory.release()
    return f"{done.traces} traces of {done.sessions} sessions priced by {prices.revision}"
