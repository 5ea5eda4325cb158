"""A TCP balancer as a cluster has one: connections go in turn to whoever said lately that it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence

import httpx

from tests.integration.process import TIMEOUT_S, Running

_ASK_S = 0.1
_CHUNK = 65_536

Backends = Callable[[], Sequence[Running]]


class Balancer:
    """One port for one protocol of several receivers. `backends` may change; who is not ready gets nothing new."""

    def __init__(self, backends: Backends, protocol: str) -> None:
        self._backends = backends
        self._protocol = protocol
        self._ready: list[int] = []
        self._turn = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen while the body runs; returns when somebody is ready."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        asking = asyncio.create_task(self._ask())
        try:
            while not self._ready:  # noqa: ASYNC110 (what others say has no event)
                await asyncio.sleep(_ASK_S)
            yield
        finally:
            server.close()
            for task in (asking, *self._tasks):
                task.cancel()
            await asyncio.gather(asking, *self._tasks, return_exceptions=True)

    async def _ask(self) -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            while True:
                self._ready = [_port(one, self._protocol) for one in self._backends() if await _is_ready(client, one)]
                await asyncio.sleep(_ASK_S)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ready = self._ready
            theirs = await asyncio.open_connection("127.0.0.1", ready[next(self._turn) % len(ready)])
            await asyncio.gather(_pump(reader, theirs[1]), _pump(theirs[0], writer))
        except (OSError, ZeroDivisionError):
            pass  # nobody there: the client sees a closed connection, as it would
        finally:
            writer.close()


async def _is_ready(client: httpx.AsyncClient, one: Running) -> bool:
    try:
        return (await client.get(f"{one.url('health_check')}/ready")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def _port(one: Running, protocol: str) -> int:
    return int(one.url(protocol).rpartition(":")[2])
