"""Who waits at the gate for whom."""

from __future__ import annotations

import asyncio

from processor.worker.gate import Gate


async def _entered(gate: Gate, said: list[str]) -> None:
    async with gate.passing():
        said.append("passed")


async def _close(gate: Gate, said: list[str], reopen: asyncio.Event) -> None:
    async with gate.closed():
        said.append("closed")
        await reopen.wait()
    said.append("open")


async def _rest() -> None:
    """Let every task come as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_gate_closes_behind_the_last_step() -> None:
    """What is inside is let out, and nothing else in, until it opens."""

    async def scenario() -> list[str]:
        gate, said, reopen = Gate(), list[str](), asyncio.Event()
        async with gate.passing():
            closing = asyncio.create_task(_close(gate, said, reopen))
            await _rest()
            entering = asyncio.create_task(_entered(gate, said))
            await _rest()
            assert said == []
        await _rest()
        assert said == ["closed"]
        reopen.set()
        await asyncio.gather(closing, entering)
        return said

    assert asyncio.run(scenario()) == ["closed", "open", "passed"]


def test_nobody_waits_for_a_slow_step() -> None:
    """The gate stays open until it is through."""

    async def scenario() -> list[str]:
        gate, said, reopen = Gate(), list[str](), asyncio.Event()
        reopen.set()
        async with gate.passing(slowly=True):
            closing = asyncio.create_task(_close(gate, said, reopen))
            await _rest()
            await _entered(gate, said)
            assert said == ["passed"]
        await closing
        return said

    assert asyncio.run(scenario()) == ["passed", "closed", "open"]
