"""Takes records from the log, stores their spans, and keeps the session rows current."""

from processor.worker.config import WorkerConfig
from processor.worker.rollups import RollupConfig
from processor.worker.worker import Worker

__all__ = ["RollupConfig", "Worker", "WorkerConfig"]
