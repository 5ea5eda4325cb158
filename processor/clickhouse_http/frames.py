"""ClickHouse's own compressed stream (`compress=1`, `decompress=1`): frames of LZ4, ZSTD or plain bytes.

A frame: checksum (16 bytes: CityHash128 of all that follows), method (1), size with these 9 bytes (4), size of the
data (4), data. Numbers are little-endian.
Source: ClickHouse `src/Compression/CompressedReadBufferBase.cpp`, `CompressionInfo.h`.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import Final

import lz4.block  # has no annotations

from processor.clickhouse_http.cityhash import cityhash128
from processor.clickhouse_http.errors import INCORRECT_DATA, UNKNOWN_COMPRESSION_METHOD, QueryError
from processor.errors import TooLarge

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError
else:
    from backports.zstd import ZstdDecompressor, ZstdError

FRAME_BYTES: Final = 1024 * 1024
"""Data in one frame that we write; the server's own default."""

_LZ4: Final = 0x82
_ZSTD: Final = 0x90
_PLAIN: Final = 0x02
_CHECKSUM: Final = struct.Struct("<QQ")
_HEAD: Final = struct.Struct("<BII")


def frames(data: bytes) -> Iterator[bytes]:
    """`data` as LZ4 frames; nothing is no frame."""
    for at in range(0, len(data), FRAME_BYTES):
        part = data[at : at + FRAME_BYTES]
        packed = lz4.block.compress(part, store_size=False)
        body = _HEAD.pack(_LZ4, _HEAD.size + len(packed), len(part)) + packed
        yield _CHECKSUM.pack(*cityhash128(body)) + body


def unframed(stream: bytes, bytes_max: int) -> bytes:
    """The data of all frames.

    Errors: `QueryError` 117 for truncated or corrupt frames, 89 for an unknown method; `TooLarge` over `bytes_max`.
    """
    parts: list[bytes] = []
    at = size = 0
    while at < len(stream):
        start = at + _CHECKSUM.size
        if len(stream) < start + _HEAD.size:
            raise QueryError(INCORRECT_DATA, "Compressed data is truncated")
        method, packed_size, part_size = _HEAD.unpack_from(stream, start)
        at = start + packed_size
        if at > len(stream) or packed_size < _HEAD.size:
            raise QueryError(INCORRECT_DATA, "Compressed data is truncated")
        size += part_size
        if size > bytes_max:
            raise TooLarge(f"the body is over {bytes_max} bytes (max_request_body_size_mib)")
        if _CHECKSUM.pack(*cityhash128(stream[start:at])) != stream[start - _CHECKSUM.size : start]:
            raise QueryError(INCORRECT_DATA, "Checksum doesn't match: corrupted data")
        parts.append(_unpacked(method, stream[start + _HEAD.size : at], part_size))
    return b"".join(parts)


def _unpacked(method: int, packed: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            data: bytes = lz4.block.decompress(packed, uncompressed_size=size)
        elif method == _ZSTD:
            data = ZstdDecompressor().decompress(packed, size + 1)
        elif method == _PLAIN:
            data = packed
        else:
            raise QueryError(UNKNOWN_COMPRESSION_METHOD, f"Unknown codec family code: {method}")
    except (lz4.block.LZ4BlockError, ZstdError) as error:
        raise QueryError(INCORRECT_DATA, f"Cannot decompress: {error}") from error
    if len(data) != size:
        raise QueryError(INCORRECT_DATA, "Cannot decompress: the size is not as announced")
    return data
