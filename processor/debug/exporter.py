"""Shows requests as they pass: around the writing end of a log, around its reading end, or instead of a log.

Shows what passes after it was accepted, so that a request that is refused and sent again is shown once. Must never
change, delay by more than it takes to write, or refuse what passes; what it can't read, it says so and lets pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog
from google.protobuf.message import DecodeError

from processor.clock import monotonic_s
from processor.debug.config import DebugExporterConfig
from processor.debug.text import TITLES, counts, lines, parsed
from processor.errors import OtelSessionsError, Permanent
from processor.log.base import LogReader, LogWriter, Record
from processor.model import Receipt
from processor.signals import Signal

_INLINE_BYTES_MAX = 64 * 1024  # larger requests are written by a thread
_NO_REQUEST = "the bytes are no export request"

_log = structlog.get_logger("debug")


class Budget:
    """Which requests are shown: the first of each second, then every so-many-eth."""

    def __init__(self, initial: int, thereafter: int) -> None:
        self._initial = initial
        self._thereafter = thereafter
        self._second = -1
        self._count = 0

    def take(self, now_s: float) -> bool:
        """Whether this one is. Units: seconds, monotonic."""
        if self._second != int(now_s):
            self._second, self._count = int(now_s), 0
        self._count += 1
        return self._count <= self._initial or (self._count - self._initial) % self._thereafter == 0


class DebugExporter:
    """Shows the requests of one signal."""

    def __init__(self, config: DebugExporterConfig, signal: Signal) -> None:
        self._config = config
        self._signal = signal
        self._budget = Budget(config.sampling_initial, config.sampling_thereafter)

    async def show(self, value: bytes) -> None:
        """Write one request to the log, or not. Errors: none."""
        if not self._budget.take(monotonic_s()):
            return
        if len(value) > _INLINE_BYTES_MAX:
            await asyncio.to_thread(self._show, value)
        else:
            self._show(value)

    def _show(self, value: bytes) -> None:
        try:
            request = parsed(value, self._signal)
        except DecodeError:
            _log.info(TITLES[self._signal], unreadable=_NO_REQUEST, bytes=len(value))
            return
        said: dict[str, object] = dict(counts(request, self._signal))
        if self._config.verbosity != "basic":
            said["details"] = self._details(lines(request, self._signal, self._config.verbosity == "detailed"))
        _log.info(TITLES[self._signal], **said)

    def _details(self, text: Iterable[str]) -> str:
        kept: list[str] = []
        left = self._config.output_bytes_max
        for line in text:
            left -= len(line) + 1
            if left < 0:
                kept.append("... more than output_bytes_max")
                break
            kept.append(line)
        return "\n".join(kept)


class ShownWriter:
    """A `LogWriter` beside which everything is shown that the log has taken."""

    def __init__(self, log: LogWriter, exporter: DebugExporter) -> None:
        self._log = log
        self._exporter = exporter

    async def append(self, tenant: str, value: bytes) -> Receipt:
        """As the log, whose errors they are."""
        receipt = await self._log.append(tenant, value)
        await self._exporter.show(value)
        return receipt

    async def close(self) -> None:
        """As the log."""
        await self._log.close()


class DebugLog:
    """A `LogWriter` that shows what it is given and keeps nothing: a pipeline that ends in `debug` alone."""

    def __init__(self, exporter: DebugExporter, signal: Signal) -> None:
        self._exporter = exporter
        self._signal = signal

    async def append(self, tenant: str, value: bytes) -> Receipt:
        """Show it. Errors: `Permanent` when the bytes are no request."""
        try:
            said = counts(parsed(value, self._signal), self._signal)
        except DecodeError as error:
            raise Permanent(f"{_NO_REQUEST} of {self._signal.value}; send {self._signal.request}") from error
        await self._exporter.show(value)
        return Receipt(accepted_spans=said[list(said)[-1]])

    async def close(self) -> None:
        """Nothing is under way."""


class ShownReader:
    """A `LogReader` beside which everything is shown that it hands out, before it is known what becomes of it."""

    def __init__(self, log: LogReader, exporter: DebugExporter) -> None:
        self._log = log
        self._exporter = exporter

    @property
    def redelivers(self) -> bool:
        """As the log."""
        return self._log.redelivers

    async def start(self, assigned: Callable[[], Awaitable[None]]) -> None:
        """As the log."""
        await self._log.start(assigned)

    async def poll(self, bytes_max: int, linger_s: float) -> Sequence[Record]:
        """As the log."""
        records = await self._log.poll(bytes_max, linger_s)
        for record in records:
            await self._exporter.show(record.value)
        return records

    def acknowledge(self, records: Sequence[Record], outcomes: Sequence[Receipt | OtelSessionsError]) -> None:
        """As the log."""
        self._log.acknowledge(records, outcomes)

    async def commit(self, records: Sequence[Record]) -> None:
        """As the log."""
        await self._log.commit(records)

    async def close(self) -> None:
        """As the log."""
        await self._log.close()

    async def leave(self, timeout_s: float = 10.0) -> None:
        """As the log."""
        await self._log.leave(timeout_s)
