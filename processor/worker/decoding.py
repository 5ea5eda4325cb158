"""Decoding beside the event loop: in processes of their own, or in a thread.

Parsing protobuf and the decoder's Python hold the interpreter's lock. In this process they would take it from the
receiver and from rollups (figures in ADR 0010); in another they cost one copy of the requests. What comes back are two
files that the store reads itself, so no row passes through this process that it does not need.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import structlog

from processor.allocators import tune_allocators
from processor.clock import now_ns
from processor.errors import Retryable
from processor.log.base import Record
from processor.signals import Signal
from processor.worker.batch import BatchMaker, WrittenBatch, remove_files, write_batch
from processor.worker.config import WorkerConfig

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_maker: BatchMaker | None = None  # of this process, if it is one that decodes


class Decoding:
    """Turns records into batches, `decode_processes` at once; 0 decodes in a thread of this process."""

    def __init__(self, config: WorkerConfig, directory: Path) -> None:
        self._config = config
        self._processes = config.decode_processes
        self._directory = directory
        self._maker = _new_maker(config) if self._processes == 0 else None
        self._executor: Executor | None = None
        self._turn = asyncio.Lock()

    @property
    def concurrency(self) -> int:
        """How many batches are decoded at once."""
        return max(self._processes, 1)

    async def start(self) -> None:
        """Start the processes and wait until one can decode. Safe to call twice."""
        if self._executor is None:
            await self._run(_is_ready)

    async def batch(self, signal: Signal, records: Sequence[Record], batch_seq: int) -> WrittenBatch:
        """Decode, normalize and write the rows.

        Errors: `Retryable` when this machine lacks what it takes, room for the files or for a process; else the records
        are to blame: `BrokenProcessPool` when a process of their own died of them, or whatever a fault of ours raises.
        """
        try:
            return await self._decoded(signal, records, batch_seq)
        except BaseException as error:
            with contextlib.suppress(OSError):
                remove_files(self._directory, batch_seq)
            if isinstance(error, OSError | MemoryError):
                raise Retryable(f"requests can't be decoded now: {error or 'out of memory'}; retry") from error
            raise

    async def _decoded(self, signal: Signal, records: Sequence[Record], batch_seq: int) -> WrittenBatch:
        work = (signal, records, batch_seq, now_ns(), self._directory)
        if self._maker is not None:
            return await self._run(_batch, self._maker, *work)
        try:
            return await self._run(_batch_in_process, *work)
        except BrokenProcessPool:
            # It may have died of other records, of another signal even, or been killed from outside: what dies alone
            # is to blame. One at a time, so that one process more is all it takes.
            async with self._turn:
                return await self._decoded_alone(work)

    async def _decoded_alone(self, work: tuple[Any, ...]) -> WrittenBatch:
        alone = self._new_executor(1)
        try:
            batch = await asyncio.get_running_loop().run_in_executor(alone, _batch_in_process, *work)
        except BaseException:
            await asyncio.to_thread(alone.shutdown)
            raise
        if self._executor is None and self._processes == 1:
            self._executor = alone  # in the place of the one that died
        else:
            await asyncio.to_thread(alone.shutdown)
        return batch

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        executor = self._executor = self._executor or self._new_executor(self._processes)
        work = functools.partial(call, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, work)
        except BrokenProcessPool:
            if self._executor is executor:  # and not replaced by another batch that met the same end
                _log.error(
                    "decoder_died", action="nothing, once: another is started; else look for what kills it, like memory"
                )
                self._executor = None
            raise

    def stop(self) -> None:
        """End the processes. Safe to call twice, and without `start`."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()

    def _new_executor(self, processes: int) -> Executor:
        if processes == 0:
            return ThreadPoolExecutor(1, "decode")
        # Not forked: a copy of a process with threads and an open chDB inherits locks that nobody will release.
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(processes, spawn, _begin_process, (self._config,))


def _new_maker(config: WorkerConfig) -> BatchMaker:
    return BatchMaker(config.admission, config.conventions, config.previews, config.limits)


def _batch(
    maker: BatchMaker, signal: Signal, records: Sequence[Record], batch_seq: int, now_ns: int, directory: Path
) -> WrittenBatch:
    return write_batch(maker.make(records, now_ns, signal), directory, batch_seq)


def _batch_in_process(
    signal: Signal, records: Sequence[Record], batch_seq: int, now_ns: int, directory: Path
) -> WrittenBatch:
    assert _maker is not None
    return _batch(_maker, signal, records, batch_seq, now_ns, directory)


def _is_ready() -> bool:
    return True


def _begin_process(config: WorkerConfig) -> None:
    global _maker  # noqa: PLW0603 (a pool's process has no other place for what it keeps between calls)
    tune_allocators()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent gets them too, and ends this process when it has drained
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    _maker = _new_maker(config)


def _end_with_parent() -> None:
    """A killed parent closes no queue: without this, the process would wait for work forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
