"""One exported file over ASGI.

Nothing is sent before the first piece is there, so that an error still has its status. One that comes later ends the
connection without the end of the body: a file that is short must never look whole. The reader behind a file is given
back when it ends, when its client goes away, or when its client has not read for `STALL_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from typing import Final

import structlog
from anyio import to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from processor.api.exports.formats import MEDIA, Format
from processor.errors import OtelSessionsError

STALL_S: Final = 60.0

_log = structlog.get_logger(__name__)

Pieces = Generator[bytes, None, None]


class ExportResponse(Response):
    """Sends `pieces`, whose first one is made here and now; closes them whatever happens.

    Errors: those of the first piece.
    """

    def __init__(self, pieces: Pieces, kind: Format, name: str) -> None:
        super().__init__(media_type=MEDIA[kind])
        del self.headers["content-length"]
        self.headers["content-disposition"] = f'attachment; filename="{name}.{kind}"'
        self._pieces = pieces
        self._name = name
        self._first = next(pieces, b"")
        self._running: asyncio.Task[bytes] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        gone = asyncio.create_task(_gone(receive))
        try:
            await self._send(send, gone)
        finally:
            gone.cancel()
            # A thread may be in the midst of a piece; generators can't be closed then.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(asyncio.create_task(self._close()))

    async def _send(self, send: Send, gone: asyncio.Task[None]) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        piece = self._first
        try:
            while piece and not gone.done():
                async with asyncio.timeout(STALL_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await self._next()
        except (OtelSessionsError, TimeoutError) as error:
            _log.warning(
                "export_failed",
                name=self._name,
                error=str(error) or "the client does not read",
                action="the caller may retry; the file that it has is not whole",
            )
            return
        if not gone.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> bytes:
        self._running = asyncio.create_task(to_thread.run_sync(next, self._pieces, b""))
        return await asyncio.shield(self._running)

    async def _close(self) -> None:
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)
        await to_thread.run_sync(self._pieces.close)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
