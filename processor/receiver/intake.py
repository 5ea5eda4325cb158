"""What both receivers do with a request of a known signal: bound, authenticate, append, count, translate errors.

The order is the contract: a place is taken and the sender is known before a byte of the body is read, the answer is OK
only after the log has the bytes, and every error that leaves is a `Failure` with a wire status. Must never take the
tenant from anywhere but the sender's identity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias

from processor.auth.authenticator import Authenticator, authenticate, only_authorization
from processor.auth.identity import Identity
from processor.errors import Overloaded
from processor.log.base import LogWriter
from processor.model import Receipt
from processor.receiver.item_count import count_items
from processor.receiver.rate_limits import RateLimits
from processor.receiver.status import Failure, failure_of
from processor.signals import Signal
from processor.telemetry.metrics import Metrics

_RECEIVER = "otlp"
_BUSY_RETRY_S = 1.0
_OK = {"grpc": "OK", "http": "200"}
_CANCELLED = {"grpc": "CANCELLED", "http": "503"}  # over HTTP only a stop cancels, and the client is told to retry


LogWriters: TypeAlias = Mapping[Signal, LogWriter]
"""The log of each signal. Requests of a signal without one are read, answered with success, and dropped."""


class Intake:
    """The way from one transport to the logs. `tenant` is everybody's where there is no authenticator."""

    def __init__(
        self,
        logs: LogWriters,
        metrics: Metrics,
        transport: str,
        tenant: str,
        requests_max: int,
        authenticator: Authenticator | None = None,
        limits: RateLimits | None = None,
    ) -> None:
        self._logs = logs
        self._authenticator = authenticator
        self._everyone = Identity(tenant, may_read=False, may_write=True)
        self._requests_max = requests_max
        self._limits = limits
        self._refused_items = metrics.refused_items
        self._requests = 0
        self._transport = transport
        self._outcomes = metrics.requests
        self._answers = metrics.responses
        self._answered_ok = metrics.responses.labels(transport, _OK[transport])
        self._ok = metrics.requests.labels(transport, "ok")
        self._accepted = {signal: metrics.of(signal).accepted.labels(_RECEIVER, transport) for signal in Signal}
        self._refused = {signal: metrics.of(signal).refused.labels(_RECEIVER, transport) for signal in Signal}

    async def take(
        self, signal: Signal, authorization: Iterable[str], read: Callable[[], Awaitable[bytes]]
    ) -> Receipt | Failure:
        """Read one request and see it into the log.

        `authorization` are all `Authorization` headers of the request; `read` returns the serialized request and may
        raise the errors of `processor.errors`. Nothing is raised but the cancellation of a client that went away.
        """
        if self._requests >= self._requests_max:
            message = f"{self._requests_max} requests are under way (max_concurrent_requests)"
            return self.refuse(failure_of(Overloaded(message, _BUSY_RETRY_S)))
        self._requests += 1
        try:
            return await self._take(signal, authorization, read)
        except asyncio.CancelledError:
            self._count("cancelled")
            self._answers.labels(self._transport, _CANCELLED[self._transport]).inc()
            raise
        finally:
            self._requests -= 1

    async def _take(
        self, signal: Signal, authorization: Iterable[str], read: Callable[[], Awaitable[bytes]]
    ) -> Receipt | Failure:
        value = b""
        try:
            identity = await self._sender(authorization)
            value = await read()
            log = self._logs.get(signal)
            if log is None:
                self._count("ignored")
                self._answered_ok.inc()
                return Receipt()
            # An empty request is a success; the log has no use for it.
            receipt = await self._append(log, identity.tenant, signal, value) if value else Receipt()
        except Exception as error:
            # Whatever it is, the client gets a status.
            failure, items = failure_of(error), count_items(value, signal) or 0
            self._refused[signal].inc(items)
            self._refused_items.labels(signal.value, failure.outcome).inc(items)
            return self.refuse(failure)
        self._accepted[signal].inc(receipt.accepted_spans)
        self._answered_ok.inc()
        if receipt.rejected_spans:
            self._refused[signal].inc(receipt.rejected_spans)
            self._count("partial")
        else:
            self._ok.inc()
        return receipt

    async def _sender(self, authorization: Iterable[str]) -> Identity:
        """Who sends. Errors: those of `authenticate`, `PermissionDenied`."""
        if self._authenticator is None:
            return self._everyone
        identity = await authenticate(self._authenticator, only_authorization(authorization), self._everyone)
        identity.check_write()
        return identity

    async def _append(self, log: LogWriter, tenant: str, signal: Signal, value: bytes) -> Receipt:
        if self._limits is None:
            return await log.append(tenant, value)
        with self._limits.admitted(tenant, signal, value):
            return await log.append(tenant, value)

    def refuse(self, failure: Failure) -> Failure:
        """Count a request that is refused, also one refused before it was read."""
        self._count(failure.outcome)
        status = failure.grpc_name if self._transport == "grpc" else str(failure.http_status)
        self._answers.labels(self._transport, status).inc()
        return failure

    def unimplemented(self) -> None:
        """Count a call of a method that is none of ours."""
        self._answers.labels(self._transport, "UNIMPLEMENTED").inc()

    def _count(self, outcome: str) -> None:
        self._outcomes.labels(self._transport, outcome).inc()
