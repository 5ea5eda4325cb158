"""The ClickHouse HTTP interface as an ASGI application: receives, waits for a slot, streams, and clears up.

A query ends when it is done, when its client is gone or stops reading, when its time is over, and when the server
stops; in each case its slot is free only after the engine has let go of its handle.
What runs in the engine runs in threads, never on the event loop. The ASGI messages are those of ASGI HTTP 2.4.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import structlog

from processor.clickhouse_http import answers
from processor.clickhouse_http.encodings import Encoder, Frames, chosen_encoding, decoded, encoder
from processor.clickhouse_http.engine import Engine, Execution
from processor.clickhouse_http.errors import (
    QUERY_IS_TOO_LARGE,
    SOCKET_TIMEOUT,
    TIMEOUT_EXCEEDED,
    UNKNOWN_EXCEPTION,
    QueryError,
)
from processor.clickhouse_http.frames import unframed
from processor.clickhouse_http.request import Request, is_decompress, parse_request, parsed_url
from processor.clickhouse_http.slots import Slots
from processor.errors import TooLarge

T = TypeVar("T")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HEALTH_PATHS: Final = ("/ping", "/replicas_status")
_QUERY_PATHS: Final = ("/", "/query", "")
_KILL_AGAIN_S: Final = 0.2
_OVERTIME_S: Final = 5.0  # after the engine's own limit, which it looks at between blocks

_log = structlog.get_logger(__name__)


class ClickHouseHttp:
    """The application. `close` it when its server has stopped."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._config = engine.config
        self._bytes_max = engine.config.max_request_body_size_mib * 1024 * 1024
        self._slots = Slots(engine.config.concurrent_queries_max, engine.config.waiting_queries_max)
        self._threads = ThreadPoolExecutor(engine.config.concurrent_queries_max, thread_name_prefix="clickhouse-http")
        # A query is ended while all the others may be busy, and bodies are decompressed beside them.
        self._side_threads = ThreadPoolExecutor(2, thread_name_prefix="clickhouse-http-side")

    def close(self) -> None:
        """Let go of the engine. Safe to call twice."""
        self._threads.shutdown(cancel_futures=True)
        self._side_threads.shutdown(cancel_futures=True)
        self._engine.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        path, method = scope["path"], scope["method"]
        if method not in ("GET", "HEAD", "POST"):
            await _answer(send, 501, b"Only GET, HEAD and POST\n")
        elif path in _HEALTH_PATHS or (path in _QUERY_PATHS and not scope["query_string"] and method != "POST"):
            await _answer(send, 200, answers.OK)
        elif path not in _QUERY_PATHS:
            await _answer(send, 404, answers.not_found(path))
        else:
            await self._answer_query(scope, receive, send)

    async def _answer_query(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = _Response(self._engine, send, self._config.send_timeout_s)
        try:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            request = await self._request(scope["query_string"], headers, receive)
            response.query_id = request.query_id
            running = asyncio.create_task(self._run(request, response))
            try:
                await _unless_gone(running, response, receive)
            finally:
                if not running.done():
                    running.cancel()
                    await asyncio.wait({running})
        except QueryError as error:
            await response.fail(error)
        except (_Gone, _Stalled) as why:
            _log.debug("query_abandoned", query_id=response.query_id, why=type(why).__name__)

    async def _request(self, query_string: bytes, headers: Mapping[str, str], receive: Receive) -> Request:
        url = parsed_url(query_string)
        try:
            body = await self._body(headers, receive)
            if body and (headers.get("content-encoding") or is_decompress(url)):
                body = await asyncio.get_running_loop().run_in_executor(
                    self._side_threads, self._undone, body, headers.get("content-encoding", ""), is_decompress(url)
                )
        except TooLarge as error:
            raise QueryError(QUERY_IS_TOO_LARGE, str(error)) from None
        return parse_request(query_string, headers, body)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._bytes_max:
            raise TooLarge(f"the body is over {self._bytes_max} bytes (max_request_body_size_mib)")
        chunks: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(self._config.read_timeout_s):
                while more:
                    event = await receive()
                    if event["type"] != "http.request":
                        raise _Gone
                    chunks.append(event.get("body", b""))
                    size += len(chunks[-1])
                    if size > self._bytes_max:
                        raise TooLarge(f"the body is over {self._bytes_max} bytes (max_request_body_size_mib)")
                    more = event.get("more_body", False)
        except TimeoutError:
            raise QueryError(SOCKET_TIMEOUT, "Timeout exceeded while reading the request") from None
        return b"".join(chunks)

    def _undone(self, body: bytes, encoding: str, framed: bool) -> bytes:
        body = decoded(body, encoding, self._bytes_max)
        return unframed(body, self._bytes_max) if framed else body

    async def _run(self, request: Request, response: _Response) -> None:
        async with self._slots.slot():
            execution = Execution(self._engine, request)
            try:
                async with asyncio.timeout(self._time_max_s()):
                    piece = await self._in_thread(execution, execution.start)
                    following = await self._in_thread(execution, execution.next)
                    response.begin(request, execution)
                    while following:
                        await response.send(await self._in_thread(execution, response.encoder.encode, piece))
                        piece = following
                        following = await self._in_thread(execution, execution.next)
                    await response.finish(await self._in_thread(execution, _whole, response.encoder, piece))
            except TimeoutError:
                limit = self._config.max_execution_time_s
                raise QueryError(TIMEOUT_EXCEEDED, f"Timeout exceeded: maximum: {limit} s") from None
            finally:
                await _to_the_end(asyncio.get_running_loop().run_in_executor(self._threads, execution.close))

    def _time_max_s(self) -> float | None:
        return self._config.max_execution_time_s + _OVERTIME_S

    async def _in_thread(self, execution: Execution, work: Callable[..., T], *arguments: Any) -> T:
        """Do work in a thread; when it is no longer wanted, end the query and see the thread come back."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, work, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await _to_the_end(asyncio.ensure_future(self._end(execution, future)))
            raise

    async def _end(self, execution: Execution, future: asyncio.Future[T]) -> None:
        loop = asyncio.get_running_loop()
        while not future.done():
            # The engine may not have heard of the query yet: ask until it ends.
            await loop.run_in_executor(self._side_threads, execution.kill)
            await asyncio.wait({future}, timeout=_KILL_AGAIN_S)
        if not future.cancelled():
            future.exception()


class _Response:
    """One response: nothing is sent before the first block is there, so that an error can still have its status."""

    def __init__(self, engine: Engine, send: Send, timeout_s: float) -> None:
        self._engine = engine
        self._send = send
        self._timeout_s = timeout_s
        self._tag = answers.new_tag()
        self._start: MutableMapping[str, Any] | None = None
        self._is_sending = False
        self.is_complete = False
        self.encoder: Encoder = encoder("")
        self.query_id = ""

    def begin(self, request: Request, execution: Execution) -> None:
        """Settle the headers."""
        plan = execution.plan
        headers: dict[str, str | int] = self._headers()
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

        Errors: `_Stalled` when the client does not read.
        """
        if not data and more:
            return
        assert self._start is not None
        try:
            async with asyncio.timeout(self._timeout_s):
                if not self._is_sending:
                    self._is_sending = True
                    await self._send(self._start)
                self.is_complete = not more  # the server says "gone" as soon as it has the last of it
                await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except TimeoutError:
            raise _Stalled from None

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
            body = error.body(self._engine.version).encode()
            await _answer(self._send, error.status, body, **headers)
            return
        told = answers.exception_in_body(error, self._engine.version, self._tag)
        # Without an end to the body: a client that reads no further than the data must not take it for whole.
        with contextlib.suppress(_Stalled):
            await self.send(self.encoder.encode(told) + self.encoder.finish())

    def _headers(self) -> dict[str, str | int]:
        headers: dict[str, str | int] = {"X_ClickHouse_Server_Display_Name": answers.SERVER_NAME}
        if self.query_id:
            headers["X_ClickHouse_Query_Id"] = self.query_id
        return headers


class _Gone(Exception):
    """The client has closed its connection."""


class _Stalled(Exception):
    """The client has stopped reading."""


def _whole(used: Encoder, data: bytes) -> bytes:
    return used.encode(data) + used.finish() if data else used.finish()


async def _answer(send: Send, status: int, body: bytes, **headers: str | int) -> None:
    headers = {"Content_Type": answers.PLAIN_TEXT, "Content_Length": len(body), **headers}
    await send(answers.start(status, **headers))
    await send({"type": "http.response.body", "body": body})


async def _unless_gone(running: asyncio.Task[None], response: _Response, receive: Receive) -> None:
    """Wait for a query as long as its client does.

    Errors: those of the query, `_Gone`.
    """
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done() and not response.is_complete:
            raise _Gone
        await running
    except (QueryError, _Stalled):
        raise
    except Exception as error:
        if isinstance(error, _Gone):
            raise
        _log.exception("query_failed")
        raise QueryError(UNKNOWN_EXCEPTION, "Internal error") from error
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await gone


async def _to_the_end(future: asyncio.Future[T]) -> None:
    """Wait for what must not be left half done, also when the waiting is cancelled."""
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(future)
