"""A real HTTP server beside a synchronous test."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from processor.asgi import AsgiServer


@contextlib.contextmanager
def served(app: Any, endpoint: str = "127.0.0.1:0") -> Iterator[str]:
    """Serve an ASGI application, on a free port by default, in a thread of its own; gives its base URL."""
    started = threading.Event()
    state: dict[str, Any] = {}

    async def serve() -> None:
        server = AsgiServer(app, endpoint, "test")
        await server.start()
        state.update(loop=asyncio.get_running_loop(), port=server.port, stop=asyncio.Event())
        started.set()
        await state["stop"].wait()
        await server.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(30)
    try:
        yield f"http://127.0.0.1:{state['port']}"
    finally:
        state["loop"].call_soon_threadsafe(state["stop"].set)
        thread.join(30)
        assert not thread.is_alive()
