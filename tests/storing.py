"""Batches into a store, the way the worker brings them there: through files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from processor.store.base import Store
from processor.worker.batch import Batch, write_batch


def insert_wide(store: Store, batch: Batch, table: str = "otel_traces") -> None:
    """Rows of a signal's own table."""
    with tempfile.TemporaryDirectory() as directory:
        store.insert_wide(table, write_batch(batch, Path(directory), 0).wide)


def insert_narrow(store: Store, batch: Batch, batch_seq: int) -> None:
    """Rows of `session_spans`, those that a batch of this number would write."""
    with tempfile.TemporaryDirectory() as directory:
        store.insert_session_spans(write_batch(batch, Path(directory), batch_seq).narrow)
