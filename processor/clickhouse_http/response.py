"""One response over ASGI: headers, pieces of the body, and an error where it still can be told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from processor.clickhouse_http import answers
from processor.clickhouse_http.encodings import Encoder, Frames, chosen_encoding, encoder
from processor.clickhouse_http.engine import Engine
from processor.clickhouse_http.errors import QueryError
from processor.clickhouse_http.execution import Execution
from processor.clickhouse_http.request import Request

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Stalled(Exception):
    """The client has stopped reading."""


class Response:
    """The response to one query: nothing is sent before the first block is there, so that an error has its status."""

    def __init__(self, engine: Engine, send: Send) -> None:
        self._engine = engine
        self._send = send
        self._tag = answers.new_tag()
        self._start: MutableMapping[str, Any] | None = None
        self._is_sending = False
        self.is_complete = False
        self.encoder: Encoder = encoder("")
        self.query_id = ""

    def begin(self, request: Request, execution: Execution) -> None:
        """Settle the headers."""
        plan = execution.plan
        headers = self._headers()
        headers["X_ClickHouse_Timezone"] = plan.settings.get("session_timezone") or self._engine.timezone
        headers["X_ClickHouse_Exception_Tag"] = self._tag
        headers["X_ClickHouse_Summary"] = answers.summary_header(execution.summary)
        if plan.has_result:
            headers["Content_Type"] = self._engine.formats.content_type(plan.format)
            headers["X_ClickHouse_Format"] = plan.format
        else:
            headers["Content_Type"] = answers.PLAIN_TEXT
        if request.compress:
            self.encoder = Frames()
        elif name := chosen_encoding(request.accept_encoding) if plan.has_result else "":
            self.encoder = encoder(name)
            headers["Content_Encoding"] = name
            headers["Vary"] = "Accept-Encoding"
        self._start = answers.start(200, **headers)

    async def send(self, data: bytes, more: bool = True) -> None:
        """Send a piece of the body.

        Errors: `Stalled` when the client does not read.
        """
        if not data and more:
            return
        assert self._start is not None
        try:
            async with asyncio.timeout(self._engine.config.send_timeout_s):
                if not self._is_sending:
                    self._is_sending = True
                    await self._send(self._start)
                self.is_complete = not more  # the server says "gone" as soon as it has the last of it
                await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except TimeoutError:
            raise Stalled from None

    async def finish(self, rest: bytes) -> None:
        """Send the rest."""
        if not self._is_sending and self._start is not None:
            self._start["headers"].append((b"content-length", str(len(rest)).encode()))
        await self.send(rest, more=False)

    async def fail(self, error: QueryError) -> None:
        """Tell the client: by status and headers, or in the body where they are sent already."""
        if not self._is_sending:
            headers = self._headers()
            headers["X_ClickHouse_Exception_Code"] = error.code
            if error.challenge:
                headers["WWW_Authenticate"] = error.challenge
            await answer(self._send, error.status, error.body(self._engine.version).encode(), **headers)
            return
        told = answers.exception_in_body(error, self._engine.version, self._tag)
        # Without an end to the body: a client that reads no further than the data must not take it for whole.
        with contextlib.suppress(Stalled):
            await self.send(self.encoder.encode(told) + self.encoder.finish())

    def _headers(self) -> dict[str, str | int]:
        headers: dict[str, str | int] = {"X_ClickHouse_Server_Display_Name": answers.SERVER_NAME}
        if self.query_id:
            headers["X_ClickHouse_Query_Id"] = self.query_id
        return headers


async def answer(send: Send, status: int, body: bytes, **headers: str | int) -> None:
    """Send a whole response in plain text."""
    headers = {"Content_Type": answers.PLAIN_TEXT, "Content_Length": len(body), **headers}
    await send(answers.start(status, **headers))
    await send({"type": "http.response.body", "body": body})
