"""The worker's threads, one for each thing that must not wait for another: two inserts, roll-ups, purging, budgets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal, ParamSpec, TypeAlias, TypeVar, get_args

Name: TypeAlias = Literal["insert wide", "insert narrow", "rollup", "purge", "budgets"]

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Calls with one name run one after the other, beside those with other names."""

    def __init__(self) -> None:
        self._executors: Final = {name: ThreadPoolExecutor(1, name) for name in get_args(Name)}

    async def run(self, name: Name, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it there. Errors: the call's."""
        work = functools.partial(call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executors[name], work)

    def stop(self) -> None:
        """Wait for what runs. Safe to call twice."""
        for executor in self._executors.values():
            executor.shutdown()


async def within(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not longer."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
