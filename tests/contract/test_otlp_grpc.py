"""What only the gRPC receiver promises: size limits of core, keepalive, methods."""

from __future__ import annotations

import asyncio
import dataclasses
import struct
import subprocess
import sys

import grpc
import grpc.aio
import psutil
import pytest
from google.rpc.error_details_pb2 import RetryInfo

from tests.contract.otlp_harness import EXPORT, GRPC, MIB, Bench, bench, request_bytes

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _PING, _GOAWAY = 4, 6, 7
_ACK = 1

# A process of its own, so that its memory is not counted as the receiver's.
_BOMBER = """
import sys, grpc
with grpc.insecure_channel(sys.argv[1], options=[("grpc.max_send_message_length", -1)]) as channel:
    try:
        channel.unary_unary(sys.argv[2])(bytes(int(sys.argv[3])), compression=grpc.Compression.Gzip)
    except grpc.RpcError as error:
        print(error.code().name)
"""


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_over_the_limit(compression: grpc.Compression) -> None:
    """A message over the limit, before or after decompression, is RESOURCE_EXHAUSTED without RetryInfo."""

    async def scenario() -> None:
        async with bench() as running:
            code, status = await running.refused(bytes(MIB + 1), compression)
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert not any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)
            assert running.records == []
            # The connection lives on, and a message of the limit passes.
            await running.export(request_bytes(1, filler=MIB - 100), compression=compression)

    asyncio.run(scenario())


def test_gzip_bomb() -> None:
    """A message that would grow to 512 MiB is refused, and the receiver's memory hardly moves."""

    async def scenario() -> None:
        async with bench() as running:
            await running.export(request_bytes())
            before = psutil.Process().memory_info().rss
            address = f"127.0.0.1:{running.grpc.port}"
            bomber = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _BOMBER, address, EXPORT, str(512 * MIB)), stdout=subprocess.PIPE
            )
            output = asyncio.create_task(bomber.communicate())
            peak = before
            while not output.done():
                peak = max(peak, psutil.Process().memory_info().rss)
                await asyncio.wait([output], timeout=0.005)
            assert (await output)[0].strip() == b"RESOURCE_EXHAUSTED"
            assert peak - before < 64 * MIB

    asyncio.run(scenario())


def test_no_message() -> None:
    """A call that ends without a message is bad data, not an internal error."""

    async def scenario() -> None:
        async with bench() as running:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await running.channel.stream_unary(EXPORT)(iter(()))
            assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    asyncio.run(scenario())


def test_unknown_method() -> None:
    """A service that is not served is UNIMPLEMENTED."""

    async def scenario() -> None:
        async with bench() as running:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await running.export(
                    b"", "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
                )
            assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED

    asyncio.run(scenario())


def test_keepalive_pings_are_welcome() -> None:
    """A client that pings at the configured pace, without any call, keeps its connection."""

    async def scenario() -> None:
        config = dataclasses.replace(GRPC, keepalive_min_time_s=0.02)
        async with bench(grpc_config=config) as running:
            assert await _ping(running, count=10, pause_s=0.05) == 10

    asyncio.run(scenario())


def test_ping_floods_are_not() -> None:
    """A client that pings far faster than configured is sent away; this also shows that the test above can fail."""

    async def scenario() -> None:
        async with bench(grpc_config=dataclasses.replace(GRPC, keepalive_min_time_s=60)) as running:
            assert await _ping(running, count=10, pause_s=0.05) < 10

    asyncio.run(scenario())


async def _ping(running: Bench, count: int, pause_s: float) -> int:
    """Ping over bare HTTP/2 and return how many were answered before a GOAWAY. The pause is the pace under test."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.grpc.port)
    writer.write(_PREFACE + _frame(_SETTINGS, 0, b""))
    answered = 0
    try:
        while answered < count:
            writer.write(_frame(_PING, 0, answered.to_bytes(8, "big")))
            while True:
                kind, flags, payload = await _read_frame(reader)
                if kind == _GOAWAY:
                    return answered
                if kind == _SETTINGS and not flags & _ACK:
                    writer.write(_frame(_SETTINGS, _ACK, b""))
                if kind == _PING and flags & _ACK and payload == answered.to_bytes(8, "big"):
                    break
            answered += 1
            await asyncio.sleep(pause_s)
        return answered
    finally:
        writer.close()


def _frame(kind: int, flags: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, 0) + payload


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    head = await reader.readexactly(9)
    return head[3], head[4], await reader.readexactly(int.from_bytes(head[:3], "big"))
