"""The write path without its threads: what the worker does, one step at a time."""

from __future__ import annotations

from processor.log.base import Record
from processor.pricing.prices import Prices
from processor.signals import Signal
from processor.store.clickhouse import ClickHouseStore
from processor.telemetry.metrics import Metrics
from processor.worker.batch import WIDE_TABLES, BatchMaker
from processor.worker.rollups import RollupConfig, Rollups
from tests.storing import insert_narrow, insert_wide
from tests.strategies import NOW_NS

SMALL = RollupConfig(recent_spans_max=4, seen_filter_bytes=1024, read_back_traces_max=2, read_back_rows_max=3)


class Pipeline:
    """Batches into a store, and ticks, by a clock of its own."""

    def __init__(
        self,
        store: ClickHouseStore,
        config: RollupConfig | None = None,
        batches: BatchMaker | None = None,
        prices: Prices | None = None,
        now_ns: int = NOW_NS,
    ) -> None:
        self._store = store
        self._config = config or RollupConfig()
        self._batches = batches or BatchMaker()
        self._prices = prices or Prices()
        self._now_ns = now_ns
        self._now_s = 0.0
        self.restart()

    def restart(self) -> None:
        """A new process on the same store."""
        self._rollups = Rollups(self._store, self._config, Metrics(), self._prices)
        self._batch_seq = self._rollups.resume(self._now_s)
        self._rollups.learn()

    def deliver(self, tenant: str, payload: bytes, signal: Signal = Signal.TRACES) -> None:
        """One request, stored."""
        batch = self._batches.make([Record(tenant, payload)], self._now_ns, signal)
        self._batch_seq += 1
        insert_wide(self._store, batch, WIDE_TABLES[signal])
        insert_narrow(self._store, batch, self._batch_seq)
        # Every third as if another worker might have spans of its traces.
        self._rollups.add(batch.narrow, self._batch_seq, self._now_s, whole=self._batch_seq % 3 != 0)

    def tick(self, force: bool = False) -> None:
        """One tick; every session's delay is over."""
        self._now_s += 100.0
        self._rollups.tick(self._now_s, force)

    def settle(self) -> None:
        """Ticks until everything is rolled up."""
        while not self._rollups.is_current:
            self.tick(force=True)
