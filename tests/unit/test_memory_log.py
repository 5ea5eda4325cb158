"""How long the in-process log waits for more, in time that passes as fast as nothing happens."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

import pytest

from processor.log.base import Receipt
from processor.log.memory import MemoryLog, MemoryLogConfig

MIB = 1024 * 1024
LINGER_S = 0.4


class _NoWaiting(selectors.DefaultSelector):
    """Instead of waiting, it is that much later."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now_s += max(timeout or 0.0, 0.0)
        return super().select(0)


def in_virtual_time(scenario: Coroutine[Any, Any, list[float]]) -> list[float]:
    """What a scenario returns."""
    selector = _NoWaiting()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now_s  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(scenario)
    finally:
        loop.close()


async def polls(log: MemoryLog, linger_s: float = LINGER_S) -> list[float]:
    """When each poll came back, until the log is closed; its records are answered at once."""
    times = []
    while records := await log.poll(MIB, linger_s):
        times.append(asyncio.get_running_loop().time())
        log.acknowledge(records, [Receipt(1) for _ in records])
    return times


async def steady(every_s: float, seconds: float) -> list[float]:
    """Requests at a steady pace, whatever becomes of them."""
    log = MemoryLog(MemoryLogConfig())
    polled = asyncio.create_task(polls(log))
    sent = []
    for _ in range(round(seconds / every_s)):
        sent.append(asyncio.create_task(log.append("acme", b"spans")))
        await asyncio.sleep(every_s)
    await asyncio.gather(*sent)
    await log.close()
    return await polled


async def waiting(clients: int, requests: int) -> list[float]:
    """Clients that each wait for an answer before they send more."""
    log = MemoryLog(MemoryLogConfig())
    polled = asyncio.create_task(polls(log))

    async def client() -> None:
        for _ in range(requests):
            await log.append("acme", b"spans")

    await asyncio.gather(*(client() for _ in range(clients)))
    await log.close()
    return await polled


def test_a_steady_flow_comes_in_few_batches() -> None:
    """As far apart as may be, once it has found out that waiting brings more."""
    times = in_virtual_time(steady(every_s=0.02, seconds=20))
    later = [at for at in times if at > 10]
    assert (later[-1] - later[0]) / (len(later) - 1) == pytest.approx(LINGER_S, rel=0.1)


def test_clients_that_wait_for_answers_are_not_kept_waiting() -> None:
    """Nothing comes of waiting for more, so it does not."""
    for clients in (1, 4):
        times = in_virtual_time(waiting(clients, requests=50))
        assert len(times) == 50
        assert times[-1] < 50 * LINGER_S / 4


def test_a_flow_that_ends_is_forgotten() -> None:
    """A lone request after it is answered soon: the wait has become short again."""

    async def scenario() -> list[float]:
        log = MemoryLog(MemoryLogConfig())
        polled = asyncio.create_task(polls(log))
        loop = asyncio.get_running_loop()
        flow = [asyncio.create_task(log.append("acme", b"spans")) for _ in range(3)]
        for _ in range(500):
            flow.append(asyncio.create_task(log.append("acme", b"spans")))
            await asyncio.sleep(0.02)
        await asyncio.gather(*flow)
        took = []
        for _ in range(6):
            began_s = loop.time()
            await log.append("acme", b"spans")
            took.append(loop.time() - began_s)
        await log.close()
        await polled
        return took

    took = in_virtual_time(scenario())
    assert took == sorted(took, reverse=True)
    assert took[0] <= LINGER_S + 1e-9
    assert took[-1] <= LINGER_S / 4


def test_a_batch_that_is_full_waits_for_nothing() -> None:
    """Bytes enough end the wait."""

    async def scenario() -> list[float]:
        log = MemoryLog(MemoryLogConfig())
        polled = asyncio.create_task(polls(log, linger_s=100.0))
        await asyncio.gather(*(log.append("acme", b"x" * (MIB // 2)) for _ in range(8)))
        await log.close()
        return await polled

    assert in_virtual_time(scenario()) == [0.0] * 4
