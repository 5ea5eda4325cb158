"""The ClickHouse HTTP interface as an ASGI application: receives, waits for a slot, streams, and clears up.

A query ends when it is done, when its client is gone or stops reading, when its time is over, and when the server
stops; in each case its slot is free only after the engine has let go of its handle.
What runs in the engine runs in threads, never on the event loop. The ASGI messages are those of ASGI HTTP 2.4.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import structlog

from processor.auth.authenticator import Authenticator
from processor.clickhouse_http import answers
from processor.clickhouse_http.access import tenant_of
from processor.clickhouse_http.body import Gone, Receive, decompressed, read_body
from processor.clickhouse_http.encodings import Encoder
from processor.clickhouse_http.engine import Access, Engine
from processor.clickhouse_http.errors import TIMEOUT_EXCEEDED, UNKNOWN_EXCEPTION, QueryError
from processor.clickhouse_http.execution import Execution
from processor.clickhouse_http.request import Request, is_decompress, parse_request, parsed_url
from processor.clickhouse_http.response import Response, Send, Stalled, answer
from processor.clickhouse_http.slots import Slots

T = TypeVar("T")
Scope = MutableMapping[str, Any]

_HEALTH_PATHS: Final = ("/ping", "/replicas_status")
_QUERY_PATHS: Final = ("/", "/query", "")
PATHS: Final = (*_HEALTH_PATHS, "/", "/query")
"""Those that are known."""

_KILL_AGAIN_S: Final = 0.2
_OVERTIME_S: Final = 5.0  # after the engine's own limit, which it looks at between blocks

_log = structlog.get_logger(__name__)


class ClickHouseHttp:
    """The application. `close` it when its server has stopped."""

    def __init__(self, engine: Engine, authenticator: Authenticator | None = None) -> None:
        """`authenticator` says whose rows a request sees; without one all, for who knows no tenants."""
        self._engine = engine
        self._authenticator = authenticator
        self._config = engine.config
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
            await answer(send, 501, b"Only GET, HEAD and POST\n")
        elif path in _HEALTH_PATHS or (path in _QUERY_PATHS and not scope["query_string"] and method != "POST"):
            await answer(send, 200, answers.OK)
        elif path not in _QUERY_PATHS:
            await answer(send, 404, answers.not_found(path))
        else:
            await self._answer_query(scope, receive, send)

    async def _answer_query(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = Response(self._engine, send)
        try:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            with self._slots.arriving():
                tenant = await tenant_of(self._authenticator, parsed_url(scope["query_string"]), headers)
                request = await self._request(scope["query_string"], headers, receive)
            response.query_id = request.query_id
            await self._run_for_client(request, tenant, response, receive)
        except QueryError as error:
            await response.fail(error)
        except (Gone, Stalled) as why:
            _log.debug("query_abandoned", query_id=response.query_id, why=type(why).__name__)

    async def _request(self, query_string: bytes, headers: Mapping[str, str], receive: Receive) -> Request:
        body = await read_body(receive, headers, self._config)
        encoding, framed = headers.get("content-encoding", ""), is_decompress(parsed_url(query_string))
        if body and (encoding or framed):
            body = await asyncio.get_running_loop().run_in_executor(
                self._side_threads, decompressed, body, encoding, framed, self._config.request_bytes_max
            )
        return parse_request(query_string, headers, body)

    async def _run_for_client(self, request: Request, tenant: str | None, response: Response, receive: Receive) -> None:
        """Run a query as long as its client is there.

        Errors: those of the query, and 1002 for one that is our own; `Gone`, `Stalled`.
        """
        running = asyncio.create_task(self._run(request, tenant, response))
        gone = asyncio.ensure_future(receive())
        try:
            # A server ends no write because its client has gone: what a killed worker has sent is stored.
            awaited = {running, gone} if self._engine.access is Access.READ else {running}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if not running.done() and not response.is_complete:
                raise Gone
            await running
        except (QueryError, Gone, Stalled):
            raise
        except Exception as error:
            _log.exception("query_failed", query_id=request.query_id, action="report it, this is a fault of ours")
            raise QueryError(UNKNOWN_EXCEPTION, "Internal error") from error
        finally:
            gone.cancel()
            running.cancel()
            await asyncio.gather(gone, running, return_exceptions=True)

    async def _run(self, request: Request, tenant: str | None, response: Response) -> None:
        async with self._slots.slot():
            execution = Execution(self._engine, request, tenant)
            try:
                async with asyncio.timeout(self._config.max_execution_time_s + _OVERTIME_S):
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


def _whole(used: Encoder, data: bytes) -> bytes:
    return used.encode(data) + used.finish() if data else used.finish()


async def _to_the_end(future: asyncio.Future[T]) -> None:
    """Wait for what must not be left half done, also when the waiting is cancelled."""
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(future)
