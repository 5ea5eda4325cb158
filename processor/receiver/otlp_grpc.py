"""OTLP over gRPC, port 4317.

Requests stay bytes: the generated deserializer would answer UNKNOWN to malformed protobuf, and a log wants bytes.
The method is served as a stream of one message, because a unary handler runs only after its message is in memory,
and a request over `max_concurrent_requests` must be refused before that.
Compression: none, gzip and deflate, by grpc core; it has no zstd, so such peers see UNIMPLEMENTED.
Source: opentelemetry-proto `docs/specification.md`, "OTLP/gRPC"; Collector `configgrpc`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import grpc
import grpc.aio
from grpc_status import rpc_status

from processor.auth.authenticator import Authenticator
from processor.auth.config import AuthConfig
from processor.endpoint import cannot_listen, default_endpoint, parse_endpoint
from processor.errors import ConfigError, Permanent
from processor.model import DEFAULT_TENANT
from processor.receiver.grpc_tls import server_credentials
from processor.receiver.intake import Intake, LogWriters
from processor.receiver.rate_limits import RateLimits
from processor.receiver.responses import response_of
from processor.receiver.status import Failure
from processor.signals import Signal
from processor.telemetry.metrics import Metrics
from processor.tls.config import TlsConfig
from processor.tls.server import ServerTls

_Context = grpc.aio.ServicerContext[bytes, bytes]
_Behaviour = Callable[[AsyncIterator[bytes], _Context], Awaitable[bytes]]

_MIB = 1024 * 1024
_OPTION = "receivers.otlp.protocols.grpc.endpoint"
_TLS = "receivers.otlp.protocols.grpc.tls"
_PATH = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"
_SIGNALS = {
    _PATH.format("trace", "Trace"): Signal.TRACES,
    _PATH.format("logs", "Logs"): Signal.LOGS,
    _PATH.format("metrics", "Metrics"): Signal.METRICS,
}


@dataclass(frozen=True, slots=True)
class OtlpGrpcConfig:
    """Where to listen and how much to take."""

    endpoint: str = field(
        default_factory=lambda: default_endpoint(4317),
        metadata={"help": "host:port to listen on; port 0 chooses a free one, no host means all IPv4 interfaces."},
    )
    max_recv_msg_size_mib: int = field(
        default=64,
        metadata={
            "help": "Largest request in MiB, also after decompression; larger is RESOURCE_EXHAUSTED, not retried.",
            "min": 1,
            "max": 1024,
        },
    )
    max_concurrent_streams: int = field(
        default=256,
        metadata={"help": "Requests under way on one connection; the client's library queues more.", "min": 1},
    )
    max_concurrent_requests: int = field(
        default=1024,
        metadata={
            "help": "Requests under way on all connections; more is answered UNAVAILABLE, unread, with a delay.",
            "min": 1,
        },
    )
    keepalive_min_time_s: float = field(
        default=1.0,
        metadata={
            "help": "Seconds a client must leave between keepalive pings, also without a call; three pings too early "
            "close its connection. 0 allows any rate.",
            "min": 0,
        },
    )
    keepalive_time_s: float = field(
        default=60.0,
        metadata={"help": "Seconds without traffic after which the server pings the client.", "min": 1},
    )
    keepalive_timeout_s: float = field(
        default=20.0,
        metadata={"help": "Seconds the client has to answer that ping before it counts as gone.", "min": 1},
    )
    max_connection_age_s: float = field(
        default=0.0,
        metadata={
            "help": "Seconds after which a client is asked to connect anew, so that a balancer spreads it; 0 is never.",
            "min": 0,
        },
    )
    tls: TlsConfig | None = None
    auth: AuthConfig | None = None

    def __post_init__(self) -> None:
        if self.tls is not None and self.tls.min_version != "1.2":
            raise ConfigError(
                f"tls.min_version: {self.tls.min_version} can't be enforced, gRPC has no way to say it; leave it out, "
                "and 1.3 is spoken with every client that can"
            )


class OtlpGrpcReceiver:
    """Listens between `start` and `stop`, which are safe in any order and twice."""

    def __init__(
        self,
        config: OtlpGrpcConfig,
        logs: LogWriters,
        metrics: Metrics,
        tenant: str = DEFAULT_TENANT,
        authenticator: Authenticator | None = None,
        limits: RateLimits | None = None,
    ) -> None:
        self._config = config
        self._intake = Intake(logs, metrics, "grpc", tenant, config.max_concurrent_requests, authenticator, limits)
        self._tls = ServerTls(config.tls, _TLS) if config.tls is not None else None
        self._server: grpc.aio.Server | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The bound port; 0 before `start`."""
        return self._port

    async def start(self) -> None:
        """Bind and serve. Errors: `ConfigError` if the endpoint is wrong or taken, or the certificate can't be used."""
        if self._server is not None:
            return
        host, port = parse_endpoint(self._config.endpoint)
        server = grpc.aio.server(options=_channel_options(self._config))
        server.add_generic_rpc_handlers((_Handlers(self._intake),))
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        tls = self._tls
        if tls is not None:
            await tls.start()
        try:
            if tls is None:
                self._port = server.add_insecure_port(address)
            else:
                self._port = server.add_secure_port(address, server_credentials(tls))
        except RuntimeError as error:
            if tls is not None:
                await tls.stop()
            raise ConfigError(cannot_listen(self._config.endpoint, _OPTION, "taken, or no address of ours")) from error
        self._server = server
        await server.start()

    def drain(self) -> None:
        """Nothing: a client that was sent away too early would come back. `stop` sends GOAWAY."""

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give running ones `grace_s` seconds, then cancel them (CANCELLED is retried)."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(grace_s)
            if self._tls is not None:
                await self._tls.stop()


def _channel_options(config: OtlpGrpcConfig) -> list[tuple[str, int]]:
    size_bytes_max = config.max_recv_msg_size_mib * _MIB
    options = {
        # Core 1.85 holds to it while it decompresses, too; a contract test sends a bomb.
        "grpc.max_receive_message_length": size_bytes_max,
        "grpc.max_concurrent_streams": config.max_concurrent_streams,
        # Else a second process could bind the same port and silently get half of the connections.
        "grpc.so_reuseport": 0,
        # Without these two, a client that pings more often than every 300 s gets GOAWAY "too_many_pings".
        "grpc.http2.min_ping_interval_without_data_ms": round(config.keepalive_min_time_s * 1000),
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.keepalive_time_ms": round(config.keepalive_time_s * 1000),
        "grpc.keepalive_timeout_ms": round(config.keepalive_timeout_s * 1000),
    }
    if config.max_connection_age_s:
        options["grpc.max_connection_age_ms"] = round(config.max_connection_age_s * 1000)
    return list(options.items())


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a method path; an unknown path is UNIMPLEMENTED."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            path: grpc.stream_unary_rpc_method_handler(_export(intake, signal)) for path, signal in _SIGNALS.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        handler = self._handlers.get(handler_call_details.method)
        if handler is None:
            self._intake.unimplemented()
        return handler


def _export(intake: Intake, signal: Signal) -> _Behaviour:
    async def export(_: AsyncIterator[bytes], context: _Context) -> bytes:
        async def read() -> bytes:
            message = await context.read()
            if not isinstance(message, bytes):
                raise Permanent("no whole message arrived: it was over max_recv_msg_size_mib, cancelled, or never sent")
            return message

        outcome = await intake.take(signal, _authorization(context), read)
        if isinstance(outcome, Failure):
            return await _abort(context, outcome)
        return response_of(signal, outcome).SerializeToString()

    return export


def _authorization(context: _Context) -> Iterator[str]:
    # A generator: where nobody asks, nothing is done.
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            yield value if isinstance(value, str) else value.decode("latin-1")


async def _abort(context: _Context, failure: Failure) -> bytes:
    try:
        await context.abort_with_status(rpc_status.to_status(failure.rpc_status()))
    except grpc.aio.InternalError:
        # Core has answered already (message too large) or the client is gone.
        return b""
